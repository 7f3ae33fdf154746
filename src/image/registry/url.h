/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of the web: parsed by libcurl's own parser, so that what is checked here is what will
 * be connected to. Only http and https, without user names; text is normalised.
 */
#pragma once

#include <sys/socket.h>

#include "base/err.h"

#define URL_MAX 16384

struct url {
	char *text; /* whole, without a fragment */
	char *host; /* lower case, IPv6 without brackets */
	uint32_t port;
	bool https;
	bool port_given; /* it stands in the text */
};

int url_parse(const char *text, struct url *ret, struct err *err);
/* location as it stands in an answer to base: absolute, or a part. */
int url_resolve(const struct url *base, const char *location, struct url *ret, struct err *err);
void url_done(struct url *url);
#define cleanup_url CLEANUP(url_done)
void url_copy(const struct url *url, struct url *ret);

/* Scheme, host and port: credentials stay within these. */
bool url_same_origin(const struct url *a, const struct url *b);
bool url_same_host(const struct url *a, const struct url *b);
/* "host" or "host:port" as people write it, brackets around IPv6. The caller frees. */
char *url_host_port(const struct url *url);

/* text with ?name=value or &name=value, the value encoded. The caller frees. */
char *url_add_query(const char *text, const char *name, const char *value);

/* What kind of address a host is reached at: one that a registry elsewhere has no business to send
 * us to. */
enum address_class {
	ADDRESS_OTHER,
	ADDRESS_LOOPBACK = 1 << 0,
	ADDRESS_LINK_LOCAL = 1 << 1, /* and where clouds answer questions about the machine */
	ADDRESS_SPECIAL = 1 << 2     /* unspecified, multicast, broadcast */
};
enum address_class address_class_of(const struct sockaddr *address);
/* Of a literal address, or of "localhost"; ADDRESS_OTHER for other names. */
enum address_class host_class_of(const char *host);
