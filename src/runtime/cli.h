/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the program inro-runtime: what main.c and the verbs (cmd_*.c) share. */
#pragma once

#include "base/opt.h"
#include "runtime/container.h"

struct globals {
	char *root, *log, *log_format, *rootless;
	bool debug, systemd_cgroup;
	/* resolved by setup */
	struct runtime rt;
	int log_fd;
};

extern const struct cmd cmd_checkpoint, cmd_create, cmd_delete, cmd_events, cmd_exec, cmd_features,
    cmd_kill, cmd_list, cmd_pause, cmd_ps, cmd_restore, cmd_resume, cmd_run, cmd_spec, cmd_start,
    cmd_state, cmd_update;

static inline const struct runtime *globals_runtime(const void *globals)
{
	return &((const struct globals *)globals)->rt;
}

/* Options that create and run have in common. */
struct create_opts {
	char *bundle, *pid_file, *console_socket;
	int preserve_fds;
	bool no_pivot, no_new_keyring;
	/* run only */
	bool detach, no_subreaper, keep;
};
extern const struct opt create_opt_table[];
enum { CREATE_OPTS = 6, RUN_OPTS = 9 }; /* the latter are the whole table */

/* Logs a failed command's error. The exit status, 1. */
int cli_report(const void *globals, const struct err *err);
/* Writes to standard output. what: "the list", for the error. */
int cli_print(const struct buf *text, const char *what, struct err *err);
/* --format of list and ps: table or json. */
extern const char *const cli_list_formats[];
/* Reads <bundle>/config.json. ret: spec_free(); ret_text: buf_done(). */
int load_config(const char *bundle, struct spec *ret, struct buf *ret_text, struct err *err);
/* How many fds from 3 on a container gets by --preserve-fds and by LISTEN_FDS, whose variables are
 * added to *env. */
int passed_fds(int preserve, char ***env, struct err *err);
/* Fills args from the options, LISTEN_FDS included. */
int fill_create_args(const struct create_opts *o, const char *id, struct spec *spec,
		     const struct buf *text, struct create_args *args, struct err *err);
/* Where systemd waits to hear that this service is ready: NOTIFY_SOCKET, or NULL. */
const char *cli_notify_host(void);
/* With that, the container's program gets a NOTIFY_SOCKET too, unless the configuration has one. */
void add_notify_socket(struct spec *spec, struct create_args *args);
/* foreground.c: starts the container, stays with it, removes it. Returns the exit status. */
int run_foreground(const struct runtime *rt, struct create_args *args, bool subreaper, bool keep,
		   struct err *err);
