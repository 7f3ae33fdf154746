/* SPDX-License-Identifier: Apache-2.0 */
#include "image/program.h"

#include <fcntl.h>
#include <limits.h>

#include "base/path.h"

char *program_find(const char *name)
{
	char self[PATH_MAX];

	ssize_t n = readlinkat(AT_FDCWD, "/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		char *slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		cleanup_free char *path = path_join(self, name);
		if (faccessat(AT_FDCWD, path, X_OK, 0) == 0)
			return take_ptr(path);
	}
	return path_join(INRO_LIBEXECDIR, name);
}
