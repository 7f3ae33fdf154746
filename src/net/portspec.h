/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of -p and --expose, docker's. Pure: whether a port is free is the kernel's to say.
 */
#pragma once

#include "net/ipam.h"

struct port_range {
	uint16_t first, last; /* 1 to 65535, first <= last; both 0: none given */
};
struct port_publish {
	uint8_t proto;        /* IPPROTO_TCP, _UDP, _SCTP */
	struct net_addr host; /* family 0: all addresses of the host */
	/* None: a free one for each. As many as in the container: one by one, in order. More, for
	 * a single one in the container: the first of them that is free. */
	struct port_range host_ports;
	struct port_range ports; /* in the container */
};

/* [[ADDRESS:][HOSTPORT[-LAST]]:]PORT[-LAST][/PROTOCOL], an IPv6 address in brackets or, as docker
 * has it, without. HOSTPORT 0 is none. Other than docker's: no leading zeros, no port 0 in the
 * container, no range from 0, nothing behind the protocol, no [] and no ::ffff:1.2.3.4. ERR_USAGE.
 */
int port_publish_parse(const char *word, struct port_publish *ret, struct err *err);
/* PORT[-LAST][/PROTOCOL] of --expose, or of an image: as -P publishes them, on free ports. */
int port_expose_parse(const char *word, struct port_publish *ret, struct err *err);

/* "80", "80-90". -EINVAL. */
int port_range_parse(const char *text, struct port_range *ret);
/* "tcp" and so on in any case, "" is tcp. -EINVAL. */
int port_proto_parse(const char *text, uint8_t *ret);
const char *port_proto_name(uint8_t proto);
