/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro exec`: one more process in a container that runs. It is inro-runtime's work, which is
 * executed in the place of this process: nobody is between the user's terminal and the one who
 * passes it on, and inro's own libraries stay out of the container.
 */
#pragma once

#include "engine/engine.h"

struct exec_options {
	bool detach, interactive, tty, privileged;
	char *user, *workdir, *detach_keys;
	char **env, **env_file;
	int preserve_fds; /* 3 to 3+n-1 */
};

/* command: words, at least one. Returns only when it fails. */
int engine_exec(struct engine *eng, const char *word, const struct exec_options *opts,
		char *const *command, struct err *err);
