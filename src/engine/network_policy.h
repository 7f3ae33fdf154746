/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --firewall and --egress of a container: words in its record, a table in its network namespace
 * while it runs (net/policy_table.h). The table is loaded before the container's program begins,
 * and goes with the namespace.
 */
#pragma once

#include "engine/record.h"
#include "net/policy.h"

/* All words of both options: checked, and whose they are: *ret_ends[i] rules are there with words
 * up to i (those of --firewall first); or NULL. */
int policy_words_parse(char *const *firewall, char *const *egress, struct net_policy *ret,
		       size_t **ret_ends, struct err *err);
/* Do networks that the rules name exist? */
int policy_check_networks(struct engine *eng, const struct net_policy *p, struct err *err);
/* Loads, or replaces, what the record says in that namespace of networks; without words, takes it
 * away. */
int policy_load(struct engine *eng, const struct record *rec, int netns, struct err *err);
/* Packets that rules have let pass and refused since they were loaded, of both directions. */
struct policy_packets {
	bool loaded; /* else all is 0: there are no rules */
	uint64_t allowed_in, allowed_out, refused_in, refused_out;
};
void policy_packets(const struct record *rec, int64_t pid, struct policy_packets *ret);
/* JSON for inspect: what each word has let pass, and what none has; NULL: there is no word. pid: of
 * the container's init, 0: it does not run. */
char *policy_inspect(const struct record *rec, int64_t pid);
