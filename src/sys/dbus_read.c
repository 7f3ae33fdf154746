/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to replies and signals. */
#include "base/str.h"
#include "sys/dbus_internal.h"

static int read_align(struct dbus_reader *r, size_t to)
{
	size_t end = (r->pos + to - 1) / to * to;

	if (end > r->len)
		return -EBADMSG;
	for (; r->pos < end; r->pos++)
		if (r->data[r->pos])
			return -EBADMSG;
	return 0;
}

int dbus_read_u32(struct dbus_reader *r, uint32_t *ret)
{
	struct dbus_reader at = *r;
	uint32_t n;

	if (read_align(&at, 4) < 0 || at.len - at.pos < sizeof(n))
		return -EBADMSG;
	memcpy(&n, at.data + at.pos, sizeof(n));
	at.pos += sizeof(n);
	*ret = at.swap ? __builtin_bswap32(n) : n;
	*r = at;
	return 0;
}

/* len bytes of text and the byte that terminates it. */
static int read_text(struct dbus_reader *r, size_t len, const char **ret)
{
	const char *s = (const char *)r->data + r->pos;

	if (r->len - r->pos <= len || s[len] || strlen(s) != len)
		return -EBADMSG;
	for (size_t i = 0, n; i < len; i += n) {
		n = str_utf8_len(s + i);
		if (n == 0)
			return -EBADMSG;
	}
	r->pos += len + 1;
	*ret = s;
	return 0;
}

int dbus_read_string(struct dbus_reader *r, const char **ret)
{
	struct dbus_reader at = *r;
	uint32_t len;

	if (dbus_read_u32(&at, &len) < 0 || read_text(&at, len, ret) < 0)
		return -EBADMSG;
	*r = at;
	return 0;
}

int dbus_read_signature(struct dbus_reader *r, const char **ret)
{
	struct dbus_reader at = *r;

	if (at.pos == at.len)
		return -EBADMSG;
	size_t len = at.data[at.pos++];
	if (read_text(&at, len, ret) < 0)
		return -EBADMSG;
	*r = at;
	return 0;
}

/* What follows the one complete type at the start of s; NULL: there is none. */
static const char *type_end(const char *s, int depth)
{
	if (depth > DBUS_DEPTH_MAX)
		return NULL;
	if (*s == 'a')
		return type_end(s + 1, depth + 1);
	if (dbus_fixed_size(*s) || *s == 's' || *s == 'o' || *s == 'g' || *s == 'v')
		return s + 1;
	if (*s != '(' && *s != '{')
		return NULL;
	char close = *s == '(' ? ')' : '}';
	for (s++; s && *s && *s != close;)
		s = type_end(s, depth + 1);
	return s && *s == close ? s + 1 : NULL;
}

static int skip(struct dbus_reader *r, const char *type, int depth);

static int skip_array(struct dbus_reader *r, const char *element, int depth)
{
	uint32_t len;

	if (dbus_read_u32(r, &len) < 0 || read_align(r, dbus_alignment(*element)) < 0 ||
	    r->len - r->pos < len)
		return -EBADMSG;
	struct dbus_reader items = *r;
	items.len = r->pos + len;
	while (items.pos < items.len) {
		size_t before = items.pos;
		if (skip(&items, element, depth) < 0 || items.pos == before)
			return -EBADMSG;
	}
	r->pos = items.pos;
	return 0;
}

static int skip_variant(struct dbus_reader *r, int depth)
{
	const char *type, *end;

	if (dbus_read_signature(r, &type) < 0)
		return -EBADMSG;
	end = type_end(type, 0);
	return !end || *end ? -EBADMSG : skip(r, type, depth);
}

static int skip_struct(struct dbus_reader *r, const char *type, int depth)
{
	if (read_align(r, 8) < 0)
		return -EBADMSG;
	for (type++; *type != ')' && *type != '}'; type = type_end(type, 0))
		if (skip(r, type, depth) < 0)
			return -EBADMSG;
	return 0;
}

/* type: checked by type_end(). */
static int skip(struct dbus_reader *r, const char *type, int depth)
{
	size_t size = dbus_fixed_size(*type);
	const char *text;

	if (depth > 2 * DBUS_DEPTH_MAX)
		return -EBADMSG;
	if (size) {
		if (read_align(r, size) < 0 || r->len - r->pos < size)
			return -EBADMSG;
		r->pos += size;
		return 0;
	}
	switch (*type) {
	case 'a':
		return skip_array(r, type + 1, depth + 1);
	case 'v':
		return skip_variant(r, depth + 1);
	case 'g':
		return dbus_read_signature(r, &text);
	case '(':
	case '{':
		return skip_struct(r, type, depth + 1);
	default:
		return dbus_read_string(r, &text);
	}
}

int dbus_read_skip(struct dbus_reader *r, const char *signature, const char **rest)
{
	struct dbus_reader at = *r;
	const char *end = type_end(signature, 0);

	if (!end || skip(&at, signature, 0) < 0)
		return -EBADMSG;
	*r = at;
	*rest = end;
	return 0;
}

/* --- messages --- */

/* The fixed start, up to the length of the header fields. */
static int read_start(const unsigned char *data, struct dbus_reader *r, uint32_t numbers[3])
{
	if ((data[0] != DBUS_OWN_ORDER && data[0] != DBUS_OTHER_ORDER) || data[1] == 0 ||
	    data[3] != DBUS_VERSION)
		return -EBADMSG;
	*r = (struct dbus_reader){
		.data = data, .len = DBUS_HEADER_MIN, .pos = 4, .swap = data[0] == DBUS_OTHER_ORDER
	};
	for (int i = 0; i < 3; i++)
		if (dbus_read_u32(r, &numbers[i]) < 0)
			return -EBADMSG;
	return numbers[1] ? 0 : -EBADMSG; /* no message has serial 0 */
}

int dbus_msg_size(const void *data, size_t *ret)
{
	struct dbus_reader r;
	uint32_t numbers[3];
	int e = read_start(data, &r, numbers);

	if (e < 0)
		return e;
	if (numbers[0] > DBUS_MESSAGE_MAX || numbers[2] > DBUS_MESSAGE_MAX)
		return -EFBIG;
	size_t size = DBUS_HEADER_MIN + (numbers[2] + 7u) / 8 * 8 + numbers[0];
	if (size > DBUS_MESSAGE_MAX)
		return -EFBIG;
	*ret = size;
	return 0;
}

static int read_field(struct dbus_reader *r, struct dbus_msg *msg)
{
	const char **const texts[] = {
		[FIELD_PATH] = &msg->path,
		[FIELD_INTERFACE] = &msg->interface,
		[FIELD_MEMBER] = &msg->member,
		[FIELD_ERROR] = &msg->error_name,
		[FIELD_DESTINATION] = &msg->destination,
		[FIELD_SENDER] = &msg->sender,
		[FIELD_SIGNATURE] = &msg->signature,
	};
	const char *type, *rest;

	if (read_align(r, 8) < 0 || r->pos == r->len)
		return -EBADMSG;
	unsigned char code = r->data[r->pos++];
	if (dbus_read_signature(r, &type) < 0)
		return -EBADMSG;
	if (code == FIELD_REPLY_SERIAL)
		return str_eq(type, "u") ? dbus_read_u32(r, &msg->reply_serial) : -EBADMSG;
	if (code < ARRAY_SIZE(texts) && texts[code]) {
		char wanted = code == FIELD_PATH ? 'o' : code == FIELD_SIGNATURE ? 'g' : 's';
		if (type[0] != wanted || type[1])
			return -EBADMSG;
		return wanted == 'g' ? dbus_read_signature(r, texts[code])
				     : dbus_read_string(r, texts[code]);
	}
	/* The specification: unknown fields are to be ignored. */
	return dbus_read_skip(r, type, &rest) < 0 || *rest ? -EBADMSG : 0;
}

static bool has_its_fields(const struct dbus_msg *m)
{
	switch (m->type) {
	case DBUS_CALL:
		return m->path && m->member;
	case DBUS_REPLY:
		return m->reply_serial;
	case DBUS_ERROR:
		return m->reply_serial && m->error_name;
	case DBUS_SIGNAL:
		return m->path && m->interface && m->member;
	default:
		return true;
	}
}

int dbus_msg_parse(const void *data, size_t len, struct dbus_msg *ret)
{
	struct dbus_msg msg = { .signature = "" };
	struct dbus_reader r;
	uint32_t numbers[3];
	size_t size;

	if (len < DBUS_HEADER_MIN || dbus_msg_size(data, &size) < 0 || size != len ||
	    read_start(data, &r, numbers) < 0)
		return -EBADMSG;
	msg.type = ((const unsigned char *)data)[1];
	msg.serial = numbers[1];
	r.len = DBUS_HEADER_MIN + numbers[2];
	while (r.pos < r.len)
		if (read_field(&r, &msg) < 0)
			return -EBADMSG;
	r.len = len;
	if (read_align(&r, 8) < 0 || !has_its_fields(&msg))
		return -EBADMSG;
	msg.body =
	    (struct dbus_reader){ .data = r.data + r.pos, .len = len - r.pos, .swap = r.swap };
	if (msg.body.len && !*msg.signature)
		return -EBADMSG;
	*ret = msg;
	return 0;
}
