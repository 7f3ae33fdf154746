/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/cap.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/str.h"

static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

int cap_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(name, names[i]))
			return (int)i;
	return -EINVAL;
}

const char *cap_name(int cap)
{
	return cap >= 0 && (size_t)cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

/* PR_CAPBSET_READ fails with EINVAL on what the kernel does not know. */
int cap_last(void)
{
	int known = 0, unknown = CAP_COUNT_MAX;

	while (unknown - known > 1) {
		int mid = (known + unknown) / 2;
		if (prctl(PR_CAPBSET_READ, mid, 0, 0, 0) >= 0)
			known = mid;
		else
			unknown = mid;
	}
	return known;
}

static uint64_t bit(int cap)
{
	return (uint64_t)1 << cap;
}

/* "CAP_X", or "capability 63" for those without a name. */
static const char *describe(int cap, char out[32])
{
	const char *name = cap_name(cap);

	if (name)
		snprintf(out, 32, "%s", name);
	else
		snprintf(out, 32, "capability %d", cap);
	return out;
}

static int first_in(uint64_t set)
{
	return __builtin_ctzll(set);
}

int cap_get_three(struct cap_sets *ret)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &hdr, d) < 0)
		return -errno;
	*ret = (struct cap_sets){ 0 };
	ret->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	ret->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	ret->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return 0;
}

static int set_three(const struct cap_sets *sets)
{
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {
		{ (uint32_t)sets->effective, (uint32_t)sets->permitted,
		  (uint32_t)sets->inheritable },
		{ (uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32),
		  (uint32_t)(sets->inheritable >> 32) },
	};
	return syscall(SYS_capset, &hdr, d) < 0 ? -errno : 0;
}

int cap_get(struct cap_sets *ret)
{
	struct cap_sets s = { 0 };
	int r = cap_get_three(&s);

	if (r < 0)
		return r;
	for (int cap = 0; cap < CAP_COUNT_MAX; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (has < 0)
			break;
		if (has)
			s.bounding |= bit(cap);
		/* Only what is permitted and inheritable can be ambient. */
		if ((s.permitted & s.inheritable & bit(cap)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1)
			s.ambient |= bit(cap);
	}
	*ret = s;
	return 0;
}

int cap_drop_bounding(uint64_t keep, struct err *err)
{
	char what[32];

	for (int cap = 0; cap < CAP_COUNT_MAX; cap++) {
		if (keep & bit(cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		int errnum = errno;
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (has < 0) /* beyond the last one */
			break;
		if (has)
			return err_errno(err, errnum, "dropping %s from the bounding set",
					 describe(cap, what));
	}
	return 0;
}

/* Says which capability of the wanted sets is the one that this kernel or process can't have. */
static int check_possible(const struct cap_sets *want, struct err *err)
{
	uint64_t all = want->effective | want->permitted | want->inheritable | want->ambient;
	struct cap_sets now = { 0 };
	char what[32];
	int r = cap_get_three(&now);

	if (r < 0)
		return err_errno(err, -r, "reading capabilities");
	/* What this process has the kernel knows. */
	if (all & ~now.permitted) {
		int last = cap_last();
		uint64_t known = last == CAP_COUNT_MAX - 1 ? UINT64_MAX : bit(last + 1) - 1;

		if (all & ~known)
			return err_fail(err, ERR_UNSUPPORTED, "%s is not known to this kernel",
					describe(first_in(all & ~known), what));
	}
	if (want->effective & ~want->permitted)
		return err_fail(err, ERR_INVALID, "%s can't be effective: it is not permitted",
				describe(first_in(want->effective & ~want->permitted), what));
	if (want->ambient & ~(want->permitted & want->inheritable))
		return err_fail(
		    err, ERR_INVALID, "%s can't be ambient: it is not permitted and inheritable",
		    describe(first_in(want->ambient & ~(want->permitted & want->inheritable)),
			     what));
	if (want->permitted & ~now.permitted)
		return err_errno(err, EPERM, "%s can't be given: this process does not have it",
				 describe(first_in(want->permitted & ~now.permitted), what));
	return 0;
}

static int apply_ambient(uint64_t ambient, struct err *err)
{
	char what[32];

	/* EINVAL: kernel before 4.3, which has none to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
	    (errno != EINVAL || ambient))
		return err_errno(err, errno, "clearing ambient capabilities");
	for (uint64_t left = ambient; left; left &= left - 1) {
		int cap = first_in(left);
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_errno(err, errno, "raising ambient %s", describe(cap, what));
	}
	return 0;
}

int cap_apply(const struct cap_sets *sets, struct err *err)
{
	int r = check_possible(sets, err);

	if (r < 0)
		return r;
	/* Ambient ones leave by themselves as permitted and inheritable shrink; cleared anyway. */
	r = set_three(sets);
	if (r < 0)
		return err_errno(err, -r, "setting capabilities");
	return apply_ambient(sets->ambient, err);
}
