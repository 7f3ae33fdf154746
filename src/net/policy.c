/* SPDX-License-Identifier: Apache-2.0 */
#include "net/policy.h"

#include <netinet/in.h>
#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "net/netspec.h"

#define WORD_MAX  4096
#define RULES_MAX 256 /* of one container */

void net_policy_done(struct net_policy *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->rules[i].network);
	free(p->rules);
	*p = (struct net_policy){ 0 };
}

/* Takes what the rule has. */
static int add_rule(struct net_policy *p, struct net_rule *rule, struct err *err)
{
	if (p->n >= RULES_MAX)
		return err_fail(err, ERR_USAGE, "more than %u rules for one container", RULES_MAX);
	p->rules = xrealloc(p->rules, (p->n + 1) * sizeof(*p->rules));
	p->rules[p->n++] = *rule;
	rule->network = NULL;
	if (rule->out)
		p->out = true;
	else
		p->in = true;
	return 0;
}

/* Words with any number of blanks between. */
static char **split_words(const char *text)
{
	char **words = NULL;

	for (;;) {
		size_t len;

		text += strspn(text, " \t");
		len = strcspn(text, " \t");
		if (!len)
			return words;
		strv_take(&words, xstrndup(text, len));
		text += len;
	}
}

static int parse_ports(const char *text, struct net_rule *rule, struct err *err)
{
	cleanup_strv char **words = strv_split(text, ',');

	for (char **w = words; *w; w++) {
		if (rule->n_ports >= NET_RULE_PORTS)
			return err_hint(err,
					err_fail(err, ERR_USAGE, "more than %u ports: %s",
						 NET_RULE_PORTS, text),
					"ranges count once, and there may be several rules");
		if (port_range_parse(*w, &rule->ports[rule->n_ports++]) < 0)
			return err_hint(
			    err, err_fail(err, ERR_USAGE, "invalid port \"%s\"", *w),
			    "ports are numbers from 1 to 65535 and ranges of them: 80,90-99");
	}
	return 0;
}

static int parse_peer(const char *text, struct net_rule *rule, struct err *err)
{
	struct net_addr a;
	int r = 0;

	if (str_eq(text, "any"))
		return 0;
	if (strchr(text, '/')) {
		r = subnet_parse(text, &rule->peer, err);
		return r < 0 ? err_set_kind(err, r, ERR_USAGE) : 0;
	}
	if (net_addr_parse(text, &a, NULL) == 0) {
		rule->peer = (struct subnet){ a, a.family == AF_INET ? 32 : 128 };
		return 0;
	}
	/* What could have been an address is no name. */
	if (!netspec_is_name(text) || !text[strspn(text, "0123456789.")])
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "\"%s\" is no address, subnet or network's name", text),
				"such as 192.0.2.7, 10.0.0.0/8, fd00::/8, front or any");
	rule->network = xstrdup(text);
	return 0;
}

static int parse_proto(const char *text, struct net_rule *rule, struct err *err)
{
	if (str_eq(text, "all"))
		return 0;
	if (str_eq(text, "icmp")) {
		rule->proto = IPPROTO_ICMP;
		return 0;
	}
	if (port_proto_parse(text, &rule->proto) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid protocol \"%s\": expected tcp, udp, sctp, icmp or all",
				text);
	return 0;
}

static bool is_side(const char *word)
{
	return str_eq(word, "from") || str_eq(word, "to");
}

/* from|to PEER, or nothing, behind which is nothing. */
static int parse_side(char *const *words, struct net_rule *rule, struct err *err)
{
	const char *side = rule->out ? "to" : "from";

	if (!words[0])
		return 0;
	if (!is_side(words[0]))
		return err_fail(err, ERR_USAGE, "unexpected \"%s\": expected %s PEER", words[0],
				side);
	if (!str_eq(words[0], side))
		return err_fail(err, ERR_USAGE, "%s goes with \"%s\", not with \"%s\"", side,
				rule->out ? "out" : "in", words[0]);
	if (!words[1])
		return err_fail(err, ERR_USAGE, "nothing behind \"%s\"", side);
	if (words[2])
		return err_hint(
		    err,
		    err_fail(err, ERR_USAGE, "unexpected \"%s\" behind %s", words[2], words[1]),
		    "one rule names one peer; --firewall may be repeated");
	return parse_peer(words[1], rule, err);
}

static int parse_rule(char *const *words, struct net_rule *rule, struct err *err)
{
	int r;

	if (!words || !words[0] || (!str_eq(words[0], "in") && !str_eq(words[0], "out")))
		return err_fail(err, ERR_USAGE, "a rule begins with \"in\" or \"out\"");
	rule->out = str_eq(words[0], "out");
	if (!words[1] || is_side(words[1]))
		return err_fail(err, ERR_USAGE,
				"no protocol: expected tcp, udp, sctp, icmp or all");
	r = parse_proto(words[1], rule, err);
	if (r < 0)
		return r;
	words += 2;
	if (words[0] && !is_side(words[0])) {
		if (!rule->proto || rule->proto == IPPROTO_ICMP)
			return err_fail(err, ERR_USAGE,
					"unexpected \"%s\": only tcp, udp and sctp have ports",
					words[0]);
		r = parse_ports(words[0], rule, err);
		words++;
	}
	return r < 0 ? r : parse_side(words, rule, err);
}

int net_policy_firewall(struct net_policy *p, const char *word, struct err *err)
{
	cleanup_strv char **words = NULL;
	struct net_rule rule = { 0 };
	int r;

	if (strlen(word) > WORD_MAX)
		return err_fail(err, ERR_USAGE, "--firewall: more than %u bytes in one rule",
				WORD_MAX);
	words = split_words(word);
	r = parse_rule(words, &rule, err);
	if (r == 0)
		r = add_rule(p, &rule, err);
	free(rule.network);
	if (r == 0)
		return 0;
	err_wrap(err, r, "--firewall \"%s\"", word);
	return err_hint(err, r,
			"in|out tcp|udp|sctp|icmp|all [PORTS] [from|to PEER], such as: in tcp "
			"80,90-99 from 10.0.0.0/8");
}

/* Where the ports of PEER[:PORTS] begin, or NULL. *peer loses them, and its brackets. */
static char *cut_ports(char **peer)
{
	char *slash = strchr(*peer, '/'), *end, *ports;

	if ((*peer)[0] == '[') {
		end = strchr(*peer, ']');
		if (!end || (end[1] && end[1] != ':'))
			return NULL;
		ports = end[1] ? end + 2 : NULL;
		*end = '\0';
		(*peer)++;
		return ports;
	}
	/* Two colons are IPv6's own, but behind a slash. */
	ports = strchr(*peer, ':');
	if (ports && strchr(ports + 1, ':'))
		ports = slash ? strchr(slash, ':') : NULL;
	if (!ports)
		return NULL;
	*ports = '\0';
	return ports + 1;
}

static int add_egress(struct net_policy *p, const char *word, struct err *err)
{
	cleanup_free char *copy = xstrdup(word);
	struct net_rule rule = { .out = true };
	char *peer = copy, *ports = cut_ports(&peer), *slash = ports ? strchr(ports, '/') : NULL;
	int r = 0;

	if (slash)
		*slash++ = '\0';
	if (ports && port_proto_parse(slash ? slash : "", &rule.proto) < 0)
		r = err_fail(err, ERR_USAGE, "invalid protocol \"%s\": expected tcp, udp or sctp",
			     slash);
	if (r == 0 && ports)
		r = parse_ports(ports, &rule, err);
	if (r == 0)
		r = parse_peer(peer, &rule, err);
	if (r == 0)
		r = add_rule(p, &rule, err);
	free(rule.network);
	return r;
}

/* Rules that came last go again. */
static void drop_rules(struct net_policy *p, size_t n, bool out)
{
	while (p->n > n)
		free(p->rules[--p->n].network);
	p->out = out;
}

int net_policy_egress(struct net_policy *p, const char *word, struct err *err)
{
	cleanup_strv char **words = NULL;
	size_t n = p->n;
	bool out = p->out;
	int r = 0;

	if (strlen(word) > WORD_MAX)
		return err_fail(err, ERR_USAGE, "--egress: more than %u bytes in one word",
				WORD_MAX);
	words = split_words(word);
	if (strv_len(words) == 1 && str_eq(words[0], "deny")) {
		p->out = true;
		return 0;
	}
	if (strv_len(words) < 2 || !str_eq(words[0], "allow"))
		r = err_fail(err, ERR_USAGE, "expected deny, or allow and who may be reached");
	for (size_t i = 1; r == 0 && words[i]; i++)
		r = add_egress(p, words[i], err);
	if (r == 0)
		return 0;
	drop_rules(p, n, out);
	err_wrap(err, r, "--egress \"%s\"", word);
	return err_hint(err, r,
			"deny, or allow PEER[:PORTS[/PROTOCOL]]..., such as: allow 10.0.0.0/8:443 "
			"[fd00::/8]:53/udp");
}
