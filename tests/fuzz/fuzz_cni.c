/* SPDX-License-Identifier: Apache-2.0 */
/* CNI: lists of an administrator, and what plugins say. The first byte chooses. */
#include "net/cni.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void result(const char *text, size_t len)
{
	cleanup_cni_result struct cni_result r = { 0 };
	struct net_addr addr, gateway;

	if (cni_result_parse(text, len, &r, NULL) < 0)
		return;
	for (size_t i = 0; i < r.ips.n; i++)
		if (cni_result_address(&r, i, &addr, &gateway) > 128)
			abort();
	if (cni_result_address(&r, r.ips.n, &addr, &gateway) != -ENOENT)
		abort();
}

static void list(const char *text, size_t len, bool single)
{
	cleanup_cni_list struct cni_list l = { 0 };

	if (cni_list_parse(text, len, single, "it", &l, NULL) < 0)
		return;
	if (!l.name || !l.version || l.plugins.n == 0)
		abort();
	cni_list_takes(&l, "portMappings");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	if (data[0] == 'l' || data[0] == 's')
		list(text, size - 1, data[0] == 's');
	else if (data[0] == 'e')
		cni_failure(text, size - 1, 1, NULL);
	else
		result(text, size - 1);
	return 0;
}
