/* SPDX-License-Identifier: Apache-2.0 */
/* What listings say of a container, in docker's words. All are heap texts. */
#pragma once

#include "engine/record.h"

/* In quotes, 20 characters at most, or whole. */
char *cli_container_command(const struct record *rec, bool whole);
/* "Up 3 minutes (healthy)", "Exited (0) 5 seconds ago". Wants a record of containers_query(). */
char *cli_container_status(const struct record *rec);
/* How many volumes it has mounted. */
char *cli_container_volumes(const struct record *rec);
