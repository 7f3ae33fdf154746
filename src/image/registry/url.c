/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include "base/buf.h"
#include "base/str.h"

static void curlu_cleanup_(CURLU **u)
{
	curl_url_cleanup(*u);
}
#define cleanup_curlu CLEANUP(curlu_cleanup_)

/* Copies a part out of libcurl's memory; NULL when there is none. */
static char *part(CURLU *u, CURLUPart what, unsigned int flags)
{
	char *value = NULL;

	if (curl_url_get(u, what, &value, flags) != CURLUE_OK)
		return NULL;
	char *copy = xstrdup(value);
	curl_free(value);
	return copy;
}

static int url_take(CURLU *u, struct url *ret, struct err *err)
{
	struct url url = { NULL };

	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	cleanup_free char *scheme = part(u, CURLUPART_SCHEME, 0);
	cleanup_free char *user = part(u, CURLUPART_USER, 0);
	cleanup_free char *password = part(u, CURLUPART_PASSWORD, 0);
	cleanup_free char *given = part(u, CURLUPART_PORT, 0);
	cleanup_free char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	cleanup_free char *host = part(u, CURLUPART_HOST, 0);
	cleanup_free char *text = part(u, CURLUPART_URL, 0);
	if (!str_eq(scheme, "https") && !str_eq(scheme, "http"))
		return err_fail(err, ERR_DENIED, "an address that is neither https nor http");
	if (user || password)
		return err_fail(err, ERR_DENIED, "an address with a user name in it");
	if (!host || !text || !host[0] || strlen(text) > URL_MAX || !port ||
	    str_parse_u32(port, &url.port) < 0)
		return err_fail(err, ERR_INVALID, "an address that is not well-formed");
	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	size_t len = strlen(host);
	if (host[0] == '[' && host[len - 1] == ']') {
		memmove(host, host + 1, len);
		host[len - 2] = '\0';
	}
	url.https = str_eq(scheme, "https");
	url.port_given = given;
	url.host = take_ptr(host);
	url.text = take_ptr(text);
	*ret = url;
	return 0;
}

static int url_read(const char *base, const char *text, struct url *ret, struct err *err)
{
	cleanup_curlu CURLU *u = curl_url();

	if (!u)
		abort();
	if (strlen(text) > URL_MAX)
		return err_fail(err, ERR_LIMIT, "an address longer than %d bytes", URL_MAX);
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '\\')
			return err_fail(err, ERR_INVALID, "an address that is not well-formed");
	if ((base && curl_url_set(u, CURLUPART_URL, base, 0) != CURLUE_OK) ||
	    curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return err_fail(err, ERR_INVALID, "an address that is not well-formed");
	return url_take(u, ret, err);
}

int url_parse(const char *text, struct url *ret, struct err *err)
{
	return url_read(NULL, text, ret, err);
}

int url_resolve(const struct url *base, const char *location, struct url *ret, struct err *err)
{
	return url_read(base->text, location, ret, err);
}

void url_done(struct url *url)
{
	free(url->text);
	free(url->host);
	memset(url, 0, sizeof(*url));
}

void url_copy(const struct url *url, struct url *ret)
{
	*ret = *url;
	ret->text = xstrdup(url->text);
	ret->host = xstrdup(url->host);
}

bool url_same_host(const struct url *a, const struct url *b)
{
	return str_eq(a->host, b->host);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return url_same_host(a, b) && a->port == b->port && a->https == b->https;
}

char *url_host_port(const struct url *url)
{
	const char *open = strchr(url->host, ':') ? "[" : "", *end = *open ? "]" : "";

	if (!url->port_given)
		return xasprintf("%s%s%s", open, url->host, end);
	return xasprintf("%s%s%s:%u", open, url->host, end, url->port);
}

char *url_add_query(const char *text, const char *name, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";
	struct buf out = BUF_INIT;

	buf_addf(&out, "%s%c%s=", text, strchr(text, '?') ? '&' : '?', name);
	for (const char *c = value; *c; c++) {
		unsigned char u = (unsigned char)*c;
		if (isalnum(u) || strchr("-._~:/,", *c)) {
			buf_addc(&out, *c);
		} else {
			buf_addc(&out, '%');
			buf_addc(&out, digits[u >> 4]);
			buf_addc(&out, digits[u & 15]);
		}
	}
	return buf_take(&out);
}

/* ---- addresses ---- */

static enum address_class class_of_4(uint32_t a)
{
	if (a >> 24 == 127)
		return ADDRESS_LOOPBACK;
	/* 169.254/16; 100.100.100.200 and 168.63.129.16 are such services outside of it */
	if (a >> 16 == 0xa9fe || a == 0x646464c8 || a == 0xa83f8110)
		return ADDRESS_LINK_LOCAL;
	if (a >> 24 == 0 || a >> 28 >= 0xe)
		return ADDRESS_SPECIAL;
	return ADDRESS_OTHER;
}

static enum address_class class_of_6(const struct in6_addr *a)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
	static const uint8_t ec2[16] = { 0xfd, 0, 0x0e, 0xc2, [14] = 2, [15] = 0x54 };
	uint32_t low;

	memcpy(&low, a->s6_addr + 12, sizeof(low));
	if (IN6_IS_ADDR_LOOPBACK(a))
		return ADDRESS_LOOPBACK;
	if (IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_MULTICAST(a))
		return ADDRESS_SPECIAL;
	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a) ||
	    memcmp(a->s6_addr, nat64, sizeof(nat64)) == 0)
		return class_of_4(ntohl(low));
	if (IN6_IS_ADDR_LINKLOCAL(a) || memcmp(a->s6_addr, ec2, sizeof(ec2)) == 0)
		return ADDRESS_LINK_LOCAL;
	return ADDRESS_OTHER;
}

enum address_class address_class_of(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, address, sizeof(in));
		return class_of_4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, address, sizeof(in6));
		return class_of_6(&in6.sin6_addr);
	}
	return ADDRESS_SPECIAL;
}

enum address_class host_class_of(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return class_of_4(ntohl(v4.s_addr));
	/* a zone ("fe80::1%eth0") is link-local by its nature */
	if (strchr(host, ':') && strchr(host, '%'))
		return ADDRESS_LINK_LOCAL;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return class_of_6(&v6);
	if (str_eq(host, "localhost") || str_ends(host, ".localhost"))
		return ADDRESS_LOOPBACK;
	return ADDRESS_OTHER;
}
