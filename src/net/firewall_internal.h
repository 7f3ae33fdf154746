/* SPDX-License-Identifier: Apache-2.0 */
/* The table's text and sets, for the files of firewall.h. Pure. */
#pragma once

#include "base/buf.h"
#include "net/firewall.h"
#include "sys/nft.h"

enum fw_set {
	FW_BRIDGES,
	FW_INTERNAL,
	FW_ROUTED,
	FW_OPEN,
	FW_ICC,
	FW_HAIRPIN,
	FW_NETS4,
	FW_NETS6,
	FW_MASQ4,
	FW_MASQ6,
	FW_PORTS4,
	FW_PORTS6,
	FW_PORTS4_ON,
	FW_PORTS6_ON,
	FW_VIPS4,
	FW_VIPS6,
	FW_VIP4,
	FW_VIP6,
	FW_SLOTS4,
	FW_SLOTS6,
	FW_SLOTS4_ON,
	FW_SLOTS6_ON,
	FW_SETS
};
extern const char *const fw_set_names[FW_SETS];

/* A map of one element, which leads to another value once all other sets hold what they should,
 * which is no sooner than at the end of a reconcile; its name says which text the table is of. */
#define FW_COMPLETE "complete_3"
/* The rules of the text: with fewer it is no firewall. */
#define FW_RULES 50

/* For nft_replace(). */
void fw_text(const char *table, struct buf *ret);

struct fw_elements {
	struct nft_elements of[FW_SETS];
};
void fw_elements_done(struct fw_elements *e);
#define cleanup_fw_elements CLEANUP(fw_elements_done)

void fw_pack(const struct fw_state *state, struct fw_elements *ret);
struct nft_element fw_complete(void);

/* What makes one set of the other. Both are sorted by it. */
struct fw_difference {
	struct nft_elements add, remove;
	size_t wrong; /* in both: those that have other data */
};
void fw_difference_done(struct fw_difference *d);
#define cleanup_fw_difference CLEANUP(fw_difference_done)
void fw_compare(struct nft_elements *have, struct nft_elements *want, struct fw_difference *ret);
/* What of a change can be done: of *remove what is there stays in it, and what is there otherwise
 * than *add has it comes into it. */
void fw_settle(struct nft_elements *have, struct nft_elements *add, struct nft_elements *remove);
