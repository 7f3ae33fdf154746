/* SPDX-License-Identifier: Apache-2.0 */
/* What all parts of templates stand on: memory, and errors with their place. */
#include "base/template_internal.h"

#include <stdarg.h>

#define CHUNK_MIN 4096

struct tchunk {
	struct tchunk *next;
	size_t size;
	max_align_t data[];
};

void *tarena_alloc(struct tarena *a, size_t size)
{
	char *p;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (size > a->left || !a->chunks) {
		size_t bytes = size > CHUNK_MIN ? size : CHUNK_MIN;
		struct tchunk *chunk = xcalloc(1, sizeof(*chunk) + bytes);

		chunk->next = a->chunks;
		chunk->size = bytes;
		a->chunks = chunk;
		a->left = bytes;
		a->total += bytes;
	}
	p = (char *)a->chunks->data + (a->chunks->size - a->left);
	a->left -= size;
	return p;
}

char *tarena_copy(struct tarena *a, const char *s, size_t len)
{
	char *copy = tarena_alloc(a, len + 1);

	if (len)
		memcpy(copy, s, len);
	return copy;
}

void tarena_done(struct tarena *a)
{
	while (a->chunks) {
		struct tchunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	*a = (struct tarena){ .left = 0 };
}

int template_fail_at(const char *text, size_t at, struct err *err, const char *fmt, ...)
{
	char *message = NULL;
	size_t line = 1, column = 1;
	va_list ap;
	int r;

	for (size_t i = 0; i < at && text[i]; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	va_start(ap, fmt);
	r = vasprintf(&message, fmt, ap);
	va_end(ap);
	r = err_fail(err, ERR_USAGE, "template: %zu:%zu: %s", line, column,
		     r < 0 ? "error" : message);
	free(message);
	return r;
}
