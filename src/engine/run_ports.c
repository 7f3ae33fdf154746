/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports of a container that is to be made. */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/publish.h"
#include "engine/run_internal.h"
#include "net/netspec.h"

#define UNPRIVILEGED_PORTS   "/proc/sys/net/ipv4/ip_unprivileged_port_start"
#define UNPRIVILEGED_DEFAULT 1024

static bool asks(const struct run_options *o)
{
	return o->publish || o->publish_all;
}

/* From which port on anybody may bind. */
static uint32_t unprivileged_start(void)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *line = NULL;
	uint32_t start;

	if (io_read_file(AT_FDCWD, UNPRIVILEGED_PORTS, &text, 64, NULL) < 0)
		return UNPRIVILEGED_DEFAULT;
	line = xstrndup(buf_str(&text), strcspn(buf_str(&text), "\n"));
	return str_parse_u32(line, &start) < 0 ? UNPRIVILEGED_DEFAULT : start;
}

/* What a user can't publish, and root can. */
static int check_rights(const struct port_list *list, struct err *err)
{
	uint32_t start = unprivileged_start();

	for (size_t i = 0; i < list->n; i++) {
		const struct port_publish *p = &list->items[i];

		if (p->proto == IPPROTO_SCTP)
			return err_fail(err, ERR_UNSUPPORTED,
					"cannot publish port %u/sctp: without root ports are "
					"relayed, which is done for tcp and udp alone",
					p->ports.first);
		if (p->host_ports.first && p->host_ports.first < start)
			return err_hint(
			    err,
			    err_fail(err, ERR_DENIED,
				     "cannot publish on port %u: without root only ports from %u "
				     "on can be had",
				     p->host_ports.first, start),
			    "choose another port of the host (-p %u:%u), or, as root: sysctl -w "
			    "net.ipv4.ip_unprivileged_port_start=%u",
			    p->host_ports.first + 8000, p->ports.first, p->host_ports.first);
	}
	return 0;
}

static int check_words(const struct engine *eng, const struct run_options *o, struct err *err)
{
	cleanup_port_list struct port_list list = { 0 };
	int r = port_list_parse(o->publish, true, o->expose, &list, err);

	if (r < 0 || !eng->rootless)
		return r;
	port_list_done(&list);
	r = port_list_parse(o->publish, o->publish_all, o->expose, &list, err);
	return r < 0 ? r : check_rights(&list, err);
}

int run_check_ports(const struct run *run, struct err *err)
{
	return check_words(run->eng, run->opts, err);
}

/* podman's word for it. */
static void discard(const char *mode)
{
	log_warn("Port mappings have been discarded because \"%s\" network mode does not support "
		 "them",
		 mode);
}

/* docker's rules: 1: it can have ports; 0: not, and the user is told; or -errno. */
static int look_at_network(const struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	struct netspec spec = { .kind = NETSPEC_NONE };
	int r = o->network ? netspec_parse(run_network_word(o), &spec, err) : 0;
	enum netspec_kind kind = spec.kind;

	netspec_done(&spec);
	if (r < 0)
		return r;
	if (run->pod && strv_has(run->rec.options.pod_share, "network"))
		return asks(o) ? err_fail(err, ERR_USAGE,
					  "published or exposed ports must be defined when the pod "
					  "is created: network cannot be configured when it is "
					  "shared with a pod")
			       : 0;
	if (kind == NETSPEC_CONTAINER && (asks(o) || o->expose))
		return err_fail(err, ERR_USAGE,
				"conflicting options: port %s and the container type network mode",
				asks(o) ? "publishing" : "exposing");
	if (run->n_nets || kind == NETSPEC_NETWORK || kind == NETSPEC_PASTA || kind == NETSPEC_CNI)
		return 1;
	if (!asks(o))
		return 0;
	if (kind == NETSPEC_HOST)
		log_warn("Published ports are discarded when using host network mode");
	else
		discard(run_network_word(o));
	return 0;
}

/* A user's are not led by the kernel. */
static int check_relay(struct engine *eng, struct err *err)
{
	cleanup_free char *program = NULL;

	return !eng->rootless || engine_program(eng, "inro-net", &program, NULL) == 0
		   ? 0
		   : err_fail(err, ERR_UNSUPPORTED,
			      "publishing ports without root needs inro-net, which is not there");
}

int run_check_publish(struct engine *eng, const struct run_options *o, struct err *err)
{
	int r = check_words(eng, o, err);

	return r < 0 ? r : check_relay(eng, err);
}

int run_ports(struct run *run, struct err *err)
{
	const struct oci_config *image = run->config.config;
	struct record_options *to = &run->rec.options;
	const struct run_options *o = run->opts;
	int r = look_at_network(run, err);

	if (r <= 0)
		return r;
	r = run->n_nets && asks(o) ? check_relay(run->eng, err) : 0;
	if (r < 0)
		return r;
	to->publish = strv_copy(o->publish);
	to->publish_all = o->publish_all;
	/* The image's words are anybody's: what is no port is none. */
	for (size_t i = 0; image && i < image->exposed_ports.n; i++) {
		const char *word = image->exposed_ports.items[i].key;
		struct port_publish p;

		if (port_expose_parse(word, &p, NULL) == 0)
			strv_add(&to->expose, word);
	}
	for (char **w = o->expose; w && *w; w++)
		if (!strv_has(to->expose, *w))
			strv_add(&to->expose, *w);
	return 0;
}
