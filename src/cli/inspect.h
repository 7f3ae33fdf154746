/* SPDX-License-Identifier: Apache-2.0 */
/* What inspect --type shows that has commands of its own, as those show it. */
#pragma once

#include "cli/format.h"
#include "engine/engine.h"

/* data: with what is kept secret. */
int cli_inspect_secret(struct engine *eng, const char *word, bool data, struct cli_objects *objects,
		       struct err *err);
int cli_inspect_network(struct engine *eng, const char *word, struct cli_objects *objects,
			struct err *err);
int cli_inspect_artifact(struct engine *eng, const char *word, struct cli_objects *objects,
			 struct err *err);
