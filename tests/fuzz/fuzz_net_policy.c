/* SPDX-License-Identifier: Apache-2.0 */
/* Words of --firewall and --egress, one a line, each read as both. */
#include <string.h>

#include "base/strv.h"
#include "net/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct net_policy *p, const struct net_rule *r)
{
	if (!(r->out ? p->out : p->in) || r->n_ports > NET_RULE_PORTS ||
	    (r->network && (r->peer.base.family || strpbrk(r->network, " \t\n;{}\"/@$#\\"))))
		abort();
	for (unsigned int i = 0; i < r->n_ports; i++)
		if (!r->ports[i].first || r->ports[i].last < r->ports[i].first)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup_strv char **words = strv_split(text, '\n');
	struct net_policy p = { 0 };

	for (char **w = words; *w; w++) {
		size_t n = p.n;

		if (net_policy_firewall(&p, *w, NULL) < 0 && p.n != n)
			abort();
		n = p.n;
		if (net_policy_egress(&p, *w, NULL) < 0 && p.n != n)
			abort();
	}
	for (size_t i = 0; i < p.n; i++)
		check_rule(&p, &p.rules[i]);
	net_policy_done(&p);
	return 0;
}
