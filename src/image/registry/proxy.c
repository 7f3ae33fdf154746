/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "base/str.h"
#include "base/strv.h"

static const char *env_either(char *const *env, const char *lower)
{
	char upper[16];
	size_t i = 0;

	const char *value = strv_env_get(env, lower);
	if (value && value[0])
		return value;
	for (; lower[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)toupper((unsigned char)lower[i]);
	upper[i] = '\0';
	value = strv_env_get(env, upper);
	return value && value[0] ? value : NULL;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	uint8_t mask = (uint8_t)(0xff << (8 - bits % 8));
	return ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

/* net: "10.0.0.0/8", or a single address. */
static bool in_network(const char *host, const char *net)
{
	uint8_t host_bytes[16], net_bytes[16];
	const char *slash = strchr(net, '/');
	cleanup_free char *address = xstrndup(net, slash ? (size_t)(slash - net) : strlen(net));
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	uint32_t bits = family == AF_INET ? 32 : 128, max = bits;

	if (slash && (str_parse_u32(slash + 1, &bits) < 0 || bits > max))
		return false;
	return inet_pton(family, host, host_bytes) == 1 &&
	       inet_pton(family, address, net_bytes) == 1 &&
	       bits_equal(host_bytes, net_bytes, bits);
}

/* Cuts ":port" off, and brackets. False: the port is another one. */
static bool split_port(char *entry, uint32_t port)
{
	char *colon = strrchr(entry, ':');
	uint32_t number;

	if (colon && (entry[0] == '[' ? colon[-1] == ']' : strchr(entry, ':') == colon) &&
	    str_parse_u32(colon + 1, &number) == 0) {
		if (number != port)
			return false;
		*colon = '\0';
	}
	size_t len = strlen(entry);
	if (len > 2 && entry[0] == '[' && entry[len - 1] == ']') {
		memmove(entry, entry + 1, len);
		entry[len - 2] = '\0';
	}
	return true;
}

static bool entry_matches(char *entry, const struct url *url)
{
	if (str_eq(entry, "*"))
		return true;
	if (!entry[0] || !split_port(entry, url->port))
		return false;
	if (in_network(url->host, entry))
		return true;
	const char *domain = str_starts(entry, "*.") ? entry + 1 : entry;
	size_t host_len = strlen(url->host), len = strlen(domain);
	if (domain[0] != '.' && strcasecmp(url->host, domain) == 0)
		return true;
	if (host_len <= len || strcasecmp(url->host + host_len - len, domain) != 0)
		return false;
	return domain[0] == '.' || url->host[host_len - len - 1] == '.';
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	for (size_t len = strlen(s); len > 0 && isspace((unsigned char)s[len - 1]); len--)
		s[len - 1] = '\0';
	return s;
}

const char *proxy_for(char *const *env, const struct url *url)
{
	const char *proxy = env_either(env, url->https ? "https_proxy" : "http_proxy");
	const char *no_proxy = env_either(env, "no_proxy");

	if (!proxy)
		proxy = env_either(env, "all_proxy");
	if (!proxy || host_class_of(url->host) == ADDRESS_LOOPBACK)
		return NULL;
	cleanup_strv char **entries = strv_split(no_proxy ? no_proxy : "", ',');
	for (char **entry = entries; *entry; entry++)
		if (entry_matches(trim(*entry), url))
			return NULL;
	return proxy;
}
