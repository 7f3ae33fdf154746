/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elements of nftables' sets and maps, of tables of the family inet, over nfnetlink: added and
 * removed in batches that are done whole or not at all, and listed. Constant cost, whatever is in
 * the set. Keys and data are bytes as the kernel has them: each part of a concatenation in a whole
 * number of 32-bit words, addresses and ports in network byte order, numbers of numgen and jhash
 * and of protocols as the machine's (a protocol is one byte).
 */
#pragma once

#include "sys/netlink.h"

#define NFT_KEY_MAX  32
#define NFT_DATA_MAX 32

struct nft_element {
	uint8_t key[NFT_KEY_MAX], data[NFT_DATA_MAX];
	uint8_t key_len, data_len; /* data_len 0: of a set */
	bool end;                  /* of a set of intervals: the first one behind an interval */
};
struct nft_elements {
	struct nft_element *items;
	size_t n;
};
void nft_elements_done(struct nft_elements *e);
/* For qsort(). By key; the place behind an interval is another one than where the next begins, and
 * comes before it: the kernel takes what begins before the one around it has ended for an overlap.
 */
int nft_element_order(const void *a, const void *b);
/* False: one is there twice. */
bool nft_elements_sort(struct nft_elements *e);
#define cleanup_nft_elements CLEANUP(nft_elements_done)

struct nft_batch {
	struct nlbuf q;
	const char *table; /* borrowed */
	uint32_t end;      /* number of its last message, 0: not ended */
};
void nft_batch_begin(struct nft_batch *b, const char *table);
void nft_batch_done(struct nft_batch *b);
#define cleanup_nft_batch CLEANUP(nft_batch_done)
void nft_batch_add(struct nft_batch *b, const char *set, const struct nft_element *e, size_t n);
void nft_batch_remove(struct nft_batch *b, const char *set, const struct nft_element *e, size_t n);
/* What nft_batch_send() does first: the buffer is complete then. */
void nft_batch_end(struct nft_batch *b);

int nft_open(struct err *err); /* in the network namespace of the caller */
/* -ENOENT: there is no such table or set, or an element to be removed is not there. -EEXIST: there
 * is one with other data; remove it in the same batch. Nothing of the batch is done then; these two
 * have a message, too. An empty batch is nothing. */
int nft_batch_send(struct nft_batch *b, int sock, struct err *err);
/* All elements of a set, sorted. -ENOENT: there is no such set. */
int nft_elements_read(int sock, const char *table, const char *set, struct nft_elements *ret,
		      struct err *err);

/* Tables and chains: of ours, and of others that packets go through as well. */

/* 1, or 0: there is no such table. */
int nft_table_exists(int sock, const char *table, struct err *err);
/* Takes a table away with all in it. One that isn't there is no error. */
int nft_table_delete(int sock, const char *table, struct err *err);

#define NFT_NAME_MAX 64 /* longer names are cut */

struct nft_chain {
	uint8_t family; /* NFPROTO_* */
	char table[NFT_NAME_MAX], name[NFT_NAME_MAX];
	bool hooked;   /* packets come to it by itself: */
	uint32_t hook; /* NF_INET_* */
	bool drops;    /* what no rule of it decides */
};
struct nft_chains {
	struct nft_chain *items;
	size_t n;
};
void nft_chains_done(struct nft_chains *c);
#define cleanup_nft_chains CLEANUP(nft_chains_done)
/* All chains of the network namespace. */
int nft_chains_read(int sock, struct nft_chains *ret, struct err *err);
/* Pure part, for tests and fuzzing, as nft_elements_parse(). */
int nft_chains_parse(const void *data, size_t len, struct nft_chains *ret);

/* A new table (of the family ip) of the namespace of sock, by which what programs there send to
 * addr:from arrives at addr:to, of UDP and TCP, and answers seem to come from there. Ports are
 * changed packet by packet: tracking connections would take each packet of the namespace its time.
 * -EEXIST: there is a table of that name. */
int nft_redirect_add(int sock, const char *table, const uint8_t addr[4], uint16_t from, uint16_t to,
		     struct err *err);
/* In a table of the family ip6, which may be there: what the namespace of sock sends to addr
 * through the interface ifname goes nowhere. -EEXIST: so it is for this interface. */
int nft_drop_to(int sock, const char *table, const char *ifname, const uint8_t addr[16],
		struct err *err);

/* Pure part, for tests and fuzzing: one datagram of the answer to a listing, appended to *ret.
 * 0: more to come, 1: that was the last, or -errno, the kernel's own, too. */
int nft_elements_parse(const void *data, size_t len, struct nft_elements *ret);
