/* SPDX-License-Identifier: Apache-2.0 */
/* Which security modules this kernel runs with: apparmor(7), selinux(8). */
#pragma once

#include "base/util.h"

struct lsm_state {
	bool known, apparmor, selinux;
};

bool lsm_apparmor_enabled(void);
bool lsm_selinux_enabled(void); /* with a policy: selinuxfs is mounted */
struct lsm_state lsm_read(void);
