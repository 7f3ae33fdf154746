/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device programs of cgroup v2 (BPF_PROG_TYPE_CGROUP_DEVICE, kernel >= 4.15) by raw bpf(2). A
 * cgroup runs every program attached to it and to its ancestors; access needs the consent of all.
 * All need CAP_BPF and CAP_NET_ADMIN (CAP_SYS_ADMIN before 5.8): -EPERM without.
 */
#pragma once

#include <linux/bpf.h>

#include "base/err.h"

/* Verifies and loads the program. fd or -errno. */
int bpf_device_load(const struct bpf_insn *insns, size_t n, struct err *err);
/* Attaches it to a cgroup2 directory (O_PATH is enough) that has none yet. 0 or -errno. */
int bpf_device_attach(int cgroup_fd, int prog_fd, struct err *err);
/* Attaches it in place of all programs of that cgroup; at no moment is there none. 0 or -errno. */
int bpf_device_replace(int cgroup_fd, int prog_fd, struct err *err);
/* How many programs the cgroup itself has, or -errno. */
int bpf_device_count(int cgroup_fd);
