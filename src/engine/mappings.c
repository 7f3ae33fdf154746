/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mappings.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/parse.h"
#include "image/own_name.h"

#define FILE_MAX (4u << 20)

/* systemd UIDS-GIDS.md: 524288 to 1879048191 are for containers, in blocks of 65536. */
#define BLOCK_FIRST 8u
#define BLOCK_LAST  28671u
#define TRIES       256
#define RESERVED_NS (INT64_C(3600) * 1000000000)

static int own_map(const char *file, const char *name, uint32_t own, struct idmap *ret,
		   struct err *err)
{
	struct subid_range ranges[SUBID_RANGES_MAX];
	cleanup_buf struct buf text = BUF_INIT;
	size_t n;
	int r;

	/* No such file: no subordinate ids. */
	if (io_read_file(AT_FDCWD, file, &text, FILE_MAX, NULL) < 0)
		buf_reset(&text);
	n = subid_parse(buf_str(&text), text.len, name, (uint32_t)getuid(), ranges,
			ARRAY_SIZE(ranges));
	r = idmap_rootless(own, ranges, n, ret);
	return r < 0 ? err_errno(err, -r, "mapping the ids that %s gives", file) : 0;
}

int mappings_rootless(struct idmap *ret_uids, struct idmap *ret_gids, struct err *err)
{
	cleanup_free char *name = NULL;
	int r;

	/* Below `inro unshare` the mapping is made already. */
	if (geteuid() == 0)
		return idmap_own(ret_uids, ret_gids, err);
	name = own_name(getuid());
	r = own_map("/etc/subuid", name, (uint32_t)geteuid(), ret_uids, err);
	if (r < 0)
		return r;
	r = own_map("/etc/subgid", name, (uint32_t)getegid(), ret_gids, err);
	/* newgidmap is no use without newuidmap: one own id needs setgroups denied for both. */
	if (r == 0 && (ret_uids->n == 1) != (ret_gids->n == 1)) {
		ret_uids->n = ret_gids->n = 1;
	}
	if (r < 0)
		idmap_done(ret_uids);
	return r;
}

/* Does a line "name:start:count" of /etc/subuid touch the block? */
static bool block_taken(const char *text, uint32_t start)
{
	cleanup_strv char **lines = strv_split(text, '\n');
	size_t i;

	for (i = 0; lines[i]; i++) {
		cleanup_strv char **parts = strv_split(lines[i], ':');
		uint32_t from, count;

		if (strv_len(parts) == 3 && str_parse_u32(parts[1], &from) == 0 &&
		    str_parse_u32(parts[2], &count) == 0 && from < start + MAPPINGS_BLOCK &&
		    (uint64_t)from + count > start)
			return true;
	}
	return false;
}

/* 1: the block is this container's now. One that somebody has reserved whose container never came
 * to be, or was removed, is free again after a while, but not before the containers that have
 * joined that one's user namespace (record_options.joins) are gone: they may be running. */
static int take_block(struct engine *eng, const char *id, uint32_t start, struct err *err)
{
	int64_t now = time_now_ns();

	return db_exec(eng->db, err,
		       "INSERT INTO id_blocks (first, container, taken_ns) VALUES (?1, ?2, ?3)"
		       " ON CONFLICT (first) DO UPDATE SET container = ?2, taken_ns = ?3"
		       " WHERE taken_ns < ?4 AND NOT EXISTS"
		       " (SELECT 1 FROM containers WHERE id = id_blocks.container OR"
		       " instr(options, id_blocks.container)) AND NOT EXISTS"
		       " (SELECT 1 FROM pods WHERE id = id_blocks.container)",
		       "IsII", (int64_t)start, id, now, now - RESERVED_NS);
}

int mappings_auto(struct engine *eng, const char *id, uint32_t size, struct idmap *ret_uids,
		  struct idmap *ret_gids, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	uint32_t hash = 2166136261u, i, start = 0;
	const char *p;
	int r;

	io_read_file(AT_FDCWD, "/etc/subuid", &text, FILE_MAX, NULL);
	buf_addc(&text, '\n');
	io_read_file(AT_FDCWD, "/etc/subgid", &text, FILE_MAX, NULL);
	r = engine_db(eng, err);
	if (r < 0)
		return r;
	for (p = id; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	for (i = 0; r == 0 && i < TRIES; i++, hash += 7919) {
		start = (BLOCK_FIRST + hash % (BLOCK_LAST - BLOCK_FIRST + 1)) * MAPPINGS_BLOCK;
		if (!block_taken(buf_str(&text), start))
			r = take_block(eng, id, start, err);
	}
	if (r < 0)
		return r;
	if (r == 0)
		return err_fail(err, ERR_LIMIT,
				"finding free ids for a user namespace: all tried blocks are given "
				"to other containers, or to users in /etc/subuid");
	r = idmap_add(ret_uids, 0, start, size);
	if (r == 0)
		r = idmap_add(ret_gids, 0, start, size);
	return r < 0 ? err_errno(err, -r, "mapping ids") : 0;
}

/* The first of from's ids, its owner's, becomes `kept`; the others are below and above it, at most
 * size of them. */
static int keep_one(const struct idmap *from, uint32_t kept, uint32_t size, struct idmap *ret)
{
	uint32_t next = 0, left = size ? size : UINT32_MAX;
	int r = kept ? 0 : idmap_add(ret, 0, from->ranges[0].outside, 1);

	if (!kept)
		next = 1;
	for (size_t i = 1; r == 0 && left && i < from->n; i++) {
		uint32_t at = from->ranges[i].outside;
		uint32_t n = from->ranges[i].count < left ? from->ranges[i].count : left;

		left -= n;
		if (next < kept && n >= kept - next) {
			uint32_t below = kept - next;

			r = idmap_add(ret, next, at, below);
			if (r == 0)
				r = idmap_add(ret, kept, from->ranges[0].outside, 1);
			next = kept + 1;
			at += below;
			n -= below;
		}
		if (r == 0 && n)
			r = idmap_add(ret, next, at, n);
		next += n;
	}
	if (r == 0 && next <= kept && kept)
		r = idmap_add(ret, kept, from->ranges[0].outside, 1);
	return r;
}

static int no_subids(const char *word, struct err *err)
{
	return err_hint(err,
			err_fail(err, ERR_UNSUPPORTED,
				 "--userns %s: this user has no subordinate ids, of which the "
				 "container's root has to be one",
				 word),
			"give some to the user: `usermod --add-subuids 100000-165535 "
			"--add-subgids 100000-165535 USER`");
}

/* All of from's ids but the first, its owner's. */
static int others(const struct idmap *from, struct idmap *ret)
{
	uint32_t next = 0;
	int r = 0;

	for (size_t i = 1; r == 0 && i < from->n; i++) {
		r = idmap_add(ret, next, from->ranges[i].outside, from->ranges[i].count);
		next += from->ranges[i].count;
	}
	return r;
}

int mappings_nomap(struct idmap *ret_uids, struct idmap *ret_gids, struct err *err)
{
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };
	int r;

	if (geteuid() == 0)
		return err_fail(err, ERR_UNSUPPORTED,
				"--userns nomap: it keeps the user who makes the container out of "
				"it, and root is in each; use auto");
	r = mappings_rootless(&uids, &gids, err);
	if (r == 0 && (uids.n < 2 || gids.n < 2))
		r = no_subids("nomap", err);
	if (r < 0)
		return r;
	r = others(&uids, ret_uids);
	if (r == 0)
		r = others(&gids, ret_gids);
	return r < 0 ? err_errno(err, -r, "--userns nomap: mapping ids") : 0;
}

int mappings_keep_id(const struct keep_id *keep, struct idmap *ret_uids, struct idmap *ret_gids,
		     uint32_t *ret_uid, uint32_t *ret_gid, struct err *err)
{
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };
	int r;

	*ret_uid = keep->uid.set ? (uint32_t)keep->uid.value : (uint32_t)geteuid();
	*ret_gid = keep->gid.set ? (uint32_t)keep->gid.value : (uint32_t)getegid();
	if (geteuid() == 0)
		return idmap_own(ret_uids, ret_gids, err);
	r = mappings_rootless(&uids, &gids, err);
	if (r < 0)
		return r;
	if ((uids.n < 2 && *ret_uid) || (gids.n < 2 && *ret_gid))
		return no_subids("keep-id", err);
	r = keep_one(&uids, *ret_uid, keep->size, ret_uids);
	if (r == 0)
		r = keep_one(&gids, *ret_gid, keep->size, ret_gids);
	return r < 0 ? err_errno(err, -r, "--userns keep-id: mapping ids") : 0;
}

static int map_words(const char *option, char *const *words, struct idmap *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = id_map_parse(option, words[i], ret, err);
	return r;
}

/* All that the file gives to the name, from 0 on. */
static int map_name(const char *file, const char *name, struct idmap *ret, struct err *err)
{
	struct subid_range ranges[SUBID_RANGES_MAX];
	cleanup_buf struct buf text = BUF_INIT;
	uint32_t inside = 0;
	size_t n;
	int r;

	r = io_read_file(AT_FDCWD, file, &text, FILE_MAX, err);
	if (r < 0)
		return r;
	n = subid_parse(buf_str(&text), text.len, name, UINT32_MAX, ranges, ARRAY_SIZE(ranges));
	if (!n)
		return err_fail(err, ERR_NOT_FOUND, "no line for %s in %s", name, file);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = idmap_add(ret, inside, ranges[i].start, ranges[i].count);
		inside += ranges[i].count;
	}
	return r < 0 ? err_errno(err, -r, "mapping the ids that %s gives to %s", file, name) : 0;
}

static int check_asked(const struct run_options *o, struct err *err)
{
	if (o->userns)
		return err_fail(err, ERR_USAGE,
				"conflicting options: --userns and --uidmap, --gidmap, "
				"--subuidname or --subgidname");
	if ((o->uidmap || o->gidmap) && (o->subuidname || o->subgidname))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --uidmap or --gidmap and --subuidname or "
				"--subgidname");
	return 0;
}

int mappings_asked(const struct run_options *o, struct idmap *uids, struct idmap *gids,
		   struct err *err)
{
	bool by_name = o->subuidname || o->subgidname;
	const char *group = o->subgidname ? o->subgidname : o->subuidname;
	uint32_t root;
	int r;

	if (!by_name && !o->uidmap && !o->gidmap)
		return 0;
	r = check_asked(o, err);
	if (r == 0 && by_name)
		r = map_name("/etc/subuid", o->subuidname ? o->subuidname : group, uids, err);
	if (r == 0 && by_name)
		r = map_name("/etc/subgid", group, gids, err);
	if (r == 0 && !by_name)
		r = map_words(o->uidmap ? "uidmap" : "gidmap", o->uidmap ? o->uidmap : o->gidmap,
			      uids, err);
	if (r == 0 && !by_name)
		r = map_words(o->gidmap ? "gidmap" : "uidmap", o->gidmap ? o->gidmap : o->uidmap,
			      gids, err);
	if (r < 0)
		return r;
	if (idmap_to_outside(uids, 0, &root) < 0 || idmap_to_outside(gids, 0, &root) < 0)
		return err_fail(err, ERR_USAGE,
				"--uidmap, --gidmap: id 0 has to be mapped: it sets the container "
				"up");
	return 1;
}
