/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of net/cni.h, for tests/cli/test_cni.py:
 *   cni_call add|check|del STATEDIR CONFDIR NETWORK ID IFNAME NETNS [CAPABILITY JSON]...
 * add prints the first address; NETNS "" is one that is gone. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/str.h"
#include "net/cni.h"

static int add(const struct cni_call *call, const char *conf, const char *network, struct err *err)
{
	cleanup_cni_result struct cni_result result = { 0 };
	cleanup_cni_list struct cni_list list = { 0 };
	struct net_addr addr, gateway;
	char text[NET_ADDR_TEXT];
	int r = cni_list_find(conf, network, &list, err);

	if (r == 0)
		r = cni_add(call, &list, &result, err);
	if (r == 0 && cni_result_address(&result, 0, &addr, &gateway) >= 0)
		puts(net_addr_format(&addr, text));
	return r;
}

int main(int argc, char **argv)
{
	struct json_map capabilities = { 0 };
	struct cni_call call = { .capabilities = &capabilities };
	struct err err = ERR_INIT;
	int r = -EINVAL;

	if (argc < 8)
		return 2;
	call.dir = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	call.container = argv[5];
	call.ifname = argv[6];
	call.netns = argv[7][0] ? argv[7] : NULL;
	for (int i = 8; i + 1 < argc; i += 2)
		json_map_set(&capabilities, argv[i], argv[i + 1]);
	if (str_eq(argv[1], "add"))
		r = add(&call, argv[3], argv[4], &err);
	else if (str_eq(argv[1], "check"))
		r = cni_check(&call, &err);
	else if (str_eq(argv[1], "del"))
		r = cni_del(call.dir, call.container, call.netns, false, &err);
	json_map_done(&capabilities);
	fd_close(call.dir);
	if (r < 0)
		fprintf(stderr, "%s\n%s\n", err.msg, err.hint);
	return r < 0;
}
