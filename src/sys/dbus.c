/* SPDX-License-Identifier: Apache-2.0 */
/* Values and calls to bytes. */
#include "sys/dbus_internal.h"

size_t dbus_fixed_size(char type)
{
	switch (type) {
	case 'y':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'b':
	case 'i':
	case 'u':
	case 'h':
		return 4;
	case 'x':
	case 't':
	case 'd':
		return 8;
	default:
		return 0;
	}
}

size_t dbus_alignment(char type)
{
	if (type == '(' || type == '{')
		return 8;
	if (type == 'g' || type == 'v')
		return 1;
	return dbus_fixed_size(type) ? dbus_fixed_size(type) : 4;
}

/* --- values --- */

void dbus_value_done(struct dbus_value *v)
{
	for (size_t i = 0; i < v->n; i++)
		dbus_value_done(&v->items[i]);
	free(v->items);
	free(v->text);
	free(v->element);
	*v = (struct dbus_value){ .type = 0 };
}

struct dbus_value dbus_number(char type, uint64_t number)
{
	return (struct dbus_value){ .type = type, .number = number };
}

struct dbus_value dbus_text(char type, const char *text)
{
	return (struct dbus_value){ .type = type, .text = xstrdup(text) };
}

struct dbus_value dbus_array(const char *element)
{
	return (struct dbus_value){ .type = 'a', .element = xstrdup(element) };
}

struct dbus_value dbus_struct(void)
{
	return (struct dbus_value){ .type = '(' };
}

void dbus_value_add(struct dbus_value *v, struct dbus_value item)
{
	v->items = xrealloc(v->items, (v->n + 1) * sizeof(item));
	v->items[v->n++] = item;
}

void dbus_value_signature(const struct dbus_value *v, struct buf *out)
{
	buf_addc(out, v->type);
	if (v->type == 'a')
		buf_adds(out, v->element);
	if (v->type != '(')
		return;
	for (size_t i = 0; i < v->n; i++)
		dbus_value_signature(&v->items[i], out);
	buf_addc(out, ')');
}

/* --- writing --- */

void dbus_put_align(struct buf *b, size_t to)
{
	while (b->len % to)
		buf_addc(b, '\0');
}

void dbus_put_u32(struct buf *b, uint32_t n)
{
	dbus_put_align(b, 4);
	buf_add(b, &n, sizeof(n));
}

void dbus_put_bool(struct buf *b, bool v)
{
	dbus_put_u32(b, v);
}

void dbus_put_string(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	dbus_put_u32(b, (uint32_t)len);
	buf_add(b, s, len + 1);
}

void dbus_put_signature(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	buf_addc(b, (char)len);
	buf_add(b, s, len + 1);
}

size_t dbus_open_array(struct buf *b, size_t element_align)
{
	dbus_put_u32(b, 0);
	size_t mark = b->len;
	/* The padding before the first element does not count, and is there without elements, too.
	 */
	dbus_put_align(b, element_align);
	uint32_t padding = (uint32_t)(b->len - mark);
	memcpy(b->data + mark - sizeof(padding), &padding, sizeof(padding));
	return mark;
}

void dbus_close_array(struct buf *b, size_t mark)
{
	uint32_t padding, len;

	memcpy(&padding, b->data + mark - sizeof(padding), sizeof(padding));
	len = (uint32_t)(b->len - mark) - padding;
	memcpy(b->data + mark - sizeof(len), &len, sizeof(len));
}

static void put_fixed(struct buf *b, const struct dbus_value *v)
{
	size_t size = dbus_fixed_size(v->type);
	uint64_t wide = v->number;
	uint32_t word = (uint32_t)wide;
	uint16_t half = (uint16_t)wide;
	unsigned char byte = (unsigned char)wide;

	if (v->type == 'd')
		memcpy(&wide, &v->real, sizeof(wide));
	if (v->type == 'b')
		word = wide != 0;
	dbus_put_align(b, size);
	buf_add(b,
		size == 8   ? (const void *)&wide
		: size == 4 ? (const void *)&word
		: size == 2 ? (const void *)&half
			    : &byte,
		size);
}

void dbus_put_value(struct buf *b, const struct dbus_value *v)
{
	size_t mark;

	switch (v->type) {
	case 's':
	case 'o':
		dbus_put_string(b, v->text);
		return;
	case 'g':
		dbus_put_signature(b, v->text);
		return;
	case 'v':
		dbus_put_variant(b, &v->items[0]);
		return;
	case 'a':
		mark = dbus_open_array(b, dbus_alignment(v->element[0]));
		for (size_t i = 0; i < v->n; i++)
			dbus_put_value(b, &v->items[i]);
		dbus_close_array(b, mark);
		return;
	case '(':
		dbus_put_align(b, 8);
		for (size_t i = 0; i < v->n; i++)
			dbus_put_value(b, &v->items[i]);
		return;
	default:
		put_fixed(b, v);
	}
}

void dbus_put_variant(struct buf *b, const struct dbus_value *v)
{
	cleanup_buf struct buf signature = BUF_INIT;

	dbus_value_signature(v, &signature);
	dbus_put_signature(b, buf_str(&signature));
	dbus_put_value(b, v);
}

static void put_field(struct buf *b, char code, const char *type, const char *text)
{
	if (!text)
		return;
	dbus_put_align(b, 8);
	buf_addc(b, code);
	dbus_put_signature(b, type);
	if (type[0] == 'g')
		dbus_put_signature(b, text);
	else
		dbus_put_string(b, text);
}

void dbus_put_call(struct buf *out, const struct dbus_call *call, uint32_t serial,
		   const struct buf *body)
{
	cleanup_buf struct buf b = BUF_INIT; /* alignment counts from the message's start */
	size_t fields;

	buf_addc(&b, DBUS_OWN_ORDER);
	buf_addc(&b, DBUS_CALL);
	buf_addc(&b, 0);
	buf_addc(&b, DBUS_VERSION);
	dbus_put_u32(&b, body ? (uint32_t)body->len : 0);
	dbus_put_u32(&b, serial);
	fields = dbus_open_array(&b, 8);
	put_field(&b, FIELD_PATH, "o", call->path);
	put_field(&b, FIELD_INTERFACE, "s", call->interface);
	put_field(&b, FIELD_MEMBER, "s", call->member);
	put_field(&b, FIELD_DESTINATION, "s", call->destination);
	put_field(&b, FIELD_SIGNATURE, "g", call->signature);
	dbus_close_array(&b, fields);
	dbus_put_align(&b, 8);
	buf_add(out, b.data, b.len);
	if (body && body->len)
		buf_add(out, body->data, body->len);
}
