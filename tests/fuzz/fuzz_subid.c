/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/subuid, /proc/PID/uid_map and names of sysctls. */
#include "sys/idmap.h"
#include "sys/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_map(const struct idmap *m)
{
	uint32_t outside, inside;

	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->ranges[i];
		uint32_t last = r->inside + (r->count - 1);
		if (idmap_to_outside(m, last, &outside) < 0 ||
		    idmap_to_inside(m, outside, &inside) < 0 || inside != last)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct subid_range ranges[4];
	struct idmap m = { 0 };
	struct err err = ERR_INIT;
	size_t n = subid_parse((const char *)data, size, "anna", 1000, ranges, ARRAY_SIZE(ranges));

	for (size_t i = 0; i < n; i++)
		if (ranges[i].count == 0 ||
		    (uint64_t)ranges[i].start + ranges[i].count > UINT32_MAX)
			abort();
	if (idmap_rootless(1000, ranges, n, &m) == 0)
		check_map(&m);
	idmap_done(&m);
	if (idmap_parse_proc((const char *)data, size, &m, &err) == 0)
		check_map(&m);
	idmap_done(&m);

	cleanup_free char *name = xstrndup((const char *)data, size);
	cleanup_free char *path = procfs_sysctl_path(name);
	if (path && strstr(path, "/../"))
		abort();
	return 0;
}
