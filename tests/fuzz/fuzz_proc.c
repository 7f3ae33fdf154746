/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/stat, whose second field is the process's own choice, and id maps. */
#include "sys/idmap.h"
#include "sys/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_stat(const char *text, size_t len)
{
	uint64_t start = 0;
	char state = 0;

	if (procfs_parse_stat(text, len, &state, &start) == 0 &&
	    (state == '\0' || state == ' ' || memchr(text, '\0', len)))
		abort();
	if (procfs_parse_stat(text, len, NULL, &start) == 0 && len >= 4096)
		abort();
}

/* A name that holds a whole line of its own must not be taken for one. */
static void check_name(const char *text, size_t len)
{
	char line[256];
	uint64_t start = 0;
	char state = 0;
	int n;

	if (len > 15 || memchr(text, '\0', len) || memchr(text, '\n', len))
		return;
	n = snprintf(line, sizeof(line),
		     "7 (%.*s) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0\n", (int)len,
		     text);
	if (procfs_parse_stat(line, (size_t)n, &state, &start) < 0 || state != 'S' || start != 4711)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct idmap m = { 0 }, again = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	check_stat(text, size);
	check_name(text, size);
	if (idmap_parse_proc(text, size, &m, &err) < 0)
		return 0;
	for (size_t i = 0; i < m.n; i++)
		buf_addf(&out, "%10u %10u %10u\n", m.ranges[i].inside, m.ranges[i].outside,
			 m.ranges[i].count);
	if (idmap_parse_proc(buf_str(&out), out.len, &again, &err) < 0 || !idmap_equal(&m, &again))
		abort();
	idmap_done(&m);
	idmap_done(&again);
	return 0;
}
