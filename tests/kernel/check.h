/* SPDX-License-Identifier: Apache-2.0 */
/* What these programs print: a line for each check that fails. */
#pragma once

#include <stdio.h>

#include "base/err.h"

static struct {
	int failed, done;
	const char *name;
} run;

static bool check(bool ok, const char *what, const char *detail)
{
	if (!ok) {
		printf("not ok - %s: %s (%s)\n", run.name, what, detail);
		run.failed++;
	}
	return ok;
}
#define CHECK(cond)       check((cond), #cond, "")
#define CHECK_OK(expr)    check((expr) >= 0, #expr, err.msg)
#define CHECK_FAILS(expr) check((expr) < 0, #expr, "no error")
