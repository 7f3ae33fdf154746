/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container_words.h"

#include "base/str.h"
#include "base/timeutil.h"
#include "cli/format.h"
#include "engine/parse.h"

#define COMMAND_SHORT 20

char *cli_container_command(const struct record *rec, bool whole)
{
	cleanup_free char *shown = str_escape(rec->command);
	size_t end = COMMAND_SHORT - 1;

	if (whole || strlen(shown) <= COMMAND_SHORT)
		return xasprintf("\"%s\"", shown);
	while (end && (shown[end] & 0xc0) == 0x80)
		end--; /* not in the middle of a character */
	return xasprintf("\"%.*s…\"", (int)end, shown);
}

/* " (healthy)", or "" */
static const char *health_note(const struct record *rec)
{
	static const char *const notes[] = { " (health: starting)", " (healthy)", " (unhealthy)" };

	return rec->health < 0 ? "" : notes[rec->health];
}

char *cli_container_status(const struct record *rec)
{
	char text[TIME_HUMAN_MAX];
	cleanup_free char *ago = NULL;

	if (rec->status == RECORD_CREATED)
		return xstrdup("Created");
	if (rec->status == RECORD_RUNNING)
		return xasprintf("Up %s%s", time_human(time_now_ns() - rec->started_ns, text),
				 rec->paused ? " (Paused)" : health_note(rec));
	ago = cli_ago(rec->finished_ns);
	if (rec->status == RECORD_RESTARTING)
		return xasprintf("Restarting (%d) %s", rec->exit_code, ago);
	return xasprintf("Exited (%d) %s", rec->exit_code, ago);
}

char *cli_container_volumes(const struct record *rec)
{
	const struct record_options *o = &rec->options;
	unsigned int n = 0;

	for (size_t i = 0; i < o->mounts.n; i++)
		n += o->mounts.items[i].type == MOUNT_VOLUME;
	return xasprintf("%u", n);
}
