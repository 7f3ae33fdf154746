/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --format. Listings: "table" (the default), "table TEMPLATE", "json" (one object per line), or a
 * template that is used for each row; one that begins with {{range .}} is used once, for all, as
 * podman has it. Objects: "json", or a template. Templates: base/template.h.
 */
#pragma once

#include "base/json.h"
#include "base/opt.h"

#define CLI_FORMAT_HELP "table, \"table TEMPLATE\", json, or a Go template"

enum {
	CLI_ALIAS = 1 << 0,  /* another project's name of a field: not in the JSON */
	CLI_VALUE = 1 << 1,  /* the text is JSON, not a string: .Label "x" */
	CLI_COSTLY = 1 << 2, /* only when a template has its name, and not in the JSON */
};

struct cli_field {
	const char *name;               /* in templates and JSON */
	const char *header;             /* of its column */
	char *(*text)(const void *row); /* heap */
	unsigned int flags;
};
struct cli_table {
	const struct cli_field *fields;
	size_t n;
	const char *columns; /* names of fields, spaces between: of the format "table" */
};

struct cli_list;
int cli_list_new(const struct cli_table *table, const char *format, bool heading,
		 struct cli_list **ret, struct err *err);
int cli_list_row(struct cli_list *list, const void *row, struct err *err);
/* The same as text; then there is nothing more to print. */
int cli_list_write(struct cli_list *list, struct buf *out, struct err *err);
int cli_list_print(struct cli_list *list, struct err *err);
void cli_list_free(struct cli_list *list); /* NULL is fine */

static inline void cli_list_cleanup_(struct cli_list **list)
{
	cli_list_free(*list);
}
#define cleanup_cli_list CLEANUP(cli_list_cleanup_)

/* Objects with a table, written one after the other: all in one pretty JSON array, or each by the
 * template on its own line. */
struct cli_objects;
struct engine;
int cli_objects_new(const char *format, struct cli_objects **ret, struct err *err);
int cli_objects_add(struct cli_objects *objects, const struct json_desc *desc, const void *object,
		    struct err *err);
int cli_objects_print(struct cli_objects *objects, struct err *err);
/* What each word names, by add, and then all of it printed. Returns the exit status, failed when
 * one could not be added, which is reported; or -errno. */
int cli_objects_of(struct cli_objects *objects, struct engine *eng, char *const *words,
		   int (*add)(struct engine *eng, const char *word, const void *data,
			      struct cli_objects *objects, struct err *err),
		   const void *data, int failed, struct err *err);
void cli_objects_free(struct cli_objects *objects);

static inline void cli_objects_cleanup_(struct cli_objects **objects)
{
	cli_objects_free(*objects);
}
#define cleanup_cli_objects CLEANUP(cli_objects_cleanup_)

/* One object: JSON in one line, or what the template makes of it, and a newline. */
int cli_format_object(const char *format, const struct json_desc *desc, const void *object,
		      struct buf *out, struct err *err);

/* "5b0d1c2e3f4a" of "sha256:5b0d..."; whole: all of it. The caller frees. */
char *cli_short_id(const char *id, bool whole);
/* "3 seconds ago" */
char *cli_ago(int64_t realtime_ns);
/* As docker shows points in time: "2026-01-02 15:04:05 +0000 UTC". */
char *cli_time(int64_t realtime_ns);
/* docker's decimal units: "4.26MB". */
char *cli_size(uint64_t bytes);
/* With one digit more, as docker shows room on the disk: "4.263MB". */
char *cli_size_room(uint64_t bytes);
/* "a=b,c=d" and {"a":"b","c":"d"}. */
char *cli_labels(const struct json_map *labels);
char *cli_labels_json(const struct json_map *labels);
