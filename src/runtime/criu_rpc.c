/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/criu_rpc.h"

#include "base/str.h"
#include "base/strv.h"

/* What a field is in the struct, and with it how it is on the wire (protobuf.dev, "Encoding"). */
enum pb_kind {
	PB_OPT_I32, /* struct opt_i32 */
	PB_I32,     /* int32_t; decoding */
	PB_BOOL,    /* bool; encoding leaves false out, which is the default */
	PB_STR,     /* const char *; encoding */
	PB_CHARS,   /* char[size]; decoding, cut */
	PB_STRV,    /* char **; encoding, repeated */
	PB_PAIRS,   /* struct json_map; encoding, repeated messages of two strings, 1 and 2 */
	PB_FDS,     /* list of struct criu_inherit_fd; encoding, repeated */
	PB_MSG_PTR, /* T *; encoding, NULL: absent */
	PB_MSG      /* T in place; decoding */
};

enum { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

struct pb_field {
	uint32_t number;
	enum pb_kind kind;
	size_t offset, size;
	const struct pb_field *fields; /* of the message; ends with number 0 */
};

#define F(T, n, member, k)                                                                         \
	{                                                                                          \
		.number = (n), .kind = (k), .offset = offsetof(T, member),                         \
		.size = sizeof(((T *)NULL)->member)                                                \
	}
#define MSG(T, n, member, k, table)                                                                \
	{                                                                                          \
		.number = (n), .kind = (k), .offset = offsetof(T, member), .fields = (table)       \
	}
#define END                                                                                        \
	{                                                                                          \
		.number = 0                                                                        \
	}

/* --- the messages --- */

static const struct pb_field page_server_fields[] = {
	F(struct criu_page_server, 1, address, PB_STR),
	F(struct criu_page_server, 2, port, PB_OPT_I32),
	END,
};

static const struct pb_field inherit_fd_fields[] = {
	F(struct criu_inherit_fd, 1, key, PB_STR),
	F(struct criu_inherit_fd, 2, fd, PB_I32),
	END,
};

#define O(n, member, k) F(struct criu_opts, n, member, k)

static const struct pb_field opts_fields[] = {
	O(1, images_dir_fd, PB_OPT_I32),
	O(2, pid, PB_OPT_I32),
	O(3, leave_running, PB_BOOL),
	O(4, ext_unix_sk, PB_BOOL),
	O(5, tcp_established, PB_BOOL),
	O(6, evasive_devices, PB_BOOL),
	O(7, shell_job, PB_BOOL),
	O(8, file_locks, PB_BOOL),
	O(9, log_level, PB_OPT_I32),
	O(10, log_file, PB_STR),
	MSG(struct criu_opts, 11, page_server, PB_MSG_PTR, page_server_fields),
	O(12, notify_scripts, PB_BOOL),
	O(13, root, PB_STR),
	O(14, parent_img, PB_STR),
	O(15, track_mem, PB_BOOL),
	O(16, auto_dedup, PB_BOOL),
	O(17, work_dir_fd, PB_OPT_I32),
	O(18, link_remap, PB_BOOL),
	O(23, ext_mnt, PB_PAIRS),
	O(24, manage_cgroups, PB_BOOL),
	O(25, cg_root, PB_PAIRS),
	O(26, rst_sibling, PB_BOOL),
	MSG(struct criu_opts, 27, inherit_fd, PB_FDS, inherit_fd_fields),
	O(34, cgroup_mode, PB_OPT_I32),
	O(37, external, PB_STRV),
	O(38, empty_ns, PB_OPT_I32),
	O(39, join_ns, PB_PAIRS),
	O(44, freeze_cgroup, PB_STR),
	O(46, tcp_skip_in_flight, PB_BOOL),
	O(48, lazy_pages, PB_BOOL),
	O(49, status_fd, PB_OPT_I32),
	O(50, orphan_pts_master, PB_BOOL),
	O(51, config_file, PB_STR),
	O(53, lsm_profile, PB_STR),
	O(63, lsm_mount_context, PB_STR),
	O(64, network_lock, PB_OPT_I32),
	END,
};

static const struct pb_field features_fields[] = {
	F(struct criu_features, 1, mem_track, PB_BOOL),
	F(struct criu_features, 2, lazy_pages, PB_BOOL),
	END,
};

static const struct pb_field req_fields[] = {
	F(struct criu_req, 1, type, PB_OPT_I32),
	MSG(struct criu_req, 2, opts, PB_MSG_PTR, opts_fields),
	F(struct criu_req, 3, notify_success, PB_BOOL),
	F(struct criu_req, 4, keep_open, PB_BOOL),
	MSG(struct criu_req, 5, features, PB_MSG_PTR, features_fields),
	END,
};

/* The members of sub-messages count from the response: their offsets are whole. */
#define R(n, member, k) F(struct criu_resp, n, member, k)

static const struct pb_field resp_restore_fields[] = { R(1, restored_pid, PB_I32), END };
static const struct pb_field resp_notify_fields[] = { R(1, notify.script, PB_CHARS),
						      R(2, notify.pid, PB_I32), END };
static const struct pb_field resp_features_fields[] = { R(1, features.mem_track, PB_BOOL),
							R(2, features.lazy_pages, PB_BOOL), END };
static const struct pb_field resp_version_fields[] = { R(1, version.major, PB_I32),
						       R(2, version.minor, PB_I32),
						       R(4, version.sublevel, PB_I32), END };

static const struct pb_field resp_fields[] = {
	R(1, type, PB_I32),
	R(2, success, PB_BOOL),
	{ .number = 4, .kind = PB_MSG, .fields = resp_restore_fields },
	{ .number = 5, .kind = PB_MSG, .fields = resp_notify_fields },
	R(7, cr_errno, PB_I32),
	{ .number = 8, .kind = PB_MSG, .fields = resp_features_fields },
	R(9, errmsg, PB_CHARS),
	{ .number = 10, .kind = PB_MSG, .fields = resp_version_fields },
	END,
};

/* --- encoding --- */

static void put_varint(struct buf *out, uint64_t v)
{
	while (v >= 0x80) {
		buf_addc(out, (char)(unsigned char)(v | 0x80));
		v >>= 7;
	}
	buf_addc(out, (char)v);
}

static void put_tag(struct buf *out, uint32_t number, unsigned int wire)
{
	put_varint(out, (uint64_t)number << 3 | wire);
}

static void put_int(struct buf *out, uint32_t number, int32_t v)
{
	put_tag(out, number, WIRE_VARINT);
	put_varint(out, (uint64_t)(int64_t)v); /* negative ones take ten bytes */
}

static void put_bytes(struct buf *out, uint32_t number, const char *data, size_t len)
{
	put_tag(out, number, WIRE_LEN);
	put_varint(out, len);
	buf_add(out, data, len);
}

static void put_str(struct buf *out, uint32_t number, const char *s)
{
	if (s)
		put_bytes(out, number, s, strlen(s));
}

static void put_pairs(struct buf *out, uint32_t number, const struct json_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		cleanup_buf struct buf b = BUF_INIT;

		put_str(&b, 1, map->items[i].key);
		put_str(&b, 2, map->items[i].value);
		put_bytes(out, number, buf_str(&b), b.len);
	}
}

static void put_fields(struct buf *out, const struct pb_field *f, const void *object);

static void put_msg(struct buf *out, const struct pb_field *f, const void *object)
{
	cleanup_buf struct buf b = BUF_INIT;

	put_fields(&b, f->fields, object);
	put_bytes(out, f->number, buf_str(&b), b.len);
}

static void put_fds(struct buf *out, const struct pb_field *f, const void *list)
{
	const criu_inherit_fds *fds = list;

	for (size_t i = 0; i < fds->n; i++)
		put_msg(out, f, &fds->items[i]);
}

static void put_field(struct buf *out, const struct pb_field *f, const void *at)
{
	switch (f->kind) {
	case PB_OPT_I32:
		if (((const struct opt_i32 *)at)->set)
			put_int(out, f->number, ((const struct opt_i32 *)at)->value);
		break;
	case PB_I32:
		put_int(out, f->number, *(const int32_t *)at);
		break;
	case PB_BOOL:
		if (*(const bool *)at)
			put_int(out, f->number, 1);
		break;
	case PB_STR:
		put_str(out, f->number, *(const char *const *)at);
		break;
	case PB_STRV:
		for (char *const *s = *(char **const *)at; s && *s; s++)
			put_str(out, f->number, *s);
		break;
	case PB_PAIRS:
		put_pairs(out, f->number, at);
		break;
	case PB_FDS:
		put_fds(out, f, at);
		break;
	case PB_MSG_PTR:
		if (*(const void *const *)at)
			put_msg(out, f, *(const void *const *)at);
		break;
	case PB_CHARS:
	case PB_MSG:
		break; /* of responses */
	}
}

static void put_fields(struct buf *out, const struct pb_field *f, const void *object)
{
	for (; f->number; f++)
		put_field(out, f, (const char *)object + f->offset);
}

void criu_req_encode(const struct criu_req *req, struct buf *out)
{
	put_fields(out, req_fields, req);
}

/* --- decoding --- */

struct pb_reader {
	const unsigned char *p, *end;
};

static int get_varint(struct pb_reader *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (r->p == r->end)
			return -EBADMSG;
		v |= (uint64_t)(*r->p & 0x7f) << shift;
		if (!(*r->p++ & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

/* The value behind a tag: a number, or *ret_len bytes at *ret_data. */
static int get_value(struct pb_reader *r, unsigned int wire, uint64_t *ret,
		     const unsigned char **ret_data)
{
	uint64_t len;
	int e;

	*ret_data = NULL;
	if (wire == WIRE_VARINT)
		return get_varint(r, ret);
	if (wire == WIRE_I64 || wire == WIRE_I32) {
		len = wire == WIRE_I64 ? 8 : 4;
	} else if (wire == WIRE_LEN) {
		e = get_varint(r, &len);
		if (e < 0)
			return e;
	} else {
		return -EBADMSG; /* groups, which nothing uses any more */
	}
	if (len > (uint64_t)(r->end - r->p))
		return -EBADMSG;
	*ret_data = r->p;
	*ret = len;
	r->p += len;
	return 0;
}

static int get_fields(struct pb_reader *r, const struct pb_field *fields, void *object, int depth);

static int take_field(const struct pb_field *f, unsigned int wire, uint64_t v,
		      const unsigned char *data, void *object, int depth)
{
	char *at = (char *)object + f->offset;
	struct pb_reader sub = { data, data ? data + v : NULL };
	unsigned int wanted = f->kind == PB_MSG || f->kind == PB_CHARS ? WIRE_LEN : WIRE_VARINT;

	if (wire != wanted || (wanted == WIRE_LEN && !data))
		return -EBADMSG;
	switch (f->kind) {
	case PB_I32:
		*(int32_t *)at = (int32_t)(uint32_t)v;
		return 0;
	case PB_BOOL:
		*(bool *)at = v != 0;
		return 0;
	case PB_CHARS:
		if (v >= f->size)
			v = f->size - 1;
		memcpy(at, data, (size_t)v);
		at[v] = '\0';
		str_mask_controls(at, "");
		return 0;
	case PB_MSG:
		return depth > 0 ? get_fields(&sub, f->fields, object, depth - 1) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

static int get_fields(struct pb_reader *r, const struct pb_field *fields, void *object, int depth)
{
	while (r->p < r->end) {
		const struct pb_field *f = fields;
		const unsigned char *data;
		uint64_t tag, v;
		int e;

		e = get_varint(r, &tag);
		if (e >= 0)
			e = get_value(r, (unsigned int)tag & 7, &v, &data);
		if (e < 0)
			return e;
		while (f->number && f->number != tag >> 3)
			f++;
		if (!f->number)
			continue;
		e = take_field(f, (unsigned int)tag & 7, v, data, object, depth);
		if (e < 0)
			return e;
	}
	return 0;
}

int criu_resp_decode(const void *data, size_t len, struct criu_resp *ret, struct err *err)
{
	struct pb_reader r = { data, len ? (const unsigned char *)data + len : data };
	struct criu_resp resp = { 0 };

	if (len > CRIU_RESP_BYTES_MAX || get_fields(&r, resp_fields, &resp, 1) < 0 || !resp.type)
		return err_fail(err, ERR_CORRUPT, "criu's answer is no message of its protocol");
	*ret = resp;
	return 0;
}

/* --- options --- */

void criu_opts_add_fd(struct criu_opts *o, const char *key, int fd)
{
	o->inherit_fd.items =
	    xrealloc(o->inherit_fd.items, (o->inherit_fd.n + 1) * sizeof(*o->inherit_fd.items));
	o->inherit_fd.items[o->inherit_fd.n++] = (struct criu_inherit_fd){ xstrdup(key), fd };
}

static void map_done(struct json_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		free(map->items[i].key);
		free(map->items[i].value);
	}
	free(map->items);
}

void criu_opts_done(struct criu_opts *o)
{
	map_done(&o->ext_mnt);
	map_done(&o->cg_root);
	map_done(&o->join_ns);
	strv_free(o->external);
	for (size_t i = 0; i < o->inherit_fd.n; i++)
		free(o->inherit_fd.items[i].key);
	free(o->inherit_fd.items);
	*o = (struct criu_opts){ 0 };
}
