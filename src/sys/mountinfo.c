/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc(5), /proc/PID/mountinfo:
 *   36 35 98:0 /mnt1 /mnt/parent rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue
 * Paths come from whoever may mount, in other namespaces too: the text is not trusted.
 */
#include "sys/mount.h"

#include "base/str.h"

/* A page of super options and two paths of PATH_MAX with every byte escaped stay below. */
#define LINE_MAX_BYTES 65536

/* The next field, ended by a single space; NULL when the line has no more. */
static char *field_next(char **rest)
{
	char *field = *rest;

	if (!field)
		return NULL;
	char *space = strchr(field, ' ');
	if (space)
		*space++ = '\0';
	*rest = space;
	return field;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Decodes "\040" in place. The kernel escapes backslashes as well, so any other use is an error. */
static int unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s != '\\') {
			*out++ = *s;
			continue;
		}
		if (!(s[1] >= '0' && s[1] <= '3') || !is_octal(s[2]) || !is_octal(s[3]))
			return -EINVAL;
		int c = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
		if (c == 0)
			return -EINVAL;
		*out++ = (char)c;
		s += 3;
	}
	*out = '\0';
	return 0;
}

static int parse_device(char *s, unsigned int *ret_major, unsigned int *ret_minor)
{
	char *colon = s ? strchr(s, ':') : NULL;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (str_parse_u32(s, ret_major) < 0 || str_parse_u32(colon + 1, ret_minor) < 0)
		return -EINVAL;
	return 0;
}

/* Optional fields ("shared:2 master:1") up to the lone "-": kept as one string. */
static char *optional_fields(char **rest)
{
	char *start = *rest, *end;

	if (!start)
		return NULL;
	if (str_eq(start, "-") || str_starts(start, "- ")) {
		end = start;
		*rest = start[1] ? start + 2 : NULL;
		*end = '\0';
		return end;
	}
	end = strstr(start, " - ");
	if (!end)
		return NULL;
	*end = '\0';
	*rest = end + 3;
	return start;
}

static int parse_line(char *line, struct mountinfo *mi)
{
	char *rest = line, *id = field_next(&rest), *parent = field_next(&rest);

	if (!id || !parent || str_parse_int(id, &mi->id) < 0 ||
	    str_parse_int(parent, &mi->parent_id) < 0 || mi->id < 0 || mi->parent_id < 0)
		return -EINVAL;
	if (parse_device(field_next(&rest), &mi->major, &mi->minor) < 0)
		return -EINVAL;
	mi->root = field_next(&rest);
	mi->mount_point = field_next(&rest);
	mi->options = field_next(&rest);
	mi->optional = optional_fields(&rest);
	mi->fstype = field_next(&rest);
	mi->source = field_next(&rest); /* may be empty */
	/* Last, and filesystems print it themselves: a stray space in it is no reason to fail. */
	mi->super_options = rest;
	if (!mi->root || !mi->mount_point || !mi->options || !mi->optional || !mi->fstype ||
	    !mi->source || !mi->super_options)
		return -EINVAL;
	/* Roots are "/..." or, for namespaces and such, "net:[4026531840]"; never empty. */
	if (!*mi->root || mi->mount_point[0] != '/' || !*mi->options || !*mi->fstype)
		return -EINVAL;
	if (unescape(mi->root) < 0 || unescape(mi->mount_point) < 0 || unescape(mi->source) < 0 ||
	    unescape(mi->fstype) < 0)
		return -EINVAL;
	return 0;
}

int mountinfo_parse(const char *text, size_t len, int (*fn)(const struct mountinfo *mi, void *data),
		    void *data, struct err *err)
{
	const char *end = len ? text + len : text;
	unsigned int number = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);
		struct mountinfo mi = { 0 };

		number++;
		if (n > LINE_MAX_BYTES)
			return err_fail(err, ERR_LIMIT, "mountinfo line %u is too long", number);
		cleanup_free char *line = xstrndup(text, n);
		if (strlen(line) != n || parse_line(line, &mi) < 0)
			return err_fail(err, ERR_INVALID, "mountinfo line %u is malformed", number);
		int r = fn(&mi, data);
		if (r != 0)
			return r;
		text += n + (newline ? 1 : 0);
	}
	return 0;
}
