/* SPDX-License-Identifier: Apache-2.0 */
/* Why a container does not run, or is not well, in the words of a person who has looked at all that
 * is known of it. */
#pragma once

#include "engine/record.h"
#include "runtime/ending.h"

#define WHY_LINES 5 /* of the log */

struct why {
	char *id, *name, *status;
	char *summary;  /* one line */
	char **reasons; /* further lines */
	char **cures;   /* commands */
	char **log;     /* the last lines, without control characters */
	int64_t exit_code;
	bool oom_killed;
};
extern const struct json_desc why_desc;
void why_done(struct why *w);
#define cleanup_why CLEANUP(why_done)

int engine_why(struct engine *eng, const char *word, struct why *ret, struct err *err);

/* why_words.c, pure: what is known, and what it means. */
struct why_facts {
	const struct record *rec;
	const struct ending_note *note;
	const struct health_state *health; /* NULL: no check */
	bool lost;                         /* nobody has seen its end */
	bool rebooted;                     /* since then */
	int64_t now_ns;
};
/* Fills all but the log. */
void why_say(const struct why_facts *f, struct why *ret);
