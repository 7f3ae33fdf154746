/* SPDX-License-Identifier: Apache-2.0 */
/* In a static inro: SQLite could load extensions, which nobody asks it to, and which a static
 * program can't. The linker gives its calls these (--wrap). */
#include <stddef.h>

void *__wrap_dlopen(const char *file, int mode);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_dlclose(void *handle);
char *__wrap_dlerror(void);

void *__wrap_dlopen(const char *file, int mode)
{
	return NULL;
}

void *__wrap_dlsym(void *handle, const char *name)
{
	return NULL;
}

int __wrap_dlclose(void *handle)
{
	return -1;
}

char *__wrap_dlerror(void)
{
	return NULL;
}
