/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that several files of rtnetlink's put into a buffer. */
#pragma once

#include "sys/rtnetlink.h"

#define RTNL_NO_STATS (1U << 3) /* RTEXT_FILTER_SKIP_STATS */

/* An ifinfomsg; index 0: by IFLA_IFNAME. up: flags that are to be set (IFF_UP), or 0. */
void rtnl_put_link(struct nlbuf *q, uint16_t type, uint16_t flags, uint32_t index, unsigned int up);
/* Asks for one interface; a takes the answer. -ENODEV without an error record when there is none.
 */
int rtnl_link_ask(int sock, const char *name, struct netlink_answers *a, struct err *err);
/* A new address; flags: NLM_F_ACK or 0. */
void rtnl_put_addr(struct nlbuf *q, uint16_t flags, uint32_t index, const struct rtnl_addr *a);
