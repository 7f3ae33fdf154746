/* SPDX-License-Identifier: Apache-2.0 */
/* Words of -p; what was read leads to itself when it is written in full. */
#include <stdio.h>
#include <string.h>

#include "net/portspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_range(const struct port_range *a, const struct port_range *b)
{
	return a->first == b->first && a->last == b->last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	char full[128], host[NET_ADDR_TEXT], ports[16] = "";
	struct port_publish p, again;

	(void)port_expose_parse(text, &p, NULL);
	if (port_publish_parse(text, &p, NULL) < 0)
		return 0;
	if (!p.ports.first || p.ports.last < p.ports.first ||
	    p.host_ports.last < p.host_ports.first)
		abort();
	if (p.host_ports.first)
		snprintf(ports, sizeof(ports), "%u-%u", p.host_ports.first, p.host_ports.last);
	net_addr_format(&p.host, host);
	snprintf(full, sizeof(full), host[0] ? "[%s]:%s:%u-%u/%s" : "%s:%s:%u-%u/%s", host, ports,
		 p.ports.first, p.ports.last, port_proto_name(p.proto));
	if (port_publish_parse(full, &again, NULL) < 0 || again.proto != p.proto ||
	    !same_range(&p.ports, &again.ports) || !same_range(&p.host_ports, &again.host_ports) ||
	    again.host.family != p.host.family ||
	    (p.host.family && !net_addr_equal(&p.host, &again.host)))
		abort();
	return 0;
}
