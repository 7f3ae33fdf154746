/* SPDX-License-Identifier: Apache-2.0 */
/* A view is what a container sees of names: those of its networks, and the name servers that it
 * asks for others. Each has a dnsmasq, from the first question on until its last member ends. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/service/helper.h"
#include "net/service/service.h"

#define START_MS       10000 /* for dnsmasq to say that it has started */
#define STEADY_MS      10000 /* having run so long, it is started again at once */
#define RETRY_MS       100   /* doubled with each failure */
#define RETRY_MAX_MS   10000
#define REFRESH_MS     100  /* between two readings of all names */
#define RESOLV_MS      1000 /* between two looks at resolv.conf */
#define NEXT_SERVER_MS 1500 /* a server is given, where there is another one */
#define LAST_SERVER_MS 5000

static struct helper_ask ask_for(const struct view *v, enum helper_type type)
{
	struct helper_ask ask = {
		.type = type, .slot = v->slot, .n = v->n_upstream, .n_networks = v->n_networks
	};

	memcpy(ask.networks, v->networks, sizeof(ask.networks));
	return ask;
}

static int call(struct service *s, const struct view *v, enum helper_type type, int *fds, size_t *n)
{
	const struct helper_ask ask = ask_for(v, type);
	struct helper_answer answer;

	return helper_call(s, &ask, &answer, fds, n);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, SERVICE_ID);
}

/* What makes two views the same one; the rest of them is zero. */
static void set_key(struct view *v, const struct service_put *p)
{
	v->n_networks = p->n_networks;
	v->internal = p->internal;
	memcpy(v->networks, p->networks, (size_t)p->n_networks * SERVICE_ID);
	qsort(v->networks, v->n_networks, SERVICE_ID, by_bytes);
	if (v->internal)
		return;
	v->n_servers = p->n_servers;
	memcpy(v->servers, p->servers, p->n_servers * sizeof(*p->servers));
}

static bool same_key(const struct view *a, const struct view *b)
{
	return a->n_networks == b->n_networks && a->internal == b->internal &&
	       a->n_servers == b->n_servers &&
	       memcmp(a->networks, b->networks, sizeof(a->networks)) == 0 &&
	       memcmp(a->servers, b->servers, sizeof(a->servers)) == 0;
}

struct view *view_get(struct service *s, const struct service_put *p, struct err *err)
{
	struct view *v = xcalloc(1, sizeof(*v));

	set_key(v, p);
	for (struct list *l = s->views.next; l != &s->views; l = l->next) {
		struct view *other = list_of(l, struct view, link);

		if (same_key(v, other)) {
			free(v);
			other->members++;
			return other;
		}
	}
	while (v->slot < VIEWS_MAX && s->slots[v->slot])
		v->slot++;
	if (v->slot == VIEWS_MAX) {
		free(v);
		err_fail(err, ERR_LIMIT, "more than %d different sets of networks are in use",
			 VIEWS_MAX);
		return NULL;
	}
	source_init(&v->said, -EBADF, NULL);
	source_init(&v->ended, -EBADF, NULL);
	s->slots[v->slot] = v;
	list_add(&s->views, &v->link);
	v->members = 1;
	return v;
}

static void each_relay(struct service *s, struct view *v,
		       void (*fn)(struct service *s, struct relay *r))
{
	for (struct list *l = s->relays.next; l != &s->relays; l = l->next) {
		struct relay *r = list_of(l, struct relay, link);

		if (r->kind == RELAY_NAMES && r->view == v)
			fn(s, r);
	}
}

static void hold(struct service *s, struct relay *r)
{
	relay_pause(s, r, true);
}

static void go_on(struct service *s, struct relay *r)
{
	relay_pause(s, r, false);
	if (!r->tcp)
		udp_again(s, r);
}

static void set_upstream(struct service *s, struct view *v)
{
	const unsigned int n = v->internal ? 0 : v->n_servers ? v->n_servers : s->n_host;

	for (unsigned int i = 0; i < SERVICE_SERVERS; i++) {
		for (int tcp = 0; tcp < 2; tcp++) {
			struct relay *r = v->upstream[i][tcp];

			if (!r)
				continue;
			if (i < n)
				r->to =
				    v->n_servers ? address_from(&v->servers[i], 53) : s->host[i];
			else
				r->to = (union address){ .sa.sa_family = AF_UNSPEC };
			if (!tcp)
				r->timeout_ms = i + 1 < n ? NEXT_SERVER_MS : LAST_SERVER_MS;
			r->last = i + 1 >= n;
		}
	}
	v->n_upstream = n;
}

static int make_upstream(struct service *s, struct view *v)
{
	const unsigned int n = v->internal ? 0 : v->n_servers ? v->n_servers : s->n_host;

	for (unsigned int i = 0; i < n; i++) {
		struct helper_ask ask = ask_for(v, HELPER_LISTEN);
		struct helper_answer answer;
		int fds[2], r;
		size_t n_fds = 2;

		if (v->upstream[i][0])
			continue;
		ask.n = i;
		r = helper_call(s, &ask, &answer, fds, &n_fds);
		if (r < 0)
			return r;
		for (int tcp = 0; tcp < 2; tcp++) {
			v->upstream[i][tcp] = relay_new(s, RELAY_UPSTREAM, tcp, fds[tcp]);
			v->upstream[i][tcp]->view = v;
		}
	}
	set_upstream(s, v);
	return 0;
}

static void look_at_resolv(struct service *s)
{
	const struct helper_ask ask = { .type = HELPER_RESOLV };
	struct helper_answer answer;
	size_t n = 0;

	if (s->resolv_ms && s->now_ms - s->resolv_ms < RESOLV_MS)
		return;
	s->resolv_ms = s->now_ms;
	if (helper_call(s, &ask, &answer, NULL, &n) != 1)
		return;
	s->n_host = answer.n_servers;
	memcpy(s->host, answer.servers, sizeof(s->host));
	for (struct list *l = s->views.next; l != &s->views; l = l->next) {
		struct view *v = list_of(l, struct view, link);

		if (v->internal || v->n_servers || v->state != VIEW_READY)
			continue;
		v->dirty = true;
		if (make_upstream(s, v) < 0)
			set_upstream(s, v);
	}
}

static void forget_server(struct service *s, struct view *v)
{
	source_close(s, &v->said);
	source_close(s, &v->ended);
}

static void fail(struct service *s, struct view *v)
{
	uint64_t wait = RETRY_MAX_MS;

	if (v->failures < 7)
		wait = (uint64_t)RETRY_MS << v->failures;
	v->failures++;
	v->state = VIEW_FAILED;
	v->retry_ms = s->now_ms + wait;
	each_relay(s, v, go_on);
}

static void said_ready(struct service *s, struct source *src, uint32_t events)
{
	struct view *v = list_of(src, struct view, said);
	ssize_t n = read(src->fd, s->buffer, BUFFER_SIZE - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		source_close(s, src);
		return;
	}
	s->buffer[n] = '\0';
	/* said when its sockets are bound */
	if (v->state == VIEW_STARTING && strstr((const char *)s->buffer, ": started, ")) {
		v->state = VIEW_READY;
		each_relay(s, v, go_on);
	}
}

static void start(struct service *s, struct view *v);

static void ended_ready(struct service *s, struct source *src, uint32_t events)
{
	struct view *v = list_of(src, struct view, ended);
	const bool steady = s->now_ms - v->started_ms >= STEADY_MS, ready = v->state == VIEW_READY;

	forget_server(s, v);
	call(s, v, HELPER_END, NULL, &(size_t){ 0 });
	if (steady)
		v->failures = 0;
	if (ready && v->failures == 0) {
		v->failures = 1;
		start(s, v);
	} else {
		fail(s, v);
	}
}

static void start(struct service *s, struct view *v)
{
	int fds[2], r;
	size_t n = 2;

	look_at_resolv(s);
	r = make_upstream(s, v);
	if (r == 0)
		r = call(s, v, HELPER_RUN, fds, &n);
	if (r < 0) {
		fail(s, v);
		return;
	}
	source_init(&v->ended, fds[0], ended_ready);
	source_init(&v->said, fds[1], said_ready);
	source_want(s, &v->ended, EPOLLIN);
	source_want(s, &v->said, EPOLLIN);
	v->state = VIEW_STARTING;
	v->started_ms = s->now_ms;
	v->dirty = false;
	each_relay(s, v, hold);
}

bool view_wake(struct service *s, struct view *v)
{
	if (v->state == VIEW_READY)
		look_at_resolv(s);
	else if (v->state == VIEW_IDLE || (v->state == VIEW_FAILED && s->now_ms >= v->retry_ms))
		start(s, v);
	return v->state == VIEW_READY || v->state == VIEW_FAILED;
}

void view_put(struct service *s, struct view *v)
{
	if (!v || --v->members > 0)
		return;
	forget_server(s, v);
	if (v->state != VIEW_IDLE)
		call(s, v, HELPER_END, NULL, &(size_t){ 0 });
	for (int i = 0; i < SERVICE_SERVERS; i++) {
		relay_free(s, v->upstream[i][0]);
		relay_free(s, v->upstream[i][1]);
	}
	s->slots[v->slot] = NULL;
	list_remove(&v->link);
	service_bury(s, &v->said);
}

static bool share_a_network(const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < a->n_networks; i++)
		if (bsearch(a->networks[i], b->networks, b->n_networks, SERVICE_ID, by_bytes))
			return true;
	return false;
}

void view_changed(struct service *s, const struct view *of)
{
	for (struct list *l = s->views.next; l != &s->views; l = l->next) {
		struct view *v = list_of(l, struct view, link);

		if (share_a_network(of, v))
			v->dirty = true;
	}
}

uint64_t view_sweep(struct service *s)
{
	uint64_t next = UINT64_MAX, due;

	for (struct list *l = s->views.next; l != &s->views; l = l->next) {
		struct view *v = list_of(l, struct view, link);

		if (v->state == VIEW_STARTING) {
			due = v->started_ms + START_MS;
			if (s->now_ms >= due) {
				forget_server(s, v);
				call(s, v, HELPER_END, NULL, &(size_t){ 0 });
				fail(s, v);
				continue;
			}
		} else if (v->state == VIEW_READY && v->dirty) {
			due = v->refreshed_ms + REFRESH_MS;
			if (s->now_ms >= due) {
				v->dirty = false;
				v->refreshed_ms = s->now_ms;
				call(s, v, HELPER_REFRESH, NULL, &(size_t){ 0 });
				continue;
			}
		} else {
			continue;
		}
		next = due < next ? due : next;
	}
	return next;
}
