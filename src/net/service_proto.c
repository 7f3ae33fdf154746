/* SPDX-License-Identifier: Apache-2.0 */
#include "net/service_proto.h"

#include <netinet/in.h>
#include <string.h>

static bool address_ok(const struct net_addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static bool relay_ok(const struct service_relay *r)
{
	return address_ok(&r->from) && address_ok(&r->to) && r->from_port && r->to_port &&
	       (r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP);
}

static bool put_ok(const struct service_put *p, size_t len, size_t n_fds)
{
	const struct service_relay *relays = (const void *)(p + 1);

	if (len < sizeof(*p) || p->n_networks > SERVICE_NETWORKS ||
	    p->n_servers > SERVICE_SERVERS || p->n_relays > SERVICE_RELAYS ||
	    len != sizeof(*p) + p->n_relays * sizeof(*relays) || n_fds != (p->dns ? 3 : 1))
		return false;
	if ((p->addresses[0].family && p->addresses[0].family != AF_INET) ||
	    (p->addresses[1].family && p->addresses[1].family != AF_INET6))
		return false;
	for (size_t i = 0; i < p->n_servers; i++)
		if (!address_ok(&p->servers[i]))
			return false;
	for (size_t i = 0; i < p->n_relays; i++)
		if (!relay_ok(&relays[i]))
			return false;
	return true;
}

int service_request_check(const void *data, size_t len, size_t n_fds)
{
	const struct service_head *head = data;

	if (len < sizeof(*head) || head->version != SERVICE_VERSION)
		return -EBADMSG;
	if (head->type == SERVICE_REMOVE)
		return len == sizeof(*head) && n_fds == 0 ? 0 : -EBADMSG;
	return head->type == SERVICE_PUT && put_ok(data, len, n_fds) ? 0 : -EBADMSG;
}
