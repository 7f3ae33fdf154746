/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

int env_word_parse(const char *word, char *const *env, char ***out, struct err *err)
{
	const char *eq = strchr(word, '='), *value;

	if (!word[0] || eq == word)
		return err_fail(err, ERR_USAGE, "invalid environment variable: %s", word);
	if (eq) {
		strv_env_set(out, word);
		return 0;
	}
	/* podman's: all that begin so */
	if (str_ends(word, "*")) {
		for (; env && *env; env++)
			if (strncmp(*env, word, strlen(word) - 1) == 0)
				strv_env_set(out, *env);
		return 0;
	}
	value = strv_env_get(env, word);
	if (value) {
		cleanup_free char *assignment = xasprintf("%s=%s", word, value);

		strv_env_set(out, assignment);
	}
	return 0;
}

static int env_line(const char *line, const char *path, unsigned int number, char *const *env,
		    char ***out, struct err *err)
{
	size_t name_len;

	while (*line == ' ' || *line == '\t')
		line++;
	if (!*line || *line == '#')
		return 0;
	name_len = strcspn(line, "=");
	if (!name_len)
		return err_fail(err, ERR_INVALID, "%s:%u: no variable name before \"=\"", path,
				number);
	if (strcspn(line, " \t") < name_len)
		return err_fail(err, ERR_INVALID,
				"%s:%u: variable name \"%.*s\" contains white space", path, number,
				(int)name_len, line);
	return env_word_parse(line, env, out, err);
}

int env_file_parse(const char *text, size_t len, const char *path, char *const *env, char ***out,
		   struct err *err)
{
	const char *p = text, *end = text + len;
	unsigned int number = 0;
	int r;

	if (memchr(text, '\0', len))
		return err_fail(err, ERR_INVALID, "%s: not a text file", path);
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		cleanup_free char *line = xstrndup(p, n && p[n - 1] == '\r' ? n - 1 : n);

		r = env_line(line, path, ++number, env, out, err);
		if (r < 0)
			return r;
		p += n + 1;
	}
	return 0;
}

static bool is_name(char c, bool first)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (!first && c >= '0' && c <= '9');
}

/* The name behind a '$' at p, with braces or without: what is behind it, or NULL for no name. */
static const char *variable_name(const char *p, char **ret)
{
	bool braces = *p == '{';
	const char *from = p + braces;
	size_t n = 0;

	while (is_name(from[n], n == 0))
		n++;
	if (!n || (braces && from[n] != '}'))
		return NULL;
	*ret = xstrndup(from, n);
	return from + n + braces;
}

int env_merge_parse(const char *word, char *const *env, char **ret, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	const char *eq = strchr(word, '=');
	const char *p;

	if (!eq || eq == word)
		return err_fail(err, ERR_USAGE, "invalid --env-merge \"%s\": expected NAME=VALUE",
				word);
	buf_add(&out, word, (size_t)(eq + 1 - word));
	for (p = eq + 1; *p;) {
		cleanup_free char *name = NULL;
		const char *next = *p == '$' ? variable_name(p + 1, &name) : NULL;
		const char *value = next ? strv_env_get(env, name) : NULL;

		if (value)
			buf_adds(&out, value);
		if (!next)
			buf_addc(&out, *p);
		p = next ? next : p + 1;
	}
	*ret = buf_take(&out);
	return 0;
}

int label_parse(const char *text, const char *what, struct json_map *map, struct err *err)
{
	const char *eq = strchr(text, '=');
	cleanup_free char *key = eq ? xstrndup(text, (size_t)(eq - text)) : xstrdup(text);

	if (!key[0])
		return err_fail(err, ERR_USAGE, "invalid %s \"%s\": expected key=value", what,
				text);
	json_map_set(map, key, eq ? eq + 1 : "");
	return 0;
}

char *cap_word(const char *text)
{
	char *name, *p;

	name = strncasecmp(text, "CAP_", 4) == 0 ? xstrdup(text) : xasprintf("CAP_%s", text);
	for (p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return name;
}
