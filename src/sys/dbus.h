/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The D-Bus wire format (D-Bus Specification, "Type System", "Message Protocol"): values and method
 * calls to bytes, replies and signals from bytes. Pure, with explicit limits; sys/dbus_conn.h does
 * the talking. The static programs can't load libdbus or libsystemd, and need a few calls only.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* --- values --- */

#define DBUS_DEPTH_MAX 16

/* A tree; text, items and element are on the heap, dbus_value_done() frees. */
struct dbus_value {
	char type; /* y b n q i u x t d s o g; 'a' array, '(' struct, 'v' variant (one item) */
	uint64_t number; /* all integers; negative ones sign-extended */
	double real;
	char *text; /* s o g */
	struct dbus_value *items;
	size_t n;
	char *element; /* 'a': signature of the items */
};
void dbus_value_done(struct dbus_value *v);
struct dbus_value dbus_number(char type, uint64_t number);
struct dbus_value dbus_text(char type, const char *text); /* copies */
struct dbus_value dbus_array(const char *element);        /* empty */
struct dbus_value dbus_struct(void);                      /* empty */
/* Appends to an array or struct, takes item over. */
void dbus_value_add(struct dbus_value *v, struct dbus_value item);
/* Appends its signature to out. */
void dbus_value_signature(const struct dbus_value *v, struct buf *out);

/* --- writing --- */

/* Appends to a body, whose start counts as aligned to 8, or to a whole message. */
void dbus_put_u32(struct buf *b, uint32_t n);
void dbus_put_bool(struct buf *b, bool v);
void dbus_put_string(struct buf *b, const char *s); /* or an object path */
void dbus_put_signature(struct buf *b, const char *s);
void dbus_put_align(struct buf *b, size_t to);
void dbus_put_value(struct buf *b, const struct dbus_value *v);
void dbus_put_variant(struct buf *b, const struct dbus_value *v);
/* An array: its length is filled in by the second call, which takes what the first has returned. */
size_t dbus_open_array(struct buf *b, size_t element_align);
void dbus_close_array(struct buf *b, size_t mark);

struct dbus_call {
	const char *destination; /* NULL on a connection without a bus */
	const char *path, *interface, *member;
	const char *signature; /* of body; NULL: no arguments */
};
/* The message in this machine's byte order, behind what out has. */
void dbus_put_call(struct buf *out, const struct dbus_call *call, uint32_t serial,
		   const struct buf *body);

/* --- reading --- */

/* Of what comes from systemd, an error's text is the longest. The specification allows 128 MiB. */
#define DBUS_MESSAGE_MAX (256u << 10)
#define DBUS_HEADER_MIN  16

enum dbus_type { DBUS_CALL = 1, DBUS_REPLY = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

struct dbus_reader {
	const unsigned char *data;
	size_t len, pos;
	bool swap; /* the sender's byte order is not ours */
};

/* Points into the bytes that were parsed. Texts are terminated, UTF-8, and NULL when absent. */
struct dbus_msg {
	unsigned int type; /* enum dbus_type; others are to be ignored */
	uint32_t serial, reply_serial;
	const char *path, *interface, *member, *error_name, *destination, *sender;
	const char *signature; /* "" without a body */
	struct dbus_reader body;
};
/* How long the message is that starts with these DBUS_HEADER_MIN bytes. 0, -EBADMSG, or -EFBIG. */
int dbus_msg_size(const void *data, size_t *ret);
/* One whole message of exactly len bytes. 0 or -EBADMSG. */
int dbus_msg_parse(const void *data, size_t len, struct dbus_msg *ret);

/* 0, or -EBADMSG; the reader does not move then. */
int dbus_read_u32(struct dbus_reader *r, uint32_t *ret);
int dbus_read_string(struct dbus_reader *r, const char **ret); /* or an object path */
int dbus_read_signature(struct dbus_reader *r, const char **ret);
/* Passes over one value of the type at the start of signature; *rest is what follows in it. */
int dbus_read_skip(struct dbus_reader *r, const char *signature, const char **rest);
