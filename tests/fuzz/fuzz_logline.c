/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a log: what was parsed is written and parsed again the same, and any bytes at all that
 * a container may print come back out of what is written. */
#include "base/util.h"
#include "runtime/logline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char stamp[] = "2026-01-02T15:04:05.123456789Z";
static char out[LOGLINE_RECORD_MAX], scratch[LOGLINE_RECORD_MAX];

static void parse_back(size_t n, const struct logline *line, const char *text, size_t len)
{
	struct logline again;

	if (n > sizeof(out) || out[n - 1] != '\n' || memchr(out, '\n', n - 1) ||
	    logline_parse(out, n - 1, scratch, &again) < 0 || again.stream != line->stream ||
	    again.partial != line->partial || again.len != len ||
	    memcmp(again.text, text, len) != 0 || again.time_len != LOGLINE_STAMP_LEN ||
	    memcmp(again.time, stamp, LOGLINE_STAMP_LEN) != 0)
		abort();
}

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] & 0x80)
			return false;
	return true;
}

static void write_json(const struct logline *line, const char *text, size_t len)
{
	size_t done = 0;

	do {
		struct logline expected = *line, again;
		size_t used, n;

		n = logline_put_json(out, stamp, line->stream, text + done, len - done,
				     line->partial, NULL, &used);
		if ((used == 0 && len > done) || used > len - done)
			abort();
		expected.partial = line->partial || used < len - done;
		if (is_ascii(text + done, used))
			parse_back(n, &expected, text + done, used);
		else if (logline_parse(out, n - 1, scratch, &again) < 0)
			abort();
		done += used;
	} while (done < len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct logline line = { .stream = LOGLINE_STDERR, .partial = size & 1 };
	cleanup_free char *own = xmalloc(size + 1), *text = xmalloc(size + 1);
	size_t len = 0;
	int64_t ns;

	/* as what a container prints: anything but newlines */
	for (size_t i = 0; i < size && len < LOGLINE_TEXT_MAX; i++)
		if (data[i] != '\n')
			text[len++] = (char)data[i];
	parse_back(logline_put_cri(out, stamp, line.stream, text, len, line.partial), &line, text,
		   len);
	if (len || !line.partial)
		write_json(&line, text, len);
	/* as a record */
	if (logline_parse((const char *)data, size, own, &line) < 0)
		return 0;
	(void)!logline_time(&line, &ns);
	if (line.len > size || line.time_len > size || line.attrs_len > size)
		abort();
	return 0;
}
