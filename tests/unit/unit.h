/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers that it wants first. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* expr returns 0 or more; a failure shows the message in the struct err called err. */
#define assert_ok(expr)                                                                            \
	do {                                                                                       \
		long assert_ok_r_ = (expr);                                                        \
		if (assert_ok_r_ < 0)                                                              \
			fail_msg("%s: %ld, %s", #expr, assert_ok_r_, err.msg);                     \
	} while (0)
