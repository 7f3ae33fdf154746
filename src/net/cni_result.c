/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/cni.h"

#define LISTED_MAX 4096 /* interfaces, addresses, routes */
#define SAID_MAX   300  /* of a message that is shown */

static const struct json_field interface_fields[] = {
	JSON_FIELD(struct cni_interface, name, "name", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct cni_interface, mac, "mac", JSON_STR),
	JSON_FIELD(struct cni_interface, sandbox, "sandbox", JSON_STR),
};
static const struct json_desc interface_desc = JSON_DESC(struct cni_interface, interface_fields);

/* "ADDRESS/PREFIX", host bits and all: the prefix, or -EINVAL. */
static int parse_cidr(const char *text, struct net_addr *ret)
{
	const char *slash = strchr(text, '/');
	cleanup_free char *addr = xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
	uint32_t prefix;

	if (!slash || net_addr_parse(addr, ret, NULL) < 0 ||
	    str_parse_u32(slash + 1, &prefix) < 0 || prefix > (ret->family == AF_INET ? 32 : 128))
		return -EINVAL;
	return (int)prefix;
}

static int check_ip(const void *object, struct err *err)
{
	const struct cni_ip *ip = object;
	struct net_addr a;

	if (parse_cidr(ip->address, &a) < 0)
		return json_fail(err, "address", "expected ADDRESS/PREFIX");
	if (ip->gateway && *ip->gateway && net_addr_parse(ip->gateway, &a, NULL) < 0)
		return json_fail(err, "gateway", "expected an IP address");
	return 0;
}
static const struct json_field ip_fields[] = {
	JSON_FIELD(struct cni_ip, address, "address", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct cni_ip, gateway, "gateway", JSON_STR),
	JSON_FIELD(struct cni_ip, interface, "interface", JSON_OPT_I64),
};
static const struct json_desc ip_desc = JSON_DESC(struct cni_ip, ip_fields, .check = check_ip);

static int check_route(const void *object, struct err *err)
{
	const struct cni_route *route = object;
	struct net_addr a;

	if (parse_cidr(route->dst, &a) < 0)
		return json_fail(err, "dst", "expected ADDRESS/PREFIX");
	if (route->gw && *route->gw && net_addr_parse(route->gw, &a, NULL) < 0)
		return json_fail(err, "gw", "expected an IP address");
	return 0;
}
static const struct json_field route_fields[] = {
	JSON_FIELD(struct cni_route, dst, "dst", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct cni_route, gw, "gw", JSON_STR),
};
static const struct json_desc route_desc =
    JSON_DESC(struct cni_route, route_fields, .check = check_route);

/* They become lines of /etc/resolv.conf. */
static bool are_words(char *const *words)
{
	for (; words && *words; words++)
		for (const char *p = *words; *p || p == *words; p++)
			if (*p <= ' ' || *p == 0x7f)
				return false;
	return true;
}

static int check_dns(const void *object, struct err *err)
{
	const struct cni_dns *dns = object;
	char *const domain[] = { dns->domain && *dns->domain ? dns->domain : NULL, NULL };
	struct net_addr a;

	for (char **w = dns->nameservers; w && *w; w++)
		if (net_addr_parse(*w, &a, NULL) < 0)
			return json_fail(err, "nameservers", "expected IP addresses");
	if (!are_words(domain) || !are_words(dns->search) || !are_words(dns->options))
		return json_fail(err, "", "expected words without spaces");
	return 0;
}
static const struct json_field dns_fields[] = {
	JSON_FIELD(struct cni_dns, nameservers, "nameservers", JSON_STRV),
	JSON_FIELD(struct cni_dns, domain, "domain", JSON_STR),
	JSON_FIELD(struct cni_dns, search, "search", JSON_STRV),
	JSON_FIELD(struct cni_dns, options, "options", JSON_STRV),
};
static const struct json_desc dns_desc = JSON_DESC(struct cni_dns, dns_fields, .check = check_dns);

static int check_result(const void *object, struct err *err)
{
	const struct cni_result *r = object;

	if (r->interfaces.n > LISTED_MAX || r->ips.n > LISTED_MAX || r->routes.n > LISTED_MAX)
		return json_fail(err, "", "more than %u interfaces, ips or routes", LISTED_MAX);
	for (size_t i = 0; i < r->ips.n; i++) {
		const struct opt_i64 *at = &r->ips.items[i].interface;

		/* -1 is "none" to plugins of old versions */
		if (at->set && (at->value < -1 || at->value >= (int64_t)r->interfaces.n))
			return json_fail(err, "ips[].interface", "there is no number %lld",
					 (long long)at->value);
	}
	return 0;
}
static const struct json_field result_fields[] = {
	JSON_FIELD(struct cni_result, version, "cniVersion", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct cni_result, interfaces, "interfaces", JSON_ARRAY,
		   .desc = &interface_desc),
	JSON_FIELD(struct cni_result, ips, "ips", JSON_ARRAY, .desc = &ip_desc),
	JSON_FIELD(struct cni_result, routes, "routes", JSON_ARRAY, .desc = &route_desc),
	JSON_FIELD(struct cni_result, dns, "dns", JSON_STRUCT, .desc = &dns_desc),
};
static const struct json_desc result_desc =
    JSON_DESC(struct cni_result, result_fields, .check = check_result);

void cni_result_done(struct cni_result *r)
{
	json_free(&result_desc, r);
}

int cni_result_parse(const char *text, size_t len, struct cni_result *ret, struct err *err)
{
	*ret = (struct cni_result){ 0 };
	return json_parse(&result_desc, ret, text, len, "its result", err);
}

static bool in_container(const struct cni_result *r, const struct cni_ip *ip)
{
	const char *sandbox;

	if (!ip->interface.set || ip->interface.value < 0)
		return true;
	sandbox = r->interfaces.items[ip->interface.value].sandbox;
	return sandbox && *sandbox;
}

int cni_result_address(const struct cni_result *r, size_t i, struct net_addr *ret,
		       struct net_addr *ret_gateway)
{
	for (size_t at = 0; at < r->ips.n; at++) {
		const struct cni_ip *ip = &r->ips.items[at];

		if (!in_container(r, ip) || i--)
			continue;
		*ret_gateway = (struct net_addr){ .family = 0 };
		if (ip->gateway && *ip->gateway)
			net_addr_parse(ip->gateway, ret_gateway, NULL);
		return parse_cidr(ip->address, ret);
	}
	return -ENOENT;
}

struct failure {
	uint32_t code;
	char *msg, *details;
};
static const struct json_field failure_fields[] = {
	JSON_FIELD(struct failure, code, "code", JSON_U32, .flags = JSON_REQUIRED),
	JSON_FIELD(struct failure, msg, "msg", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct failure, details, "details", JSON_STR),
};
static const struct json_desc failure_desc = JSON_DESC(struct failure, failure_fields);

int cni_failure(const char *text, size_t len, int status, struct err *err)
{
	struct failure f = { 0 };
	bool more;

	if (json_parse(&failure_desc, &f, text, len, "error", NULL) < 0)
		return err_fail(err, ERR_SYSTEM, "it ended with status %d", status);
	more = f.details && *f.details;
	err_fail(err, ERR_SYSTEM, "code %u: %.*s%s%.*s", f.code, SAID_MAX, f.msg, more ? ": " : "",
		 SAID_MAX, more ? f.details : "");
	json_free(&failure_desc, &f);
	return -EIO;
}
