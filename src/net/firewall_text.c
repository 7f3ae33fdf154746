/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains come before those of docker, podman, ufw and firewalld, so that ports are translated when
 * those look. What is accepted here is not accepted there by it: a drop of others holds.
 *
 * Another text has another FW_COMPLETE and FW_RULES.
 */
#include "net/firewall_internal.h"

const char *const fw_set_names[FW_SETS] = {
	[FW_HAIRPIN] = "hairpin",     [FW_BRIDGES] = "bridges",     [FW_INTERNAL] = "internal",
	[FW_ROUTED] = "routed",       [FW_OPEN] = "open",           [FW_ICC] = "icc",
	[FW_NETS4] = "nets4",         [FW_NETS6] = "nets6",         [FW_MASQ4] = "masq4",
	[FW_MASQ6] = "masq6",         [FW_PORTS4] = "ports4",       [FW_PORTS6] = "ports6",
	[FW_PORTS4_ON] = "ports4_on", [FW_PORTS6_ON] = "ports6_on", [FW_VIPS4] = "vips4",
	[FW_VIPS6] = "vips6",         [FW_VIP4] = "vip4",           [FW_VIP6] = "vip6",
	[FW_SLOTS4] = "slots4",       [FW_SLOTS6] = "slots6",       [FW_SLOTS4_ON] = "slots4_on",
	[FW_SLOTS6_ON] = "slots6_on",
};

/* What goes back to the bridge that it came from has to come back here as well, or its answer goes
 * around the translation. iifname is empty in postrouting where br_netfilter calls for a bridged
 * packet, and for this machine's own (Linux 5.7); a refusal is one of those, in the other
 * direction. 127.0.0.0/8 and ::1 would need route_localnet, which opens the loopback to neighbours:
 * those ports are relayed. */
static const char sets[] =
    "	map " FW_COMPLETE " { type mark : mark; elements = { 0 : 0 }; }\n"
    "	set bridges { type ifname; }\n"
    "	set internal { type ifname; }\n"
    "	set routed { type ifname; }\n"
    "	set open { type ifname; }\n"
    "	set icc { type ifname . ifname; }\n"
    "	set hairpin { type ifname . ifname; }\n"
    "	set nets4 { type ipv4_addr; flags interval; }\n"
    "	set nets6 { type ipv6_addr; flags interval; }\n"
    "	set masq4 { type ipv4_addr; flags interval; }\n"
    "	set masq6 { type ipv6_addr; flags interval; }\n"
    "	map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "	map ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }\n"
    "	map ports4_on { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "	map ports6_on { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }\n"
    "	set vips4 { type ipv4_addr; }\n"
    "	set vips6 { type ipv6_addr; }\n";

/* Of replicas: a slot of 256 is chosen at random, or, in a second row of 256, by the client's
 * address, and belongs to one of them. */
#define RANDOM     "numgen random mod 256"
#define STICKY(ip) "jhash " ip " saddr mod 256 offset 256"
#define SLOT_MAPS(n, ip)                                                                           \
	"	map vip" n " { typeof " ip " daddr . " RANDOM " : " ip " daddr; }\n"               \
	"	map slots" n " { typeof meta l4proto . th dport . " RANDOM " : " ip                \
	" daddr . th dport; }\n"                                                                   \
	"	map slots" n "_on { typeof " ip " daddr . meta l4proto . th dport . " RANDOM       \
	" : " ip " daddr . th dport; }\n"
#define TO_SLOT(n, ip, slot)                                                                       \
	"		dnat " ip " to " ip " daddr . meta l4proto . th dport . " slot             \
	" map @slots" n "_on\n"                                                                    \
	"		dnat " ip " to meta l4proto . th dport . " slot " map @slots" n "\n"
#define TO_SLOT_OF_VIP(n, ip, slot)                                                                \
	"		dnat " ip " to " ip " daddr . " slot " map @vip" n "\n"

static const char slots[] = SLOT_MAPS("4", "ip")
    SLOT_MAPS("6", "ip6") "	chain vips {\n" TO_SLOT_OF_VIP("4", "ip", RANDOM)
	TO_SLOT_OF_VIP("4", "ip", STICKY("ip")) TO_SLOT_OF_VIP("6", "ip6", RANDOM)
	    TO_SLOT_OF_VIP("6", "ip6", STICKY("ip6")) "	}\n";

static const char translation[] =
    "	chain ports {\n"
    "		ip daddr 127.0.0.0/8 return\n"
    "		ip6 daddr ::1 return\n"
    "		dnat ip to ip daddr . meta l4proto . th dport map @ports4_on\n"
    "		dnat ip to meta l4proto . th dport map @ports4\n"
    "		dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6_on\n"
    "		dnat ip6 to meta l4proto . th dport map @ports6\n" TO_SLOT("4", "ip", RANDOM)
	TO_SLOT("4", "ip", STICKY("ip")) TO_SLOT("6", "ip6", RANDOM) TO_SLOT(
	    "6", "ip6",
	    STICKY("ip6")) "	}\n"
			   "	chain prerouting {\n"
			   "		type nat hook prerouting priority -105; policy accept;\n"
			   "		ip daddr @vips4 goto vips\n"
			   "		ip6 daddr @vips6 goto vips\n"
			   "		fib daddr type local goto ports\n"
			   "	}\n"
			   "	chain output {\n"
			   "		type nat hook output priority -105; policy accept;\n"
			   "		ip daddr @vips4 goto vips\n"
			   "		ip6 daddr @vips6 goto vips\n"
			   "		fib daddr type local goto ports\n"
			   "	}\n"
			   "	chain postrouting {\n"
			   "		type nat hook postrouting priority 95; policy accept;\n"
			   "		ip saddr @nets4 ip daddr @nets4 ct direction original ct "
			   "status dnat "
			   "iifname . oifname @hairpin masquerade\n"
			   "		ip6 saddr @nets6 ip6 daddr @nets6 ct direction original ct "
			   "status dnat "
			   "iifname . oifname @hairpin masquerade\n"
			   "		ip saddr @masq4 ip daddr != @nets4 oifname != @bridges "
			   "masquerade\n"
			   "		ip6 saddr @masq6 ip6 daddr != @nets6 oifname != @bridges "
			   "masquerade\n"
			   "	}\n";

/* Answers of an internal network's container to the machine are not forwarded: they come through.
 * A refusal is for neighbours alone, who are to know at once (a reset of TCP: who gets an ICMPv6
 * error while he sends waits for a second; but one that was translated does not find its way
 * back); others get no answer. */
static const char filter[] = "	chain forward {\n"
			     "		type filter hook forward priority -5; policy accept;\n"
			     "		iifname @bridges goto leaving\n"
			     "		oifname @bridges goto entering\n"
			     "	}\n"
			     "	chain refuse {\n"
			     "		ct status dnat reject with icmpx admin-prohibited\n"
			     "		meta l4proto tcp reject with tcp reset\n"
			     "		reject with icmpx admin-prohibited\n"
			     "	}\n"
			     "	chain leaving {\n"
			     "		ct state established,related accept\n"
			     "		iifname . oifname @icc accept\n"
			     "		ct original ip daddr @vips4 counter goto refuse\n"
			     "		ct original ip6 daddr @vips6 counter goto refuse\n"
			     "		iifname @internal counter goto refuse\n"
			     "		oifname @internal counter goto refuse\n"
			     "		ct status dnat accept\n"
			     "		iifname @open oifname @open accept\n"
			     "		oifname @routed accept\n"
			     "		oifname @bridges counter goto refuse\n"
			     "	}\n"
			     "	chain entering {\n"
			     "		ct state established,related accept\n"
			     "		oifname @internal counter drop\n"
			     "		ct original ip daddr @vips4 counter drop\n"
			     "		ct original ip6 daddr @vips6 counter drop\n"
			     "		ct status dnat accept\n"
			     "		oifname @routed accept\n"
			     "		counter drop\n"
			     "	}\n";

void fw_text(const char *table, struct buf *ret)
{
	buf_addf(ret, "table inet %s {\n", table);
	buf_addf(ret, "%s%s%s%s}\n", sets, slots, translation, filter);
}
