/* SPDX-License-Identifier: Apache-2.0 */
/* A volume's files as a tar, and from one. Containers may use it meanwhile. */
#pragma once

#include "engine/volumes.h"

/* newest: commit_export(). */
int volume_export(struct engine *eng, const char *name, int64_t newest, int fd, struct err *err);
/* What is in the tar takes the place of what has its names. Plain, gzip, zstd or xz. */
int volume_import(struct engine *eng, const char *name, int fd, struct err *err);
