/* SPDX-License-Identifier: Apache-2.0 */
/* Words of --network, one a line; and that no name comes out that leads out of anywhere. */
#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "net/netspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(const char *s)
{
	return !s || (!strpbrk(s, "/ \t\n:,") && !str_eq(s, "."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup_strv char **words = strv_split(text, '\n');
	struct netspec *list;
	size_t n;

	if (netspec_list_parse(words, &list, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		const struct netspec *s = &list[i];

		if ((s->kind == NETSPEC_NETWORK && (!s->target || !is_plain(s->target))) ||
		    !is_plain(s->interface) || !is_plain(s->host_interface) ||
		    (s->kind == NETSPEC_VLAN) != (s->vlan != 0) ||
		    (netspec_is_adhoc(s) && !str_is_ifname(s->target)) ||
		    (netspec_is_adhoc(s) && (s->ip.family != 0) != (s->prefix != 0)) ||
		    (s->kind == NETSPEC_NETWORK &&
		     (s->prefix || s->prefix6 || s->gateway.family)) ||
		    (s->bandwidth && s->kind != NETSPEC_CNI))
			abort();
		for (char **a = s->aliases; a && *a; a++)
			if (!is_plain(*a))
				abort();
		for (char **c = s->sysctls; c && *c; c++) {
			cleanup_free char *name = xstrndup(*c, strcspn(*c, "="));

			if (strstr(name, "..") || !is_plain(name))
				abort();
		}
	}
	netspec_list_free(list, n);
	return 0;
}
