/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_pasta.h"

#include <netinet/in.h>

#include "base/str.h"
#include "base/strv.h"
#include "net/pasta.h"
#include "sys/pidfd.h"

static char *pid_file(const struct engine *eng, const char *id)
{
	return xasprintf("%s/containers/%s/pasta.pid", eng->runroot, id);
}

/* "8080:80", "192.0.2.1/8080:80"; all addresses of both families are one word. */
static char **ports_of(const struct port_bindings *ports)
{
	char **words = NULL;

	for (size_t i = 0; i < ports->n; i++) {
		const struct port_binding *p = &ports->items[i];
		char addr[NET_ADDR_TEXT];
		cleanup_free char *word =
		    net_addr_is_any(&p->host)
			? xasprintf("%u:%u", p->host_port, p->port)
			: xasprintf("%s/%u:%u", net_addr_format(&p->host, addr), p->host_port,
				    p->port);
		const char *option = p->proto == IPPROTO_UDP ? "-u" : "-t";
		bool there = false;

		for (size_t k = 0; words && words[k]; k += 2)
			there |= str_eq(words[k], option) && str_eq(words[k + 1], word);
		if (there)
			continue;
		strv_add(&words, option);
		strv_add(&words, word);
	}
	return words;
}

int net_pasta_start(struct engine *eng, const struct record *rec, const struct port_bindings *ports,
		    int pidfd, struct err *err)
{
	cleanup_free char *file = pid_file(eng, rec->id);
	cleanup_strv char **words = ports_of(ports);
	cleanup_strv char **options = NULL;
	struct pasta p = { .pid_file = file, .ports = words };
	int r = pasta_options_parse(rec->options.pasta, &options, err);

	if (r < 0)
		return r;
	p.options = options;
	p.pid = pidfd < 0 ? -ESRCH : pidfd_pid(pidfd);
	if (p.pid < 0)
		return err_errno(err, -p.pid, "finding the container's first process");
	pasta_end(file); /* of another life of this container */
	return pasta_start(&p, err);
}

void net_pasta_end(struct engine *eng, const char *id)
{
	cleanup_free char *file = eng->rootless ? pid_file(eng, id) : NULL;

	if (file)
		pasta_end(file);
}
