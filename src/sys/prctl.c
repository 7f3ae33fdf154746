/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/prctl.h"

#include <sys/prctl.h>

static int set(int option, unsigned long value)
{
	return prctl(option, value, 0UL, 0UL, 0UL) < 0 ? -errno : 0;
}

int prctl_no_new_privs(void)
{
	return set(PR_SET_NO_NEW_PRIVS, 1);
}

int prctl_keep_caps(bool on)
{
	return set(PR_SET_KEEPCAPS, on);
}

int prctl_dumpable(bool on)
{
	return set(PR_SET_DUMPABLE, on);
}

bool prctl_is_dumpable(void)
{
	return prctl(PR_GET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) == 1;
}

int prctl_subreaper(bool on)
{
	return set(PR_SET_CHILD_SUBREAPER, on);
}

int prctl_name(const char *name)
{
	return set(PR_SET_NAME, (unsigned long)name);
}

int prctl_parent_death_signal(int signo, pid_t expected_parent)
{
	int r = set(PR_SET_PDEATHSIG, (unsigned long)signo);

	if (r == 0 && expected_parent > 0 && getppid() != expected_parent)
		return -ESRCH;
	return r;
}
