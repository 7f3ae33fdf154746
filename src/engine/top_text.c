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

/* "NAME:x:ID:": its id, or -EINVAL. The line may be anything, and long. */
static int line_id(const char *line, size_t len, uint32_t *ret)
{
	const char *end = line + len, *at = line;
	char text[sizeof("4294967295")];
	size_t n;

	for (int i = 0; i < 2; i++) {
		at = memchr(at, ':', (size_t)(end - at));
		if (!at)
			return -EINVAL;
		at++;
	}
	n = (size_t)(end - at);
	if (memchr(at, ':', n))
		n = (size_t)((const char *)memchr(at, ':', n) - at);
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, at, n);
	text[n] = '\0';
	return user_parse_id(text, ret);
}

char *top_id_name(const char *text, uint32_t id)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		size_t len, name;
		uint32_t n;

		line += *line == '\n';
		len = strcspn(line, "\n");
		if (line_id(line, len, &n) < 0 || n != id)
			continue;
		name = strcspn(line, ":");
		if (name && name <= USER_NAME_MAX)
			return xstrndup(line, name);
	}
	return NULL;
}
