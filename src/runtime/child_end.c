/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/child_end.h"

#include "base/log.h"
#include "sys/pidfd.h"

#define TIMEOUT_MS    3000
#define KILL_EVERY_MS 100
#define HELD_ROUNDS   2

bool child_end(struct container *p, const struct cgroup *cg, bool thaw)
{
	for (int round = 1; round <= TIMEOUT_MS / KILL_EVERY_MS; round++) {
		if (pidfd_kill_child(&p->pidfd, p->pid, KILL_EVERY_MS))
			return true;
		if (thaw)
			cgroup_thaw_to_die(cg);
		/* By a cgroup above, where nothing is ours to thaw. */
		if (round >= HELD_ROUNDS && cgroup_is_held(cg)) {
			log_warn("process %d was killed, but it is frozen: it ends when its cgroup "
				 "and those above are thawed",
				 p->pid);
			return false;
		}
	}
	log_warn("process %d was killed, but something in the kernel holds it: it ends with that",
		 p->pid);
	return false;
}
