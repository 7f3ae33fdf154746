/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro run` and `create` (design section 4): image, record, bundle, monitor, stdio, and the end.
 * Each part leaves nothing behind when a later one fails.
 */
#pragma once

#include "engine/engine.h"
#include "engine/runopts.h"

/* args: IMAGE [COMMAND [ARG...]]. Returns the container's exit status, or -errno: 125, 126 and 127
 * follow from err's kind (err_exit_status). With opts->detach it returns 0 when the container runs,
 * its id in *ret_id, which the caller frees; of a service's part also where it was made and then
 * could not be started. */
int engine_run(struct engine *eng, const struct run_options *opts, char *const *args, char **ret_id,
	       struct err *err);
/* A container that engine_start() starts. */
int engine_create(struct engine *eng, const struct run_options *opts, char *const *args,
		  char **ret_id, struct err *err);
/* The image that these would take for the word: what is not here is pulled. *ret_id: heap; "host"
 * for that. */
int engine_run_image(struct engine *eng, const struct run_options *opts, const char *word,
		     char **ret_id, struct err *err);
