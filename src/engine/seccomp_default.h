/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp profile of containers that ask for none (design rule 11): an allow-list by purpose,
 * what capabilities add to it, and argument rules. Pure; the result is the OCI form, which any OCI
 * runtime can load.
 *
 * What is not listed fails with EPERM. Calls that a libc or a tool tries first and has an older way
 * for fail with ENOSYS, so that it takes that way; so does, in inro's own filters, every call newer
 * than the list (sys/seccomp.h).
 *
 * socketcall(2) of 32-bit x86 is refused whole: a filter can't see the address family behind its
 * pointer, and any 64-bit process can issue it, so that letting it through lets AF_ALG through
 * (CVE-2026-31431). musl's and newer programs use the direct calls; 32-bit glibc has no network
 * under this profile.
 */
#pragma once

#include "oci/spec.h"

/* caps: bit n is capability number n (linux/capability.h) of the container's bounding set. Fills
 * *ret, which the caller frees with json_free(&spec_seccomp_desc, ret). Returns 0. */
int seccomp_default(uint64_t caps, struct spec_seccomp *ret);
