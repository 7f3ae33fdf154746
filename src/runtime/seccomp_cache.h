/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From linux.seccomp to a BPF program, compiled once: <root>/.cache/seccomp/<hash> holds the whole
 * key and the program. The key is everything the program depends on and is compared as a whole, so
 * the hash is a file name and no more.
 */
#pragma once

#include "base/buf.h"
#include "runtime/container.h"

/* bpf gets the program; *ret_flags what seccomp(2) takes. 0 or -errno. */
int seccomp_prepare(const struct runtime *rt, const struct spec_seccomp *s, struct buf *bpf,
		    unsigned int *ret_flags, struct err *err);
