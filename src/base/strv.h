/* SPDX-License-Identifier: Apache-2.0 */
/* NULL-terminated arrays of strings, each string and the array on the heap. NULL is an empty one.
 */
#pragma once

#include "base/util.h"

size_t strv_len(char *const *v);
void strv_add(char ***v, const char *s); /* copies s */
void strv_take(char ***v, char *s);      /* takes s over */
void strv_addf(char ***v, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strv_extend(char ***v, char *const *more); /* copies */
char **strv_copy(char *const *v);
bool strv_has(char *const *v, const char *s);
char **strv_split(const char *s, char sep);       /* empty fields kept; "" gives one empty field */
char *strv_join(char *const *v, const char *sep); /* never NULL */
void strv_free(char **v);
/* Environment lists "NAME=value": value of name or NULL; set replaces or adds. */
const char *strv_env_get(char *const *v, const char *name);
void strv_env_set(char ***v, const char *assignment);
void strv_env_unset(char **v, const char *name);

static inline void strv_cleanup_(char ***v)
{
	strv_free(*v);
}
#define cleanup_strv CLEANUP(strv_cleanup_)
