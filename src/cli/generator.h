/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's files: those that it reads. */
#pragma once

#include "units/units.h"

/* Tells of a file that can't be used, and goes on. */
struct generator_log {
	void (*say)(void *ctx, const struct err *err);
	void *ctx;
	size_t n; /* how often */
};

/* Adds what is below these directories, drop-ins included; of files of one name the first. users:
 * subdirectories of single users are not looked into. */
void generator_load(struct units *set, char *const *dirs, struct generator_log *log);
