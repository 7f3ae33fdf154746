/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volume_mounts.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/images.h"
#include "engine/mapped.h"
#include "engine/users_layer.h"
#include "engine/volumes.h"
#include "runtime/mount_opts.h"

/* ---- which ---- */

/* A tmpfs is the container's own, and takes the image's files along. */
static void resolve_tmpfs(struct mount_request *m, struct mount_request *of)
{
	m->chown = of->chown || strv_has(m->options, MOUNT_U);
	strv_free(m->options);
	m->options = take_ptr(of->options);
	if (m->readonly)
		strv_add(&m->options, "ro");
	if (!m->nocopy)
		strv_add(&m->options, "tmpcopyup");
}

void mount_below(struct mount_request *m)
{
	cleanup_free char *top = take_ptr(m->host_path);

	m->host_path = path_join(top, m->subpath);
	strv_addf(&m->options, MOUNT_OPT_BELOW "=%s", top);
}

static int choose_name(struct mount_request *m, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = hex_random_id(id);

	if (r < 0)
		return err_errno(err, -r, "choosing a name for a volume");
	m->source = xstrdup(id);
	m->anonymous = true;
	json_map_set(&m->labels, VOLUME_ANONYMOUS, "");
	return 0;
}

int volume_resolve(struct engine *eng, struct mount_request *m, struct err *err)
{
	cleanup_mount_request struct mount_request of = { 0 };
	cleanup_volume struct volume v = { 0 };
	int r = m->source ? volume_get(eng, m->source, &v, err) : choose_name(m, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = v.name ? 0 : -ENOENT;
	r = volume_opts_parse(r == 0 ? &v.options : &m->driver_opts, &of, err);
	if (r < 0)
		return r;
	if (of.kind == MOUNT_TMPFS && m->subpath)
		return err_fail(err, ERR_USAGE, "volume %s is a tmpfs: there is no subpath in it",
				m->source);
	if (of.kind == MOUNT_TMPFS) {
		resolve_tmpfs(m, &of);
		return 0;
	}
	m->readonly = m->readonly || of.readonly;
	/* A directory of the machine, where root in a user namespace is not root. */
	if (of.kind == MOUNT_BIND) {
		m->host_path = take_ptr(of.source);
		strv_extend(&m->options, of.options);
	} else {
		/* What is in a volume has the container's own ids, whatever they are out here. */
		m->idmap = m->idmap || !eng->rootless;
		m->host_path =
		    xasprintf("%s/" VOLUMES_DIR "/%s/" VOLUME_DATA, eng->root, m->source);
	}
	if (m->subpath && !str_eq(m->subpath, "."))
		mount_below(m);
	return 0;
}

/* One that was removed a moment ago is in use by nobody any more. */
static int image_use(struct engine *eng, const struct mount_request *m, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, "SELECT 1 FROM images WHERE id = ?", "s", m->source);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	return r == 0 ? err_fail(err, ERR_NOT_FOUND, "No such image: %s", m->source) : r;
}

int volumes_use(struct engine *eng, const char *container, const struct mount_request *mounts,
		size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const struct mount_request *m = &mounts[i];
		const struct volume v = { .name = m->source,
					  .anonymous = m->anonymous,
					  .labels = m->labels,
					  .options = m->driver_opts };

		if (m->kind == MOUNT_IMAGE)
			r = image_use(eng, m, err);
		if (m->kind != MOUNT_VOLUME)
			continue;
		r = volume_add(eng, &v, err);
		if (r >= 0)
			r = db_exec(eng->db, err,
				    "INSERT OR IGNORE INTO volume_uses (container, volume, pending)"
				    " VALUES (?, ?, ?)",
				    "ssi", container, m->source, (int)!m->nocopy);
	}
	return r < 0 ? r : 0;
}

/* ---- what is in them ---- */

int volume_open_data(const struct volume *v, int dir, struct err *err)
{
	cleanup_mount_request struct mount_request of = { 0 };
	int fd, r = volume_opts_parse(&v->options, &of, err);

	if (r < 0)
		return r;
	if (of.kind == MOUNT_TMPFS)
		return -ENOTDIR;
	if (of.kind == MOUNT_BIND)
		fd = open(of.source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	else
		fd = openat(dir, VOLUME_DATA, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return -ENOTDIR;
	return fd < 0 ? err_errno(err, errno, "opening volume %s", v->name) : fd;
}

/* Names of the volumes that wait for this container's files. */
static int pending_read(struct engine *eng, const char *id, char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = db_query(eng->db, &stmt, err,
			     "SELECT volume FROM volume_uses WHERE container = ? AND pending", "s",
			     id);
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

static int note_locked(struct engine *eng, const struct record *rec, bool copied, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rec->options.mounts.n; i++) {
		const struct record_mount *m = &rec->options.mounts.items[i];
		const char *const words[] = {
			"container",   rec->id, "destination", m->target,
			"driver",      "local", "read/write",  m->readonly ? "false" : "true",
			"propagation", "",      NULL,
		};

		if (m->type == MOUNT_VOLUME)
			r = event_add(eng, "volume", "mount", m->source, words, err);
	}
	/* One of --rm is not started again. */
	if (r == 0 && copied && !rec->auto_remove)
		r = db_exec(eng->db, err, "UPDATE volume_uses SET pending = 0 WHERE container = ?",
			    "s", rec->id);
	return r < 0 ? r : 0;
}

static int note_mounted(struct engine *eng, const struct record *rec, bool copied, struct err *err)
{
	int r = db_begin(eng->db, err);

	return r < 0 ? r : db_end(eng->db, note_locked(eng, rec, copied, err), err);
}

static int prepare_one(struct engine *eng, const struct record *rec, const struct record_mount *m,
		       bool copies, const struct volumes_source *from, struct err *err)
{
	if (copies)
		return volume_copy(eng, rec, m, from, err);
	cleanup_fd int dir = volume_open(eng, m->source, err);
	return dir < 0 ? dir : mapped_give_volume(eng, rec->options.mapping, dir, err);
}

static int prepare_all(struct engine *eng, const struct record *rec,
		       const struct volumes_source *from, struct err *err)
{
	/* The machine's own files are nothing to copy. */
	bool copies = !str_eq(rec->image, IMAGE_HOST);
	cleanup_strv char **pending = NULL;
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < rec->options.mounts.n; i++)
		any = any || rec->options.mounts.items[i].type == MOUNT_VOLUME;
	if (!any)
		return 0;
	r = pending_read(eng, rec->id, &pending, err);
	if (r == 0 && copies && pending)
		r = users_layer_give(eng, rec, err);
	for (size_t i = 0; r == 0 && i < rec->options.mounts.n; i++) {
		const struct record_mount *m = &rec->options.mounts.items[i];

		if (m->type == MOUNT_VOLUME)
			r = prepare_one(eng, rec, m, copies && strv_has(pending, m->source), from,
					err);
	}
	return r < 0 ? r : note_mounted(eng, rec, pending != NULL, err);
}

int volumes_prepare(struct engine *eng, const struct record *rec, const struct volumes_source *from,
		    struct err *err)
{
	int r = prepare_all(eng, rec, from, err);
	bool any = false;

	for (size_t i = 0; i < rec->options.mounts.n; i++)
		any = any || strv_has(rec->options.mounts.items[i].options, MOUNT_U);
	return r < 0 || !any ? r : volumes_chown(eng, rec, err);
}

/* ---- as the record has them ---- */

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void record_mount_fill(const struct mount_request *from, struct record_mount *ret)
{
	*ret = (struct record_mount){
		.type = (int)from->kind,
		.source = copy(from->source),
		.host_path = copy(from->host_path),
		.target = copy(from->target),
		.mode = copy(from->mode),
		.options = strv_copy(from->options),
		.readonly = from->readonly,
		.idmap = from->idmap,
	};
}

void record_mount_request(const struct record_mount *from, struct mount_request *ret)
{
	*ret = (struct mount_request){
		.kind = (enum mount_kind)from->type,
		.source = copy(from->source),
		.host_path = copy(from->host_path),
		.target = copy(from->target),
		.mode = copy(from->mode),
		.options = strv_copy(from->options),
		.readonly = from->readonly,
		.idmap = from->idmap,
		.nocopy = true,
	};
}
