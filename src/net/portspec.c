/* SPDX-License-Identifier: Apache-2.0 */
#include "net/portspec.h"

#include <netinet/in.h>
#include <strings.h>

#include "base/str.h"

#define WORD_MAX 128 /* none that means something has as much */

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };

int port_proto_parse(const char *text, uint8_t *ret)
{
	if (!*text)
		text = "tcp";
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		if (strcasecmp(text, protos[i].name) != 0)
			continue;
		*ret = protos[i].proto;
		return 0;
	}
	return -EINVAL;
}

const char *port_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (proto == protos[i].proto)
			return protos[i].name;
	return "unknown";
}

static int parse_number(const char *text, uint16_t *ret)
{
	uint32_t n;

	if (str_parse_u32(text, &n) < 0 || n < 1 || n > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

int port_range_parse(const char *text, struct port_range *ret)
{
	cleanup_free char *first = xstrndup(text, strcspn(text, "-"));
	const char *last = strchr(text, '-');
	struct port_range range;

	if (parse_number(first, &range.first) < 0 ||
	    parse_number(last ? last + 1 : first, &range.last) < 0 || range.last < range.first)
		return -EINVAL;
	*ret = range;
	return 0;
}

/* PORT[-LAST][/PROTOCOL]; *word is cut at the slash. */
static int parse_container(char *word, struct port_publish *p, struct err *err)
{
	char *slash = strchr(word, '/');

	if (slash)
		*slash++ = '\0';
	if (port_proto_parse(slash ? slash : "", &p->proto) < 0)
		return err_hint(err, err_fail(err, ERR_USAGE, "invalid proto: %s", slash),
				"the protocol of a port is tcp, udp or sctp");
	if (port_range_parse(word, &p->ports) < 0)
		return err_hint(err, err_fail(err, ERR_USAGE, "invalid containerPort: %s", word),
				"wanted is a number from 1 to 65535, or a range of them: 80-90");
	return 0;
}

static int parse_host_ports(const char *word, struct port_publish *p, struct err *err)
{
	struct net_addr a;
	int r;

	if (!*word || str_eq(word, "0") || port_range_parse(word, &p->host_ports) == 0)
		return 0;
	r = err_fail(err, ERR_USAGE, "invalid hostPort: %s", word);
	if (word[0] == '[' || net_addr_parse(word, &a, NULL) == 0)
		return err_hint(err, r, "an address takes two ports: %s:8080:80, or %s::80 for any",
				word, word);
	return err_hint(err, r,
			"wanted is a number from 1 to 65535, a range of them, 8000-8010, or "
			"nothing for any that is free");
}

/* ADDRESS or [ADDRESS], or "" for all; *word loses its brackets. */
static int parse_host(char *word, struct port_publish *p, struct err *err)
{
	size_t len = strlen(word);
	int r;

	if (!len)
		return 0;
	if (len > 2 && word[0] == '[' && word[len - 1] == ']') {
		word[len - 1] = '\0';
		word++;
	}
	r = net_addr_parse(word, &p->host, err);
	if (r == 0)
		return 0;
	err_set_kind(err, r, ERR_USAGE);
	if (strchr(word, ':'))
		return err_hint(err, r, "an IPv6 address goes in brackets: [2001:db8::1]:8080:80");
	return err_hint(err, r, "a port is published on an address of this host, not on a name");
}

/* Cuts the last field, which a colon outside of brackets begins, off *word. */
static char *cut_last(char *word)
{
	char *colon = strrchr(word, ':');

	if (!colon || strchr(colon, ']'))
		return NULL;
	*colon = '\0';
	return colon + 1;
}

static unsigned int range_len(const struct port_range *r)
{
	return r->last - r->first + 1U;
}

int port_publish_parse(const char *word, struct port_publish *ret, struct err *err)
{
	cleanup_free char *copy = xstrndup(word, WORD_MAX);
	char *container = cut_last(copy), *host = container ? copy : NULL;
	char *host_ports = host ? cut_last(host) : NULL;
	struct port_publish p = { 0 };
	int r;

	if (strlen(word) >= WORD_MAX)
		return err_fail(err, ERR_USAGE, "invalid port specification: %s: too long", copy);
	/* One field is the container's; of two, the first is the host's port. */
	if (!container)
		container = copy;
	else if (!host_ports) {
		host_ports = copy;
		host = NULL;
	}
	if (!*container || *container == '/')
		return err_fail(err, ERR_USAGE, "no port specified: %s<empty>", word);
	r = parse_container(container, &p, err);
	if (r == 0 && host)
		r = parse_host(host, &p, err);
	if (r == 0 && host_ports)
		r = parse_host_ports(host_ports, &p, err);
	if (r < 0)
		return r;
	if (p.host_ports.first && range_len(&p.ports) > 1 &&
	    range_len(&p.ports) != range_len(&p.host_ports))
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "invalid ranges specified for container and host Ports: "
					 "%s and %s",
					 container, host_ports),
				"a range in the container takes one of the same length");
	*ret = p;
	return 0;
}

int port_expose_parse(const char *word, struct port_publish *ret, struct err *err)
{
	cleanup_free char *copy = xstrndup(word, WORD_MAX);
	struct port_publish p = { 0 };
	int r;

	if (strlen(word) >= WORD_MAX || strchr(word, ':'))
		return err_hint(
		    err, err_fail(err, ERR_USAGE, "invalid port format for --expose: %s", copy),
		    "wanted is PORT[-PORT][/PROTOCOL]: a port in the container, not the host's");
	r = parse_container(copy, &p, err);
	if (r < 0)
		return err_wrap(err, r, "invalid range format for --expose: %s", word);
	*ret = p;
	return 0;
}
