/* SPDX-License-Identifier: Apache-2.0 */
/* What is wanted of published ports, and how they are shown. No kernel. */
#include "net/ports.h"

#include <netinet/in.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

void port_list_done(struct port_list *list)
{
	free(list->items);
	*list = (struct port_list){ 0 };
}

void port_bindings_done(struct port_bindings *list)
{
	free(list->items);
	*list = (struct port_bindings){ 0 };
}

bool net_addr_is_any(const struct net_addr *a)
{
	static const uint8_t zero[16];

	return a->family && memcmp(a->bytes, zero, a->family == AF_INET ? 4 : 16) == 0;
}

bool net_addr_is_loopback(const struct net_addr *a)
{
	return a->family == AF_INET
		   ? a->bytes[0] == 127
		   : a->family == AF_INET6 && memcmp(a->bytes, &in6addr_loopback, 16) == 0;
}

/* ---- what is wanted ---- */

static unsigned int range_len(const struct port_range *r)
{
	return r->first ? r->last - r->first + 1U : 0;
}

/* Will it have just these ports of the host, not one of several that are free? */
static bool is_fixed(const struct port_publish *p)
{
	return p->host_ports.first && range_len(&p->host_ports) == range_len(&p->ports);
}

static bool hosts_meet(const struct net_addr *a, const struct net_addr *b)
{
	if (!a->family || !b->family)
		return true;
	return a->family == b->family &&
	       (net_addr_is_any(a) || net_addr_is_any(b) || net_addr_equal(a, b));
}

static bool same_words(const struct port_publish *a, const struct port_publish *b)
{
	return a->proto == b->proto && a->host.family == b->host.family &&
	       (!a->host.family || net_addr_equal(&a->host, &b->host)) &&
	       a->host_ports.first == b->host_ports.first &&
	       a->host_ports.last == b->host_ports.last && a->ports.first == b->ports.first &&
	       a->ports.last == b->ports.last;
}

/* 0: it is new; 1: it is there; or -errno. */
static int look_for(const struct port_list *list, const struct port_publish *p, struct err *err)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct port_publish *q = &list->items[i];
		uint16_t first = p->host_ports.first;

		if (same_words(p, q))
			return 1;
		if (p->proto != q->proto || !is_fixed(p) || !is_fixed(q) ||
		    !hosts_meet(&p->host, &q->host) || p->host_ports.last < q->host_ports.first ||
		    q->host_ports.last < first)
			continue;
		if (first < q->host_ports.first)
			first = q->host_ports.first;
		return err_fail(err, ERR_USAGE,
				"conflicting port mappings for host port %u (protocol %s)", first,
				port_proto_name(p->proto));
	}
	return 0;
}

static void add(struct port_list *list, const struct port_publish *p)
{
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*p));
	list->items[list->n++] = *p;
}

/* Of --expose, whose ranges may be long: each port once, and not those of -p. */
static int add_exposed(char *const *expose, struct port_list *list, struct err *err)
{
	cleanup_free bool *seen = xcalloc((size_t)(IPPROTO_SCTP + 1) << 16, 1);
	struct port_publish p;

	for (size_t i = 0; i < list->n; i++) {
		const struct port_publish *q = &list->items[i];

		for (uint32_t port = q->ports.first; port <= q->ports.last; port++)
			seen[(uint32_t)q->proto << 16 | port] = true;
	}
	for (char *const *w = expose; w && *w; w++) {
		int r = port_expose_parse(*w, &p, err);

		if (r < 0)
			return r;
		for (uint32_t port = p.ports.first; port <= p.ports.last; port++) {
			const struct port_publish one = {
				.proto = p.proto, .ports = { (uint16_t)port, (uint16_t)port }
			};
			bool *was = &seen[(uint32_t)p.proto << 16 | port];

			if (!*was)
				add(list, &one);
			*was = true;
		}
	}
	return 0;
}

int port_list_parse(char *const *publish, bool all, char *const *expose, struct port_list *ret,
		    struct err *err)
{
	cleanup_port_list struct port_list list = { 0 };
	struct port_publish p;
	int r = 0;

	for (char *const *w = publish; r >= 0 && w && *w; w++) {
		r = port_publish_parse(*w, &p, err);
		if (r == 0)
			r = look_for(&list, &p, err);
		if (r == 0)
			add(&list, &p);
	}
	if (r >= 0 && all && expose)
		r = add_exposed(expose, &list, err);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct port_list){ 0 };
	return 0;
}

/* ---- how they are shown ---- */

char *ports_host_text(const struct net_addr *host, uint16_t port)
{
	char text[NET_ADDR_TEXT];

	return xasprintf(host->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
			 net_addr_format(host, text), port);
}

static int compare(const void *a, const void *b)
{
	const struct port_binding *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->host.family != y->host.family)
		return x->host.family < y->host.family ? -1 : 1;
	if (!net_addr_equal(&x->host, &y->host))
		return memcmp(x->host.bytes, y->host.bytes, sizeof(x->host.bytes));
	return (x->host_port > y->host_port) - (x->host_port < y->host_port);
}

/* By address first: those that follow each other stand side by side. */
static int compare_hosts(const void *a, const void *b)
{
	const struct port_binding *x = a, *y = b;
	int r;

	if (x->host.family != y->host.family)
		return x->host.family < y->host.family ? -1 : 1;
	r = memcmp(x->host.bytes, y->host.bytes, sizeof(x->host.bytes));
	if (r != 0)
		return r;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	return compare(a, b);
}

void ports_sort(struct port_bindings *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), compare);
}

static void range_add(struct buf *out, unsigned int first, unsigned int last)
{
	buf_addf(out, first == last ? "%u" : "%u-%u", first, last);
}

/* Do b's ports come just after a's, at the same address? */
static bool follows(const struct port_binding *a, const struct port_binding *b)
{
	return a->proto == b->proto && net_addr_equal(&a->host, &b->host) &&
	       b->port == a->port + 1 && b->host_port == a->host_port + 1;
}

static void exposed_add(const struct port_bindings *list, char *const *exposed, struct buf *out)
{
	for (char *const *w = exposed; w && *w; w++) {
		struct port_publish p;
		bool shown = false;

		if (port_expose_parse(*w, &p, NULL) < 0)
			continue;
		for (size_t i = 0; !shown && i < list->n; i++)
			shown =
			    list->items[i].proto == p.proto && list->items[i].port == p.ports.first;
		if (shown)
			continue;
		buf_adds(out, out->len ? ", " : "");
		range_add(out, p.ports.first, p.ports.last);
		buf_addf(out, "/%s", port_proto_name(p.proto));
	}
}

char *ports_text(struct port_bindings *list, char *const *exposed)
{
	struct buf out = BUF_INIT;

	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), compare_hosts);
	exposed_add(list, exposed, &out);
	for (size_t i = 0, last; i < list->n; i = last + 1) {
		const struct port_binding *p = &list->items[i];
		cleanup_free char *host = ports_host_text(&p->host, p->host_port);

		for (last = i;
		     last + 1 < list->n && follows(&list->items[last], &list->items[last + 1]);)
			last++;
		buf_addf(&out, "%s%s", out.len ? ", " : "", host);
		if (last > i)
			buf_addf(&out, "-%u", list->items[last].host_port);
		buf_adds(&out, "->");
		range_add(&out, p->port, list->items[last].port);
		buf_addf(&out, "/%s", port_proto_name(p->proto));
	}
	return buf_take(&out);
}
