/* SPDX-License-Identifier: Apache-2.0 */
/* What a process of `inro cp` gets from the other one: any bytes; what is read of them lies within
 * the bounds that the header promises. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "image/cp_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct cp_entry *e)
{
	const char *begin = buf_str(&e->xattrs), *end = begin + e->xattrs.len, *name, *value;
	size_t pos = 0, len;

	if (strlen(e->name) > CP_NAME_MAX || strlen(e->link) > CP_NAME_MAX ||
	    e->xattrs.len > CP_XATTRS_MAX || e->head.mtime_ns >= 1000000000)
		abort();
	while (cp_next_xattr(&e->xattrs, &pos, &name, &value, &len) > 0)
		if (name < begin || value < name + strlen(name) + 1 || value + len > end)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_fd int fd = memfd_create("cp", MFD_CLOEXEC);
	struct cp_entry e = { .xattrs = BUF_INIT };
	struct cp_in in = { .fd = fd };

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	while (cp_get(&in, &e, NULL) == 0) {
		const char *bytes;
		ssize_t n = 1;

		check(&e);
		for (uint64_t left = e.head.kind == CP_DATA ? e.head.size : 0; left > 0 && n > 0;
		     left -= (uint64_t)n) {
			n = cp_get_bytes(&in, &bytes, left < size ? (size_t)left : size, NULL);
			if (n > 0 && (uint64_t)n > left)
				abort();
			if (n <= 0)
				break;
		}
	}
	free(in.data);
	cp_entry_done(&e);
	return 0;
}
