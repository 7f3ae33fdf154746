/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel and files of users say, taken apart. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/top_words.h"
#include "oci/user.h"

/* Fields of /proc/PID/stat behind the name, from 0: proc(5). */
enum { STATE = 0, TTY = 4, UTIME = 11, STIME = 12, NICE = 16, START = 19, VSIZE = 20, RSS = 21 };

int top_stat_parse(const char *text, struct top_stat *ret)
{
	const char *end = strrchr(text, ')');
	cleanup_strv char **words = end && end[1] == ' ' ? strv_split(end + 2, ' ') : NULL;
	uint64_t user, system;
	int64_t nice, tty;

	if (strv_len(words) <= RSS || strlen(words[STATE]) != 1 ||
	    str_parse_i64(words[TTY], &tty) < 0 || str_parse_u64(words[UTIME], &user) < 0 ||
	    str_parse_u64(words[STIME], &system) < 0 || str_parse_i64(words[NICE], &nice) < 0 ||
	    nice < -20 || nice > 19 || str_parse_u64(words[START], &ret->start_ticks) < 0 ||
	    str_parse_u64(words[VSIZE], &ret->vsize) < 0 ||
	    str_parse_u64(words[RSS], &ret->rss_pages) < 0)
		return -EINVAL;
	ret->state = words[STATE][0];
	ret->tty = (int)(uint32_t)tty;
	ret->nice = (long)nice;
	ret->cpu_ticks = user + system;
	return 0;
}

char *top_status_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		return xstrndup(line, strcspn(line, "\n"));
	}
	return NULL;
}

char *top_id_name(const char *text, uint32_t id)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		cleanup_free char *copy = NULL;
		cleanup_strv char **words = NULL;
		uint32_t n;

		line += *line == '\n';
		copy = xstrndup(line, strcspn(line, "\n"));
		words = strv_split(copy, ':');
		if (strv_len(words) >= 3 && user_parse_id(words[2], &n) == 0 && n == id &&
		    words[0][0] && strlen(words[0]) <= USER_NAME_MAX)
			return xstrdup(words[0]);
	}
	return NULL;
}
