/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strv.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/str.h"

size_t strv_len(char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

void strv_take(char ***v, char *s)
{
	size_t n = strv_len(*v);

	*v = xrealloc(*v, (n + 2) * sizeof(char *));
	(*v)[n] = s;
	(*v)[n + 1] = NULL;
}

void strv_add(char ***v, const char *s)
{
	strv_take(v, xstrdup(s));
}

void strv_addf(char ***v, const char *fmt, ...)
{
	char *s;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	strv_take(v, s);
}

void strv_extend(char ***v, char *const *more)
{
	size_t n = strv_len(*v), m = strv_len(more);

	if (m == 0)
		return;
	*v = xrealloc(*v, (n + m + 1) * sizeof(char *));
	for (size_t i = 0; i < m; i++)
		(*v)[n + i] = xstrdup(more[i]);
	(*v)[n + m] = NULL;
}

char **strv_copy(char *const *v)
{
	char **copy = NULL;

	if (!v)
		return NULL;
	copy = xcalloc(1, sizeof(char *));
	strv_extend(&copy, v);
	return copy;
}

bool strv_has(char *const *v, const char *s)
{
	for (; v && *v; v++) {
		if (str_eq(*v, s))
			return true;
	}
	return false;
}

char **strv_split(const char *s, char sep)
{
	char **v = NULL;
	size_t n = 2;

	for (const char *p = s; *p; p++)
		n += *p == sep;
	v = xcalloc(n, sizeof(char *));
	for (n = 0;; n++) {
		const char *end = strchrnul(s, sep);

		v[n] = xstrndup(s, (size_t)(end - s));
		if (!*end)
			return v;
		s = end + 1;
	}
}

char *strv_join(char *const *v, const char *sep)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; v && v[i]; i++) {
		if (i)
			buf_adds(&b, sep);
		buf_adds(&b, v[i]);
	}
	return buf_take(&b);
}

void strv_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

/* The index of the assignment to the name of n bytes, or the length of the list. */
static size_t env_find(char *const *v, const char *name, size_t n)
{
	size_t i;

	for (i = 0; v && v[i]; i++) {
		if (strncmp(v[i], name, n) == 0 && v[i][n] == '=')
			break;
	}
	return i;
}

const char *strv_env_get(char *const *v, const char *name)
{
	size_t n = strlen(name), i = env_find(v, name, n);

	return v && v[i] ? v[i] + n + 1 : NULL;
}

void strv_env_set(char ***v, const char *assignment)
{
	size_t n = (size_t)(strchrnul(assignment, '=') - assignment);
	size_t i = env_find(*v, assignment, n);

	if (!*v || !(*v)[i]) {
		strv_add(v, assignment);
		return;
	}
	free((*v)[i]);
	(*v)[i] = xstrdup(assignment);
}

void strv_env_unset(char **v, const char *name)
{
	size_t i = env_find(v, name, strlen(name));

	if (!v || !v[i])
		return;
	free(v[i]);
	for (; v[i]; i++)
		v[i] = v[i + 1];
}
