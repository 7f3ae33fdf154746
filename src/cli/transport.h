/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, as `image copy`, `pull` and `push` do them: shown, and what is written appears whole. */
#pragma once

#include "cli/progress.h"
#include "engine/copy.h"

/* The output and the progress are filled in; the rest of options is the caller's. */
int cli_copy(struct engine *eng, const struct transport_name *from, const struct transport_name *to,
	     struct copy_options *options, enum progress_mode mode, struct copy_result *ret,
	     struct err *err);
/* --digestfile, --iidfile: whole, but through a link or into a device. NULL: none. */
int cli_write_digest(const char *file, const char *digest, struct err *err);
