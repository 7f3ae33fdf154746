/* SPDX-License-Identifier: Apache-2.0 */
/* What a probed server may answer, and the targets that users write. The first byte says which. */
#include "base/util.h"
#include "runtime/health.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Given piecewise, an answer is read as it is in one piece. */
static void check_status(const char *text, size_t len)
{
	int whole = 0, part = 0, r = health_http_status(text, len, &whole), p = -EAGAIN;

	for (size_t i = 0; p == -EAGAIN && i <= len; i++) {
		/* exactly so many bytes, so that a byte more is seen */
		char *copy = xmalloc(i + 1);

		memcpy(copy, text, i);
		p = i ? health_http_status(copy, i, &part) : -EAGAIN;
		free(copy);
	}
	if (r == 0 && (whole < 100 || whole > 999))
		abort();
	if (len < HEALTH_HTTP_LINE_MAX && len && (p != r || part != whole))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct health_target t;
	char *path = NULL, *text;
	int64_t age_ns;

	if (size == 0 || size > 2 * HEALTH_HTTP_LINE_MAX)
		return 0;
	if (data[0] == 'S') {
		check_status((const char *)data + 1, size - 1);
		return 0;
	}
	text = xstrndup((const char *)data + 1, size - 1);
	if (health_parse_tcp(text, &t) == 0 && t.port == 0)
		abort();
	if (health_parse_http(text, &t) == 0 &&
	    (t.port == 0 || t.path[0] != '/' || strpbrk(t.path, " \r\n\t")))
		abort();
	if (health_parse_file(text, &path, &age_ns) == 0 && (path[0] != '/' || age_ns < 0))
		abort();
	free(path);
	free(text);
	return 0;
}
