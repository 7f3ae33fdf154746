/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of a table of the family inet, as far as they say what has passed: their comments and
 * counters, over nfnetlink. What they match is not read. Rules are loaded as text, by nft(8).
 */
#pragma once

#include "sys/netlink.h"

#define NFT_CHAIN_MAX   32
#define NFT_COMMENT_MAX 128 /* nft's own limit, with the NUL */

struct nft_rule {
	char chain[NFT_CHAIN_MAX], comment[NFT_COMMENT_MAX]; /* "": none, or too long */
	bool counted;
	uint64_t packets, bytes;
};
struct nft_rules {
	struct nft_rule *items;
	size_t n;
};
void nft_rules_done(struct nft_rules *r);
#define cleanup_nft_rules CLEANUP(nft_rules_done)

/* In the order in which the kernel asks them, chain by chain. None: there is no such table, or it
 * has none. sock: nft_open(). */
int nft_rules_read(int sock, const char *table, struct nft_rules *ret, struct err *err);

/* Pure part, for tests and fuzzing: one datagram of a listing, appended. 0: more to come, 1: that
 * was the last, or -errno. */
int nft_rules_parse(const void *data, size_t len, struct nft_rules *ret);
