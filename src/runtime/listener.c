/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"

#include "base/fd.h"
#include "runtime/seccomp_policy.h"
#include "sys/pidfd.h"

int listener_deliver(int pidfd, int fd, const struct spec_seccomp *s,
		     const struct container_state *state, struct err *err)
{
	cleanup_fd int taken = pidfd_steal_fd(pidfd, fd);

	if (taken < 0)
		return err_errno(err, -taken, "taking the seccomp notify fd");
	return seccomp_send_listener(s, state, taken, err);
}
