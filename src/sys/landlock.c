/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/landlock.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "sys/uapi.h"

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_ABI1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
/* What makes sense on something that is no directory; the kernel refuses more there. */
#define FS_OF_FILE                                                                                 \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                              \
	 LANDLOCK_ACCESS_FS_IOCTL_DEV)

int landlock_abi(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return v < 0 ? 0 : (int)v;
}

static uint64_t handled_fs(int abi)
{
	uint64_t all = FS_ABI1;

	if (abi >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		all |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	return all;
}

static uint64_t rights(enum landlock_access access)
{
	switch (access) {
	case LANDLOCK_READ:
		return FS_READ;
	case LANDLOCK_EXECUTE:
		return FS_READ | LANDLOCK_ACCESS_FS_EXECUTE;
	case LANDLOCK_WRITE:
		break;
	}
	return UINT64_MAX;
}

static int add_rule(int ruleset, const struct landlock_rule *rule, uint64_t handled)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = rights(rule->access) & handled,
		.parent_fd = rule->fd,
	};
	struct stat st;

	if (fstat(rule->fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		attr.allowed_access &= FS_OF_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0)
		return -errno;
	return 0;
}

int landlock_restrict(const struct landlock_rule *rules, size_t n, unsigned int flags,
		      struct err *err)
{
	int abi = landlock_abi();
	/* A longer structure than the kernel knows is fine while the rest is zero. */
	struct sys_landlock_ruleset_attr attr = { .handled_access_fs = handled_fs(abi) };

	if (abi == 0)
		return 0;
	if ((flags & LANDLOCK_NO_NETWORK) && abi >= 4)
		attr.handled_access_net =
		    LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
	if ((flags & LANDLOCK_SCOPED) && abi >= 6)
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
	/* CLOEXEC by itself. */
	cleanup_fd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_errno(err, errno, "making Landlock ruleset");
	for (size_t i = 0; i < n; i++) {
		int r = add_rule(ruleset, &rules[i], attr.handled_access_fs);
		if (r < 0)
			return err_errno(err, -r, "adding Landlock rule %zu", i);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(err, errno, "setting no_new_privs");
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_errno(err, errno, "restricting process with Landlock");
	return abi;
}
