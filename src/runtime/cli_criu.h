/* SPDX-License-Identifier: Apache-2.0 */
/* Options that `checkpoint` and `restore` have in common. */
#pragma once

#include "base/opt.h"
#include "runtime/checkpoint.h"

struct criu_cli {
	char *image_path, *work_path, *manage_cgroups_mode;
	char **empty_ns;
	bool tcp_established, ext_unix_sk, shell_job, file_locks, lazy_pages, auto_dedup;
};
extern const char *const criu_cgroup_mode_words[];
extern const char *const criu_empty_ns_words[];

/* Fills *args; the strings stay those of cli. */
void criu_cli_args(const struct criu_cli *cli, struct criu_args *args);

#define CRIU_CLI_FLAG(T, m, n, member, text)                                                       \
	{                                                                                          \
		.name = (n), .kind = OPT_FLAG, OPT_FIELD(T, m.member), .help = (text)              \
	}
#define CRIU_CLI_OPTS(T, m)                                                                        \
	{ .name = "image-path",                                                                    \
	  .kind = OPT_STR,                                                                         \
	  OPT_FIELD(T, m.image_path),                                                              \
	  .arg = "DIR",                                                                            \
	  .help = "Directory of criu's images (default: checkpoint, in the current one)" },        \
	    { .name = "work-path",                                                                 \
	      .kind = OPT_STR,                                                                     \
	      OPT_FIELD(T, m.work_path),                                                           \
	      .arg = "DIR",                                                                        \
	      .help = "Directory of criu's logs and statistics (default: that of the images)" },   \
	    { .name = "manage-cgroups-mode",                                                       \
	      .kind = OPT_STR,                                                                     \
	      OPT_FIELD(T, m.manage_cgroups_mode),                                                 \
	      .arg = "MODE",                                                                       \
	      .help = "How criu treats cgroups that the container has made (default: soft)",       \
	      .choices = criu_cgroup_mode_words },                                                 \
	    { .name = "empty-ns",                                                                  \
	      .kind = OPT_STRV,                                                                    \
	      OPT_FIELD(T, m.empty_ns),                                                            \
	      .arg = "NAMESPACE",                                                                  \
	      .help = "Restore this namespace without its contents; always so for network",        \
	      .choices = criu_empty_ns_words },                                                    \
	    CRIU_CLI_FLAG(T, m, "tcp-established", tcp_established,                                \
			  "Save and restore established TCP connections"),                         \
	    CRIU_CLI_FLAG(T, m, "ext-unix-sk", ext_unix_sk,                                        \
			  "Allow Unix sockets that are connected to the outside"),                 \
	    CRIU_CLI_FLAG(T, m, "shell-job", shell_job,                                            \
			  "Allow a session and a terminal from outside of the container"),         \
	    CRIU_CLI_FLAG(T, m, "file-locks", file_locks, "Save and restore file locks"),          \
	    CRIU_CLI_FLAG(T, m, "lazy-pages", lazy_pages,                                          \
			  "Transfer memory when it is needed, with criu's lazy-pages daemon"),     \
	    CRIU_CLI_FLAG(T, m, "auto-dedup", auto_dedup,                                          \
			  "Free memory in images as soon as it is stored elsewhere")
