/* SPDX-License-Identifier: Apache-2.0 */
/* What journalctl says: any bytes; what is an entry lies within them, and is sent again whole. */
#include "base/util.h"
#include "runtime/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char stamp[] = "2026-01-02T15:04:05.123456789Z";

static void send_again(const struct logline *line)
{
	static char out[JOURNAL_RECORD_MAX + 1];
	struct journal_entry again;
	size_t n;

	if (!line->text || line->len > LOGLINE_TEXT_MAX || memchr(line->text, '\n', line->len))
		return;
	n = journal_put(out, "A=b\n", stamp, line->stream, line->text, line->len, line->partial);
	out[n++] = '\n';
	if (journal_parse(out, n, &again) != (ssize_t)n || again.line.stream != line->stream ||
	    again.line.partial != line->partial || again.line.len != line->len ||
	    memcmp(again.line.text, line->text, line->len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *own = xmalloc(size + 1);
	size_t at = 0;
	ssize_t n;

	if (size)
		memcpy(own, data, size);
	do {
		struct journal_entry entry;
		const char *end = own + size;

		n = journal_parse(own + at, size - at, &entry);
		if (n > (ssize_t)(size - at))
			abort();
		if (n > 0 && entry.line.text &&
		    (entry.line.text < own + at || entry.line.text + entry.line.len > end))
			abort();
		if (n > 0)
			send_again(&entry.line);
		at += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return 0;
}
