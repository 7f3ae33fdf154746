/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo lines and /proc/PID/stat: text of the kernel's, but with parts that anybody chooses. */
#include "sys/mount.h"
#include "sys/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(const struct mountinfo *mi, void *data)
{
	/* What a user of it relies on. */
	if (!*mi->root || mi->mount_point[0] != '/' || !*mi->fstype || mi->id < 0)
		abort();
	return strlen(mi->super_options) + strlen(mi->source) + strlen(mi->optional) > 1U << 20;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	uint64_t start;
	char state;

	mountinfo_parse((const char *)data, size, check, NULL, &err);
	procfs_parse_stat((const char *)data, size, &state, &start);
	return 0;
}
