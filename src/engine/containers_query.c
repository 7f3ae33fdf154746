/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/containers_query.h"

#include <regex.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/asked.h"
#include "engine/endpoints.h"
#include "engine/filter.h"
#include "engine/health.h"
#include "engine/images.h"
#include "engine/life.h"
#include "engine/live.h"
#include "net/netspec.h"
#include "engine/pods.h"
#include "engine/publish.h"
#include "engine/services.h"

static const char *const keys[] = { "ancestor", "before",
				    "exited",   "expose",
				    "health",   "id",
				    "label",    "name",
				    "network",  "pod",
				    "publish",  "restart-policy",
				    "service",  "should-start-on-boot",
				    "since",    "status",
				    "until",    "volume",
				    NULL };
static const char *const states[] = { "created",  "dead",       "exited",  "paused",
				      "removing", "restarting", "running", NULL };
static const char *const healths[] = { "starting", "healthy", "unhealthy", "none", NULL };

/* The values of the filters, checked and looked up. */
struct conditions {
	const struct filters *filters;
	int64_t before_ns, since_ns, until_ns; /* 0: none */
	char **images;                         /* ids that ancestor= means */
	char **pods, **services;               /* ids that pod= and service= mean */
};

static int check_value(const struct filter *f, struct err *err)
{
	struct port_publish port;
	regex_t regex;
	bool truth;
	int code;

	if (str_eq(f->key, "status") && !strv_has((char *const *)states, f->value))
		return err_fail(err, ERR_USAGE, "invalid filter \"status=%s\"", f->value);
	if (str_eq(f->key, "health") && !strv_has((char *const *)healths, f->value))
		return err_fail(err, ERR_USAGE, "invalid filter \"health=%s\"", f->value);
	if (str_eq(f->key, "exited") && str_parse_int(f->value, &code) < 0)
		return err_fail(err, ERR_USAGE, "invalid filter \"exited=%s\": expected a number",
				f->value);
	if (str_eq(f->key, "restart-policy") &&
	    !strv_has((char *const *)restart_policy_names, f->value))
		return err_fail(err, ERR_USAGE, "invalid filter \"restart-policy=%s\"", f->value);
	if (str_eq(f->key, "should-start-on-boot") && str_parse_bool(f->value, &truth) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid filter \"should-start-on-boot=%s\": expected true or "
				"false",
				f->value);
	if ((str_eq(f->key, "publish") || str_eq(f->key, "expose")) &&
	    port_expose_parse(f->value, &port, NULL) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid filter \"%s=%s\": expected PORT[-PORT][/PROTOCOL]", f->key,
				f->value);
	if (!str_eq(f->key, "name"))
		return 0;
	if (regcomp(&regex, f->value, REG_EXTENDED | REG_NOSUB) != 0)
		return err_fail(err, ERR_USAGE,
				"invalid filter \"name=%s\": expected a regular expression",
				f->value);
	regfree(&regex);
	return 0;
}

static int look_up(struct engine *eng, const struct filter *f, struct conditions *c,
		   struct err *err)
{
	cleanup_image_row struct image_row image = { 0 };
	cleanup_record struct record rec = { 0 };
	cleanup_pod struct pod pod = { 0 };
	struct err none = ERR_INIT;
	int r;

	if (str_eq(f->key, "pod")) {
		r = pod_find(eng, f->value, &pod, &none);
		strv_add(&c->pods, r == 0 ? pod.id : f->value);
		return 0;
	}
	if (str_eq(f->key, "service")) {
		cleanup_service struct service service = { 0 };

		r = service_get(eng, f->value, &service, &none);
		strv_add(&c->services, r == 0 ? service.id : f->value);
		return 0;
	}
	if (str_eq(f->key, "ancestor")) {
		/* an image that is not here has no containers */
		r = images_find(eng, f->value, &image, &none);
		strv_add(&c->images, r == 0 ? image.id : f->value);
		return 0;
	}
	if (str_eq(f->key, "until"))
		return filter_time(f->value, &c->until_ns, err);
	if (!str_eq(f->key, "before") && !str_eq(f->key, "since"))
		return 0;
	r = record_find(eng, f->value, &rec, err);
	if (r < 0)
		return r;
	if (str_eq(f->key, "before"))
		c->before_ns = rec.created_ns;
	else
		c->since_ns = rec.created_ns;
	return 0;
}

static bool id_matches(const char *value, const void *data)
{
	return str_starts(((const struct record *)data)->id, value);
}

static bool name_matches(const char *value, const void *data)
{
	const char *name = ((const struct record *)data)->name;
	regex_t regex;
	bool match;

	/* docker's names begin with a slash, and may be asked for so */
	if (regcomp(&regex, value[0] == '/' ? value + 1 : value, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	match = regexec(&regex, name, 0, NULL, 0) == 0;
	regfree(&regex);
	return match;
}

static bool status_matches(const char *value, const void *data)
{
	return str_eq(value, record_state(data));
}

static bool health_matches(const char *value, const void *data)
{
	int health = ((const struct record *)data)->health;

	return str_eq(value, health < 0 ? "none" : health_status_names[health]);
}

static bool exit_matches(const char *value, const void *data)
{
	const struct record *rec = data;
	int code;

	return rec->status == RECORD_EXITED && str_parse_int(value, &code) == 0 &&
	       code == rec->exit_code;
}

static bool policy_matches(const char *value, const void *data)
{
	int policy = ((const struct record *)data)->options.restart;

	return str_eq(value, restart_policy_names[policy > RESTART_NO ? policy : RESTART_NO]);
}

static bool boot_matches(const char *value, const void *data)
{
	bool want;

	return str_parse_bool(value, &want) == 0 && record_starts_at_boot(data) == want;
}

/* A volume's name, a path of the host, or one in the container. */
static bool volume_matches(const char *value, const void *data)
{
	const struct record_options *o = &((const struct record *)data)->options;

	for (size_t i = 0; i < o->mounts.n; i++)
		if (str_eq(o->mounts.items[i].source, value) ||
		    str_eq(o->mounts.items[i].target, value))
			return true;
	return false;
}

/* ---- networks and ports, which are rows of their own ---- */

struct connected {
	struct engine *eng;
	const struct record *rec;
	struct port_bindings ports;
};

char **containers_networks(struct engine *eng, const struct record *rec)
{
	char **names = endpoint_networks(eng, publish_owner(rec), NULL);
	cleanup_asked struct asked asked = { 0 };

	/* docker's "none" and "host" are networks, too. */
	if (!names && asked_read(eng, rec->id, &asked, NULL) == 0) {
		const char *mode = run_network_word(&asked.options);

		if (!mode || str_eq(mode, "none") || str_eq(mode, "host"))
			strv_add(&names, mode ? mode : "none");
	}
	return names;
}

bool network_filter_matches(char *const *names, char *const *ids, const char *value)
{
	if (strv_has(names, netspec_is_default(value) ? NETSPEC_DEFAULT : value))
		return true;
	for (; ids && *ids; ids++)
		if (*value && str_starts(*ids, value))
			return true;
	return false;
}

static bool network_matches(const char *value, const void *data)
{
	const struct connected *c = data;
	cleanup_strv char **names = containers_networks(c->eng, c->rec), **ids = NULL;

	strv_free(endpoint_networks(c->eng, publish_owner(c->rec), &ids));
	return network_filter_matches(names, ids, value);
}

static bool in_range(const struct port_publish *p, uint8_t proto, uint16_t port)
{
	return proto == p->proto && port >= p->ports.first && port <= p->ports.last;
}

static bool publish_matches(const char *value, const void *data)
{
	const struct connected *c = data;
	struct port_publish p;

	for (size_t i = 0; port_expose_parse(value, &p, NULL) == 0 && i < c->ports.n; i++)
		if (in_range(&p, c->ports.items[i].proto, c->ports.items[i].host_port))
			return true;
	return false;
}

static bool expose_matches(const char *value, const void *data)
{
	const struct connected *c = data;
	struct port_publish p, has;

	if (!c->rec->running || port_expose_parse(value, &p, NULL) < 0)
		return false;
	for (size_t i = 0; i < c->ports.n; i++)
		if (in_range(&p, c->ports.items[i].proto, c->ports.items[i].port))
			return true;
	for (char **w = c->rec->options.expose; w && *w; w++)
		if (port_expose_parse(*w, &has, NULL) == 0 && has.proto == p.proto &&
		    has.ports.first <= p.ports.last && p.ports.first <= has.ports.last)
			return true;
	return false;
}

/* As these cost queries, they are asked of what meets all else. */
static bool meets_connected(struct engine *eng, const struct conditions *c,
			    const struct record *rec)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };
	struct connected data = { .eng = eng, .rec = rec };

	if (rec->running &&
	    (filters_have(c->filters, "publish") || filters_have(c->filters, "expose")) &&
	    publish_load(eng, publish_ports_owner(rec), &ports, NULL) < 0)
		return false;
	data.ports = ports;
	return filters_any(c->filters, "network", network_matches, &data) &&
	       filters_any(c->filters, "publish", publish_matches, &data) &&
	       filters_any(c->filters, "expose", expose_matches, &data);
}

static bool meets(const struct conditions *c, const struct record *rec)
{
	return filters_any(c->filters, "id", id_matches, rec) &&
	       filters_any(c->filters, "name", name_matches, rec) &&
	       filters_any(c->filters, "status", status_matches, rec) &&
	       filters_any(c->filters, "exited", exit_matches, rec) &&
	       filters_any(c->filters, "health", health_matches, rec) &&
	       filters_any(c->filters, "restart-policy", policy_matches, rec) &&
	       filters_any(c->filters, "should-start-on-boot", boot_matches, rec) &&
	       filters_any(c->filters, "volume", volume_matches, rec) &&
	       filters_labels(c->filters, &rec->labels) &&
	       (!c->before_ns || rec->created_ns < c->before_ns) &&
	       (!c->until_ns || rec->created_ns < c->until_ns) &&
	       (!c->since_ns || rec->created_ns > c->since_ns) &&
	       (!c->images || strv_has(c->images, rec->image)) &&
	       (!c->pods || (rec->pod && strv_has(c->pods, rec->pod))) &&
	       (!c->services ||
		(rec->options.service && strv_has(c->services, rec->options.service)));
}

static void keep(struct engine *eng, struct record_list *records, const struct conditions *c,
		 const struct containers_query *q)
{
	bool all = q->all || q->last > 0 || filters_have(c->filters, "status");
	size_t k = 0;

	for (size_t i = 0; i < records->n; i++) {
		struct record *rec = &records->items[i];

		if ((all || rec->running) && (q->last <= 0 || k < (size_t)q->last) &&
		    meets(c, rec) && meets_connected(eng, c, rec))
			records->items[k++] = *rec;
		else
			record_done(rec);
	}
	records->n = k;
}

int containers_query(struct engine *eng, const struct containers_query *q, struct record_list *ret,
		     struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	cleanup_filters struct filters filters = { 0 };
	struct conditions c = { .filters = &filters };
	int r = filters_parse(q->filters, keys, &filters, err);
	bool newest = q->last > 0 && !filters.n;

	for (size_t i = 0; r == 0 && i < filters.n; i++)
		r = check_value(&filters.items[i], err);
	if (r == 0)
		r = newest ? life_list_newest(eng, q->last, &records, err)
			   : life_list(eng, &records, err);
	if (r == 0 && !newest)
		live_see_paused(eng, &records);
	for (size_t i = 0; r == 0 && i < records.n; i++) {
		if (newest)
			records.items[i].paused = live_is_paused(eng, &records.items[i]);
		records.items[i].health = health_status_of(eng, &records.items[i]);
	}
	for (size_t i = 0; r == 0 && i < filters.n; i++)
		r = look_up(eng, &filters.items[i], &c, err);
	if (r == 0)
		keep(eng, &records, &c, q);
	strv_free(c.images);
	strv_free(c.pods);
	strv_free(c.services);
	if (r < 0)
		return r;
	*ret = records;
	records = (struct record_list){ 0 };
	return 0;
}
