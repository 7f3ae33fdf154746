/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/pid_file.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/io.h"

int pid_file_write(const char *path, pid_t pid, bool *ret_made, struct err *err)
{
	char text[16];
	int n, r;

	if (!path)
		return 0;
	n = snprintf(text, sizeof(text), "%d", pid);
	r = io_replace_file(AT_FDCWD, path, text, (size_t)n, 0644, false, err);
	*ret_made = r >= 0;
	return r;
}
