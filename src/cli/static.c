/* SPDX-License-Identifier: Apache-2.0 */
/* In a static inro: SQLite could load extensions, which nobody asks it to. With these it does not
 * bring the dynamic loader along. */
#include <dlfcn.h>
#include <stddef.h>

void *dlopen(const char *file, int mode)
{
	return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
	return NULL;
}

int dlclose(void *handle)
{
	return -1;
}

char *dlerror(void)
{
	return NULL;
}
