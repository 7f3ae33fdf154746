/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/bpf.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/fd.h"

/* The kernel keeps at most this many per cgroup (BPF_CGROUP_MAX_PROGS). */
#define PROGS_MAX 64

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static uint64_t ptr_u64(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int load(const struct bpf_insn *insns, size_t n)
{
	static const char license[] = "Apache-2.0";
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = ptr_u64(insns);
	attr.insn_cnt = (uint32_t)n;
	attr.license = ptr_u64(license);
	memcpy(attr.prog_name, "inro_devices", sizeof("inro_devices"));
	int r;
	do
		r = bpf(BPF_PROG_LOAD, &attr); /* -EAGAIN: a signal came during verification */
	while (r == -EAGAIN || r == -EINTR);
	return r;
}

int bpf_device_load(const struct bpf_insn *insns, size_t n, struct err *err)
{
	struct rlimit old, all = { RLIM_INFINITY, RLIM_INFINITY };
	int r = load(insns, n);

	/* Before 5.11 programs counted as locked memory. */
	if (r == -EPERM && getrlimit(RLIMIT_MEMLOCK, &old) == 0 && old.rlim_cur != RLIM_INFINITY &&
	    setrlimit(RLIMIT_MEMLOCK, &all) == 0) {
		r = load(insns, n);
		setrlimit(RLIMIT_MEMLOCK, &old);
	}
	if (r < 0)
		return err_errno(err, -r, "loading the device program of %zu instructions", n);
	return r;
}

static int attach(int cgroup_fd, int prog_fd, uint32_t flags, int replaced_fd)
{
	union bpf_attr attr = { 0 };

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = flags;
	if (replaced_fd >= 0)
		attr.replace_bpf_fd = (uint32_t)replaced_fd;
	return bpf(BPF_PROG_ATTACH, &attr);
}

static int detach(int cgroup_fd, int prog_fd)
{
	union bpf_attr attr = { 0 };

	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	return bpf(BPF_PROG_DETACH, &attr);
}

static int query(int cgroup_fd, uint32_t ids[PROGS_MAX], uint32_t *ret_flags)
{
	union bpf_attr attr = { 0 };

	attr.query.target_fd = (uint32_t)cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = ptr_u64(ids);
	attr.query.prog_cnt = PROGS_MAX;
	int r = bpf(BPF_PROG_QUERY, &attr);
	if (r < 0)
		return r;
	*ret_flags = attr.query.attach_flags;
	return (int)attr.query.prog_cnt;
}

static int fd_by_id(uint32_t id)
{
	union bpf_attr attr = { 0 };

	attr.prog_id = id;
	return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

int bpf_device_count(int cgroup_fd)
{
	uint32_t ids[PROGS_MAX], flags;

	return query(cgroup_fd, ids, &flags);
}

int bpf_device_attach(int cgroup_fd, int prog_fd, struct err *err)
{
	/* MULTI: whoever manages the cgroups below or above may attach programs too. */
	int r = attach(cgroup_fd, prog_fd, BPF_F_ALLOW_MULTI, -1);

	return r < 0 ? err_errno(err, -r, "attaching the device program") : 0;
}

int bpf_device_replace(int cgroup_fd, int prog_fd, struct err *err)
{
	uint32_t ids[PROGS_MAX], flags = 0;
	int n = query(cgroup_fd, ids, &flags), r;

	if (n < 0)
		return err_errno(err, -n, "asking for the device programs of the cgroup");
	if (n == 1 && !(flags & BPF_F_ALLOW_MULTI)) {
		/* Another manager's way: there is place for one program, a second one replaces it.
		 */
		r = attach(cgroup_fd, prog_fd, flags, -1);
		return r < 0 ? err_errno(err, -r, "replacing the device program") : 0;
	}
	if (n == 1) {
		cleanup_fd int old = fd_by_id(ids[0]);
		/* Kernel >= 5.6. */
		if (old >= 0 &&
		    attach(cgroup_fd, prog_fd, BPF_F_ALLOW_MULTI | BPF_F_REPLACE, old) == 0)
			return 0;
	}
	r = bpf_device_attach(cgroup_fd, prog_fd, err);
	for (int i = 0; r == 0 && i < n; i++) {
		cleanup_fd int old = fd_by_id(ids[i]);
		if (old == -ENOENT)
			continue;
		r = old < 0 ? old : detach(cgroup_fd, old);
		if (r < 0)
			return err_errno(err, -r, "detaching the former device program");
	}
	return r;
}
