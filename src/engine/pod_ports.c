/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_ports.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/publish.h"
#include "engine/run_internal.h"

/* ---- what is asked for ---- */

int pod_ports_check(struct engine *eng, const struct pod_options *o, struct err *err)
{
	const struct run_options *m = &o->member;
	const char *word = run_network_word(m);
	struct netspec spec = { .kind = NETSPEC_NONE };
	enum netspec_kind kind;

	if (!m->publish)
		return 0;
	if (word && netspec_parse(word, &spec, NULL) < 0)
		spec.kind = NETSPEC_NONE;
	kind = spec.kind;
	netspec_done(&spec);
	if (word && kind != NETSPEC_NETWORK)
		return err_fail(err, ERR_USAGE,
				"ports of a pod can be published on networks only, and not with "
				"--network %s",
				word);
	if (!strv_has(o->share, "network"))
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "ports of a pod can be published only where its "
					 "containers share their network"),
				"share it (--share net), or publish those of each container: inro "
				"run -p");
	return run_check_publish(eng, m, err);
}

/* ---- what is chosen ---- */

static char *word_of(const struct port_publish *p, uint16_t host_port, uint16_t port)
{
	cleanup_free char *host =
	    p->host.family ? ports_host_text(&p->host, host_port) : xasprintf("%u", host_port);

	return xasprintf("%s:%u/%s", host, port, port_proto_name(p->proto));
}

bool pod_ports_chosen(const struct pod_options *o)
{
	struct port_publish p;

	for (char **w = o->member.publish; w && *w; w++)
		if (port_publish_parse(*w, &p, NULL) == 0 && !p.host_ports.first)
			return true;
	return false;
}

/* Words that say a port of the host go to o->publish, the others to ret. */
static int split(struct pod_options *o, struct port_list *ret, struct err *err)
{
	char *const *words = o->member.publish;
	size_t n = strv_len(words);
	int r = 0;

	ret->items = xcalloc(n + 1, sizeof(*ret->items));
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct port_publish *p = &ret->items[ret->n];

		r = port_publish_parse(words[i], p, err);
		if (r == 0 && p->host_ports.first)
			strv_add(&o->publish, words[i]);
		else if (r == 0)
			ret->n++;
	}
	return r;
}

/* One for each port of each word, of which there are two where it is one of all addresses. */
static void add_chosen(const struct port_list *wanted, const struct port_bindings *bound,
		       char ***words)
{
	size_t at = 0;

	for (size_t i = 0; i < wanted->n; i++) {
		const struct port_publish *p = &wanted->items[i];

		for (uint32_t port = p->ports.first; port <= p->ports.last && at < bound->n;
		     port++) {
			uint16_t host_port = bound->items[at++].host_port;

			strv_take(words, word_of(p, host_port, (uint16_t)port));
			if (at < bound->n && bound->items[at].host_port == host_port &&
			    bound->items[at].port == port && bound->items[at].proto == p->proto)
				at++;
		}
	}
}

int pod_ports_choose(const struct engine *eng, const struct net_addr *host, struct pod_options *o,
		     int *ret_keep, struct err *err)
{
	const struct ports_how how = { .host = *host, .relayed = eng->rootless };
	cleanup_port_bindings struct port_bindings bound = { 0 };
	cleanup_port_list struct port_list wanted = { 0 };
	struct port_binding taken;
	int r;

	*ret_keep = -EBADF;
	strv_free(take_ptr(o->publish));
	r = split(o, &wanted, err);
	if (r == 0 && wanted.n)
		r = ports_bind(&wanted, &how, &bound, ret_keep, &taken, err);
	if (r == 0)
		add_chosen(&wanted, &bound, &o->publish);
	return r;
}

static bool meets(const struct port_publish *a, const struct port_publish *b)
{
	return a->proto == b->proto && a->host_ports.first <= b->host_ports.last &&
	       b->host_ports.first <= a->host_ports.last;
}

static bool has_any(char *const *words, const struct port_publish *p)
{
	struct port_publish own;

	for (size_t i = 0; words && words[i]; i++)
		if (port_publish_parse(words[i], &own, NULL) == 0 && meets(&own, p))
			return true;
	return false;
}

int pod_ports_distinct(struct engine *eng, const struct pod *pod, struct err *err)
{
	char *const *asked = pod->options.member.publish;
	cleanup_pod_list struct pod_list list = { 0 };
	cleanup_port_list struct port_list all = { 0 };
	char *const *words = pod->options.publish;
	int r;

	if (!pod_ports_chosen(&pod->options))
		return 0;
	/* One that was chosen may be one that was said. */
	if (port_list_parse(words, false, NULL, &all, NULL) < 0)
		return -EAGAIN;
	r = pods_list(eng, &list, err);
	for (size_t i = 0; r >= 0 && words[i]; i++) {
		struct port_publish p;

		if (strv_has(asked, words[i]) || port_publish_parse(words[i], &p, NULL) < 0)
			continue;
		for (size_t k = 0; k < list.n; k++)
			if (!str_eq(list.items[k].id, pod->id) &&
			    has_any(list.items[k].options.publish, &p))
				return -EAGAIN;
	}
	return r < 0 ? r : 0;
}

/* ---- in a start ---- */

static int read_binding(struct engine *eng, const char *owner, struct net_addr *ret,
			struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	cleanup_network struct network net = { 0 };
	int r = endpoints_of(eng, owner, &list, err);

	*ret = (struct net_addr){ .family = 0 };
	if (r < 0 || !list.n)
		return r;
	r = network_get(eng, list.items[0].network, &net, err);
	return r < 0 || !net.options.host_binding
		   ? r
		   : net_addr_parse(net.options.host_binding, ret, err);
}

static int store(struct engine *eng, const char *owner, const struct port_bindings *ports,
		 struct err *err)
{
	int r = db_begin(eng->db, err);

	return r < 0 ? r : db_end(eng->db, publish_store(eng, owner, ports, err), err);
}

static int bind_again(struct engine *eng, const char *owner, struct net_start *ns, struct err *err)
{
	const struct ports_how how = { .relayed = eng->rootless };
	cleanup_port_bindings struct port_bindings bound = { 0 };
	int r = publish_load(eng, owner, &bound, err);

	return r < 0 || !bound.n ? r : ports_bind_again(&bound, &how, &ns->keep, err);
}

int pod_ports_bind(struct engine *eng, const struct record *rec, bool joined, struct net_start *ns,
		   struct err *err)
{
	const char *owner = publish_owner(rec);
	cleanup_pod struct pod pod = { 0 };
	struct publish_words words = { .publish = NULL };
	struct net_addr host;
	int r;

	if (owner == rec->id)
		return 0;
	if (joined)
		return bind_again(eng, owner, ns, err);
	r = pod_find(eng, owner, &pod, err);
	words.publish = pod.options.publish;
	if (r < 0 || !strv_len(words.publish))
		return r;
	r = read_binding(eng, owner, &host, err);
	if (r == 0)
		r = publish_bind(eng, owner, &words, &host, &ns->ports, &ns->keep, err);
	if (r == 0)
		r = net_ports_forget(eng, owner, &ns->ports, err);
	return r < 0 ? r : store(eng, owner, &ns->ports, err);
}
