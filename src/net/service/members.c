/* SPDX-License-Identifier: Apache-2.0 */
/* Who is served, and the requests of starters. */
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/service/helper.h"
#include "net/service/service.h"

#define CLIENTS_MAX 64
#define IDLE_MS     100 /* without a member: it is started again in less than 1 ms */

struct client {
	struct source src;
	struct list link;
};

static struct member *member_find(struct service *s, const uint8_t id[SERVICE_ID])
{
	for (struct list *l = s->members.next; l != &s->members; l = l->next) {
		struct member *m = list_of(l, struct member, link);

		if (memcmp(m->id, id, SERVICE_ID) == 0)
			return m;
	}
	return NULL;
}

static void drop_names(struct service *s, struct member *m)
{
	for (int i = 0; i < 2; i++) {
		relay_free(s, m->names[i]);
		m->names[i] = NULL;
	}
}

static void drop_ports(struct service *s, struct member *m)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		if (m->ports[i] && m->ports[i]->others)
			m->ports[i]->others--;
		else
			relay_free(s, m->ports[i]);
	}
	free(m->ports);
	m->ports = NULL;
	m->n_ports = 0;
}

static void process_free(struct service *s, struct process *p)
{
	source_close(s, &p->end);
	list_remove(&p->link);
	service_bury(s, &p->end);
}

static void member_free(struct service *s, struct member *m)
{
	/* First what is in its namespace: a socket keeps that, and its interfaces, alive. */
	drop_names(s, m);
	drop_ports(s, m);
	if (m->view) {
		view_changed(s, m->view);
		view_put(s, m->view);
	}
	list_each(it, next, &m->processes) process_free(s, list_of(it, struct process, link));
	list_remove(&m->link);
	service_bury(s, &m->dead);
	s->idle_ms = s->now_ms;
}

static void end_ready(struct service *s, struct source *src, uint32_t events)
{
	struct process *p = list_of(src, struct process, end);
	struct member *m = p->member;

	process_free(s, p);
	if (list_empty(&m->processes))
		member_free(s, m);
}

/* One that is known has been started again, or is told of once more. */
static int add_process(struct service *s, struct member *m, const uint8_t id[SERVICE_ID], int pidfd)
{
	struct process *p = NULL;

	list_each(it, next, &m->processes)
	{
		struct process *known = list_of(it, struct process, link);

		if (memcmp(known->id, id, SERVICE_ID) == 0)
			p = known;
	}
	if (!p) {
		p = xcalloc(1, sizeof(*p));
		source_init(&p->end, -EBADF, end_ready);
		memcpy(p->id, id, SERVICE_ID);
		p->member = m;
		list_add(&m->processes, &p->link);
	}
	source_close(s, &p->end);
	p->end.fd = pidfd;
	return source_want(s, &p->end, EPOLLIN);
}

static struct member *member_new(struct service *s, const uint8_t id[SERVICE_ID])
{
	struct member *m = xcalloc(1, sizeof(*m));

	source_init(&m->dead, -EBADF, NULL);
	list_init(&m->processes);
	memcpy(m->id, id, SERVICE_ID);
	list_add(&s->members, &m->link);
	return m;
}

static void set_names(struct service *s, struct member *m, int *fds)
{
	drop_names(s, m);
	for (int tcp = 0; tcp < 2; tcp++)
		m->names[tcp] = relay_new(s, RELAY_NAMES, tcp, take_fd(fds[1 + tcp]));
}

static int set_view(struct service *s, struct member *m, const struct service_put *p,
		    struct err *err)
{
	struct view *old = m->view;

	m->view = view_get(s, p, err);
	if (!m->view) {
		m->view = old;
		return -ENOSPC;
	}
	for (int tcp = 0; tcp < 2; tcp++) {
		struct relay *r = m->names[tcp];

		if (!r)
			continue;
		/* what is on its way is answered by the old one, or not at all */
		if (r->view != m->view && r->tcp)
			tcp_sweep(s, r, true);
		else if (r->view != m->view)
			udp_sweep(s, r, true);
		r->view = m->view;
		r->to = address_loopback(HELPER_PORT_NAMES(m->view->slot));
		relay_pause(s, r, m->view->state == VIEW_STARTING);
	}
	view_changed(s, m->view);
	if (old && old != m->view)
		view_changed(s, old);
	view_put(s, old);
	return 0;
}

/* One that is asked for again stays, with its connections. So does one that another member has:
 * replicas share it. */
static struct relay *take_port(struct service *s, struct member *m,
			       const struct service_relay *asked)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		struct relay *r = m->ports[i];

		if (r && memcmp(&r->asked, asked, sizeof(*asked)) == 0) {
			m->ports[i] = NULL;
			return r;
		}
	}
	struct list *same = &s->ports[asked->from_port % PORT_HASH];

	for (struct list *l = same->next; l != same; l = l->next) {
		struct relay *r = list_of(l, struct relay, same);

		if (memcmp(&r->asked, asked, sizeof(*asked)) == 0) {
			r->others++;
			return r;
		}
	}
	return NULL;
}

static void set_other(struct relay *r, const struct service_put *p)
{
	const struct net_addr *other = &p->addresses[r->asked.to.family == AF_INET];

	r->other = (union address){ .sa.sa_family = AF_UNSPEC };
	if (other->family)
		r->other = address_from(other, r->asked.to_port);
}

static int set_ports(struct service *s, struct member *m, const struct service_put *p,
		     struct err *err)
{
	const struct service_relay *asked = (const void *)(p + 1);
	struct relay **ports = xcalloc(p->n_relays + 1, sizeof(struct relay *));
	struct err why = ERR_INIT;
	bool failed = false;

	for (size_t i = 0; i < p->n_relays; i++)
		ports[i] = take_port(s, m, &asked[i]);
	drop_ports(s, m);
	m->ports = ports;
	m->n_ports = p->n_relays;
	for (size_t i = 0; i < p->n_relays && !failed; i++) {
		if (!ports[i])
			ports[i] = relay_port_new(s, &asked[i], &why);
		failed = !ports[i];
		if (ports[i])
			set_other(ports[i], p);
	}
	if (!failed)
		return 0;
	drop_ports(s, m);
	*err = why;
	return why.errnum ? -why.errnum : -EIO;
}

static int put(struct service *s, const struct service_put *p, int *fds, struct err *err)
{
	struct member *m = member_find(s, p->head.id);

	if (!m && !p->dns)
		return err_errno(err, ESRCH, "inro-net does not know the container");
	if (!m)
		m = member_new(s, p->head.id);
	int r = add_process(s, m, p->process, take_fd(fds[0]));
	if (r < 0) {
		member_free(s, m);
		return err_errno(err, -r, "watching the container's first process");
	}
	if (p->dns)
		set_names(s, m, fds);
	r = set_view(s, m, p, err);
	if (r < 0) {
		member_free(s, m);
		return r;
	}
	return set_ports(s, m, p, err);
}

static int handle(struct service *s, const void *request, size_t len, int *fds, size_t n_fds,
		  struct err *err)
{
	const struct service_head *head = request;

	if (service_request_check(request, len, n_fds) < 0)
		return err_fail(err, ERR_INVALID, "inro-net does not understand the request");
	if (head->type == SERVICE_PUT)
		return put(s, request, fds, err);
	struct member *m = member_find(s, head->id);
	if (m)
		member_free(s, m);
	return 0;
}

static void client_free(struct service *s, struct client *c)
{
	source_close(s, &c->src);
	list_remove(&c->link);
	if (s->n_clients-- == CLIENTS_MAX)
		source_want(s, &s->listen, EPOLLIN);
	service_bury(s, &c->src);
	s->idle_ms = s->now_ms;
}

static void client_ready(struct service *s, struct source *src, uint32_t events)
{
	struct service_reply reply = { .version = SERVICE_VERSION, .err = ERR_INIT };
	int fds[16];
	size_t n = ARRAY_SIZE(fds);
	ssize_t len = fd_recv(src->fd, s->buffer, BUFFER_SIZE, fds, &n);

	if (len == -EAGAIN)
		return;
	if (len > 0) {
		reply.result = handle(s, s->buffer, (size_t)len, fds, n, &reply.err);
		while (n > 0)
			fd_close(fds[--n]);
	}
	if (len <= 0 || fd_send(src->fd, &reply, sizeof(reply), NULL, 0) < 0)
		client_free(s, list_of(src, struct client, src));
}

static void listen_ready(struct service *s, struct source *src, uint32_t events)
{
	const struct service_reply hello = { .version = SERVICE_VERSION, .err = ERR_INIT };
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid() ||
	    fd_send(fd, &hello, sizeof(hello), &s->self, 1) < 0) {
		fd_close(fd);
		return;
	}
	struct client *c = xcalloc(1, sizeof(*c));
	source_init(&c->src, fd, client_ready);
	list_add(&s->clients, &c->link);
	source_want(s, &c->src, EPOLLIN);
	if (++s->n_clients == CLIENTS_MAX)
		source_want(s, src, 0);
}

void members_listen(struct service *s)
{
	source_init(&s->listen, SERVICE_FD_LISTEN, listen_ready);
	source_want(s, &s->listen, EPOLLIN);
}

/* Who connects has the lock until it is done with connecting. */
static void leave(struct service *s)
{
	const struct helper_ask ask = { .type = HELPER_LEAVE };
	struct pollfd p = { .fd = s->listen.fd, .events = POLLIN };
	struct helper_answer answer;
	size_t n = 0;

	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0) {
		if (poll(&p, 1, 0) == 0) {
			helper_call(s, &ask, &answer, NULL, &n);
			_exit(0);
		}
		flock(s->lock, LOCK_UN);
	}
	s->idle_ms = s->now_ms;
}

uint64_t members_sweep(struct service *s)
{
	if (!list_empty(&s->members) || s->n_clients > 0)
		return UINT64_MAX;
	if (s->now_ms >= s->idle_ms + IDLE_MS)
		leave(s);
	return s->idle_ms + IDLE_MS;
}
