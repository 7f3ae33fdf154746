/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/network_policy.h"
#include "engine/run_internal.h"

/* Who may change the table from inside. */
static bool rules_networks(const struct run_options *o)
{
	bool yes = o->privileged;

	for (char **w = o->cap_add; w && *w; w++) {
		const char *name = strncasecmp(*w, "CAP_", 4) == 0 ? *w + 4 : *w;

		yes |= strcasecmp(name, "NET_ADMIN") == 0 || strcasecmp(name, "ALL") == 0;
	}
	return yes;
}

int run_policy(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	const char *option = o->firewall ? "--firewall" : "--egress";
	CLEANUP(net_policy_done) struct net_policy policy = { 0 };
	int r = policy_words_parse(o->firewall, o->egress, &policy, NULL, err);

	if (r < 0 || (!o->firewall && !o->egress))
		return r;
	if (!run->n_nets && !run->rec.options.pasta && !run->rec.options.cni)
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "%s: the container is on no network of its own", option),
				"add --network NAME");
	r = policy_check_networks(run->eng, &policy, err);
	if (r < 0)
		return err_wrap(err, r, "%s", option);
	if (rules_networks(o))
		log_warn("%s: with CAP_NET_ADMIN the container can change its own firewall",
			 option);
	run->rec.options.firewall = strv_copy(o->firewall);
	run->rec.options.egress = strv_copy(o->egress);
	return 0;
}
