/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a container whose output went to systemd's journal, as journalctl(1) tells it. */
#pragma once

#include "engine/container_logs.h"

/* As container_logs(), for one that is known. What others have written in its name is left out.
 * ERR_NOT_FOUND: there is no journalctl. */
int journal_logs(struct engine *eng, const struct container_logs_source *source,
		 const struct container_logs_options *o, struct err *err);
