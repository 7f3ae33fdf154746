/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/ending.h"

#include "base/io.h"

static const struct json_field fields[] = {
	JSON_FIELD(struct ending_note, error, "error", JSON_STR),
	JSON_FIELD(struct ending_note, memory.oom_kills, "oomKills", JSON_U64),
	JSON_FIELD(struct ending_note, memory.limit, "memoryLimit", JSON_U64),
	JSON_FIELD(struct ending_note, memory.peak, "memoryPeak", JSON_U64),
	JSON_FIELD(struct ending_note, next_start_ns, "nextStart", JSON_I64),
	JSON_FIELD(struct ending_note, lost_lines, "lostLines", JSON_U64),
	JSON_FIELD(struct ending_note, lost_bytes, "lostBytes", JSON_U64),
};
static const struct json_desc desc = JSON_DESC(struct ending_note, fields);

int ending_write(int dirfd, const char *name, const struct ending_note *note)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write(&desc, note, JSON_NEWLINE, &text);
	return io_replace_file(dirfd, name, buf_str(&text), text.len, 0600, false, NULL);
}

int ending_read(int dirfd, const char *name, struct ending_note *ret)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	*ret = (struct ending_note){ 0 };
	r = io_read_file(dirfd, name, &text, ENDING_MAX, NULL);
	return r < 0 ? r : json_parse(&desc, ret, buf_str(&text), text.len, name, NULL);
}

void ending_done(struct ending_note *note)
{
	json_free(&desc, note);
}
