/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of doctor_examine(). */
#pragma once

#include "engine/doctor.h"

/* Each check begins with a finding that says "ok". */
struct doctor_check {
	const char *name;
	void (*run)(const struct doctor *d, struct doctor_finding *f);
};
/* What networks need; the last one has no name. */
extern const struct doctor_check doctor_network_checks[];

/* cure NULL: nothing to do. */
void doctor_say(struct doctor_finding *f, int verdict, const char *cure, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Of files below d->root. False: it is not there. */
bool doctor_read_file(const struct doctor *d, const char *path, struct buf *text);
/* A number in a file of procfs; fallback: it is not there. */
int64_t doctor_read_number(const struct doctor *d, const char *path, int64_t fallback);
bool doctor_exists(const struct doctor *d, const char *path);
