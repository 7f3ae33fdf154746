/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of inro share. One file per command; the tables are listed in main.c. */
#pragma once

#include "base/opt.h"
#include "engine/engine.h"

struct globals {
	char *root, *runroot, *config, *log_level;
	bool debug;
};

extern const struct cmd cmd_run, cmd_ps, cmd_rm, cmd_images, cmd_import, cmd_load, cmd_rmi,
    cmd_version, cmd_info, cmd_config, cmd_login, cmd_logout, cmd_pull, cmd_push, cmd_search,
    cmd_save, cmd_cleanup;
/* groups.c: a new verb of images or containers belongs there as well. */
extern const struct cmd cmd_image, cmd_container, cmd_system;

/* engine_init() with the global options. */
int cli_engine(const void *globals, struct engine *ret, struct err *err);

static inline void cli_engine_cleanup_(struct engine *eng)
{
	engine_done(eng);
}
#define cleanup_engine CLEANUP(cli_engine_cleanup_)

/* Writes to stdout; a reader that went away is an error. */
int cli_print(const struct buf *out, struct err *err);
/* "inro: <message>" and the hint on stderr, for commands that go on after an error. */
void cli_report(const struct err *err);

/* Does fn with each word; a failure is reported and the next word's turn comes. With force, what is
 * not there is as wished. Returns the exit status 0 or 1, or -errno when the engine can't be had.
 */
int cli_each(const void *globals, char **words, bool force,
	     int (*fn)(struct engine *eng, const char *word, bool force, struct err *err),
	     struct err *err);

/* Rows of a listing in the form that --format asks for: "table" (the default), or "json", one
 * object per line with docker's member names. */
struct cli_column {
	const char *header, *member;
};
struct cli_list;
int cli_list_new(const char *format, const struct cli_column *columns, size_t n,
		 struct cli_list **ret, struct err *err);
/* cells: n strings, copied. */
void cli_list_row(struct cli_list *list, const char *const *cells);
int cli_list_print(struct cli_list *list, struct err *err);
void cli_list_free(struct cli_list *list);

/* "3 seconds ago" */
char *cli_ago(int64_t realtime_ns);
/* docker's decimal units: "4.26MB". */
char *cli_size(uint64_t bytes);
