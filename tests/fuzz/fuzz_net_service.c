/* SPDX-License-Identifier: Apache-2.0 */
/* What inro-net is asked, of which the first byte says how many fds come along; and a resolv.conf.
 */
#include <string.h>

#include "net/service/helper.h"
#include "net/service_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union address servers[SERVICE_SERVERS];
	struct service_put *p;

	if (size == 0)
		return 0;
	cleanup_free char *text = xstrndup((const char *)data, size);
	if (resolv_parse(text, servers) > SERVICE_SERVERS)
		abort();
	/* exactly as large as what came, so that what reads behind it is found */
	cleanup_free void *request = xmalloc(size);
	memcpy(request, data + 1, size - 1);
	if (service_request_check(request, size - 1, data[0]) < 0)
		return 0;
	p = request;
	if (p->head.type == SERVICE_PUT &&
	    (p->n_networks > SERVICE_NETWORKS || p->n_servers > SERVICE_SERVERS ||
	     size - 1 != sizeof(*p) + p->n_relays * sizeof(struct service_relay)))
		abort();
	return 0;
}
