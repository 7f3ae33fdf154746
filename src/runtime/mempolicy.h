/* SPDX-License-Identifier: Apache-2.0 */
/* linux.memoryPolicy (runtime-spec config-linux.md): words and node lists for set_mempolicy(2). */
#pragma once

#include "oci/spec.h"

#define MEMORY_NODES_MAX 1024 /* the most that a kernel is built for on any architecture */
#define MEMORY_NODE_BITS (8 * sizeof(unsigned long))

struct memory_policy {
	int mode; /* MPOL_* with its flags */
	bool have_nodes;
	unsigned long nodes[MEMORY_NODES_MAX / MEMORY_NODE_BITS];
};

/* Pure. */
int memory_policy_parse(const struct spec_memory_policy *p, struct memory_policy *ret,
			struct err *err);
/* For this process and what it executes. Nodes must be in its cpuset: join the cgroups first. */
int memory_policy_set(const struct spec_memory_policy *p, struct err *err);

/* What `features` lists. i counts from 0; NULL at the end. */
const char *memory_policy_mode_word(size_t i);
const char *memory_policy_flag_word(size_t i);
