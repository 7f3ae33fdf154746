/* SPDX-License-Identifier: Apache-2.0 */
/* Who of a service's replicas gets connections, and that the kernel knows it. */
#include <fcntl.h>
#include <linux/if_addr.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/firewall.h"
#include "engine/health.h"
#include "engine/live.h"
#include "engine/network_place.h"
#include "engine/services.h"
#include "net/linger.h"
#include "runtime/container.h"
#include "sys/conntrack.h"
#include "sys/nft.h"
#include "sys/ns.h"
#include "sys/rtnetlink.h"
#include "sys/sockdiag.h"

#define LOCK_FILE "lock-services"
#define NS_PER_MS INT64_C(1000000)
#define LOOK_MS   10

/* ---- who is ready ---- */

/* A socket that is asked who listens in the container: it stays there. Negative: nobody runs. */
static int diag_of(struct engine *eng, const char *id)
{
	cleanup_fd int netns = -EBADF, userns = -EBADF;
	struct container_state st = { 0 };
	struct net_place place;
	int r = container_state_read(&eng->runtime, id, &st, NULL);
	pid_t pid = st.pid;

	if (r < 0)
		return r;
	container_state_free(&st);
	netns = pid > 0 ? ns_open_of(pid, CLONE_NEWNET, NULL) : -ESRCH;
	if (netns < 0)
		return netns;
	if (eng->rootless) /* root can come back from there by itself */
		userns = net_place_userns(netns);
	place = (struct net_place){ .userns = userns, .netns = netns };
	return net_place_netlink(&place, NETLINK_SOCK_DIAG, NULL);
}

/* At all published ports of TCP. */
static bool listens(int diag, const struct port_bindings *ports)
{
	struct sockdiag_ports heard;
	bool all = diag >= 0 && sockdiag_listening(diag, &heard, NULL) == 0;

	for (size_t i = 0; all && i < ports->n; i++)
		all = ports->items[i].proto != IPPROTO_TCP ||
		      sockdiag_has(&heard, ports->items[i].port);
	return all;
}

static bool has_had_its_time(const struct record *rec)
{
	return time_now_ns() - rec->started_ns > SERVICE_READY_MS * NS_PER_MS;
}

static bool is_listening(struct engine *eng, const char *id, const struct port_bindings *ports)
{
	cleanup_fd int diag = diag_of(eng, id);

	return listens(diag, ports);
}

static bool is_ready(struct engine *eng, const struct replica *m, const struct port_bindings *ports)
{
	cleanup_record struct record rec = { 0 };

	if (m->leaving || record_get(eng, m->id, &rec, NULL) < 0 || rec.status != RECORD_RUNNING ||
	    live_is_paused(eng, &rec))
		return false;
	if (rec.options.health)
		return health_status_of(eng, &rec) == HEALTH_HEALTHY;
	return has_had_its_time(&rec) || is_listening(eng, m->id, ports);
}

/* ---- what that comes to ---- */

struct balance {
	struct service s;
	struct replicas members;
	bool *ready;
	size_t n_ready;
	struct port_bindings ports;
	struct lease_addrs target; /* what the ports lead to, of the virtual addresses */
};

static void balance_done(struct balance *b)
{
	service_done(&b->s);
	replicas_done(&b->members);
	free(b->ready);
	port_bindings_done(&b->ports);
}

static int balance_read(struct engine *eng, const char *id, struct balance *b, struct err *err)
{
	int r = service_get(eng, id, &b->s, err);

	if (r == 0)
		r = service_replicas(eng, id, &b->members, err);
	if (r == 0)
		r = publish_load(eng, id, &b->ports, err);
	if (r == 0)
		r = engine_firewall_target(eng, id, &b->target, err);
	if (r < 0)
		return r;
	b->ready = xcalloc(b->members.n + 1, sizeof(*b->ready));
	for (size_t i = 0; i < b->members.n; i++) {
		b->ready[i] = is_ready(eng, &b->members.items[i], &b->ports);
		b->n_ready += b->ready[i];
	}
	return 0;
}

static struct net_addr of_family(const struct lease_addrs *a, int family)
{
	return family == AF_INET ? a->ip4 : a->ip6;
}

/* One address for each number: of two with the same, where one comes in the other's place, that of
 * the newer one once it is ready. Returns how many. */
static int member_addresses(struct engine *eng, const struct balance *b, const struct network *net,
			    int family, struct net_addr *ret, struct err *err)
{
	const struct replica *m = b->members.items;
	int n = 0, r = 0;

	for (size_t i = 0; r == 0 && i < b->members.n; i++) {
		struct lease_addrs has = { .ip4 = { .family = 0 } };

		n += i == 0 || m[i].number != m[i - 1].number;
		if (!b->ready[i])
			continue;
		r = leases_of(eng, net, m[i].id, &has, err);
		ret[n - 1] = of_family(&has, family);
	}
	return r < 0 ? r : n;
}

/* Each replica has its share of the slots; those of one that isn't ready are shared by the others,
 * so that nobody else's clients move. NULL: nobody is ready. */
static struct net_addr *fill_slots(const struct net_addr *addrs, size_t n)
{
	cleanup_free size_t *up = xcalloc(n + 1, sizeof(*up));
	struct net_addr *slots;
	size_t n_up = 0;

	for (size_t i = 0; i < n; i++)
		if (addrs[i].family)
			up[n_up++] = i;
	if (!n_up)
		return NULL;
	slots = xcalloc(FW_SLOTS, sizeof(*slots));
	for (size_t i = 0; i < FW_SLOTS; i++)
		slots[i] = addrs[i % n].family ? addrs[i % n] : addrs[up[i / n % n_up]];
	return slots;
}

static void add_ports(struct engine *eng, const struct balance *b, struct fw_service *to)
{
	struct fw_ports list = { 0 };

	publish_elements(eng, &b->ports, &b->target.ip4, &b->target.ip6, &list);
	for (size_t i = 0; i < list.n; i++)
		if (net_addr_equal(&list.items[i].to, &to->vip))
			list.items[to->n_ports++] = list.items[i];
	to->ports = list.items;
}

static int add_service(struct engine *eng, const struct balance *b, const struct network *net,
		       int family, struct service_elements *ret, struct err *err)
{
	cleanup_free struct net_addr *addrs = xcalloc(b->members.n + 1, sizeof(*addrs));
	struct lease_addrs has = { .ip4 = { .family = 0 } };
	struct fw_service s = { .sticky = b->s.sticky };
	int r = leases_of(eng, net, b->s.id, &has, err);

	s.vip = of_family(&has, family);
	if (r < 0 || !s.vip.family)
		return r;
	r = member_addresses(eng, b, net, family, addrs, err);
	if (r < 0)
		return r;
	s.slots = fill_slots(addrs, (size_t)r);
	add_ports(eng, b, &s);
	ret->items = xrealloc(ret->items, (ret->n + 1) * sizeof(*ret->items));
	ret->items[ret->n++] = s;
	return 0;
}

/* Those of bridges. */
static int networks_of(struct engine *eng, const char *id, struct network_list *ret,
		       struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r = endpoints_of(eng, id, &list, err);

	ret->items = xcalloc(list.n + 1, sizeof(*ret->items));
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		r = network_get(eng, list.items[i].network, &ret->items[ret->n], err);
		if (r == 0 && ret->items[ret->n].driver == NETWORK_BRIDGE)
			ret->n++;
		else if (r == 0)
			network_done(&ret->items[ret->n]);
	}
	return r;
}

static int elements_of(struct engine *eng, const struct balance *b, const struct network *net,
		       struct service_elements *ret, struct err *err)
{
	int r = add_service(eng, b, net, AF_INET, ret, err);

	return r < 0 ? r : add_service(eng, b, net, AF_INET6, ret, err);
}

void service_elements_done(struct service_elements *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free((void *)(uintptr_t)list->items[i].slots);
		free((void *)(uintptr_t)list->items[i].ports);
	}
	free(take_ptr(list->items));
	list->n = 0;
}

static int ids_of_all(struct engine *eng, char ***ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, "SELECT id FROM services", "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0)
		strv_take(ret, db_column_str(stmt, 0));
	return r;
}

static int want_one(struct engine *eng, const char *id, struct service_elements *ret,
		    struct err *err)
{
	cleanup_network_list struct network_list nets = { 0 };
	struct balance b = { .n_ready = 0 };
	int r = balance_read(eng, id, &b, err);

	if (r == 0 && b.n_ready)
		r = networks_of(eng, id, &nets, err);
	for (size_t i = 0; r == 0 && i < nets.n; i++)
		r = elements_of(eng, &b, &nets.items[i], ret, err);
	balance_done(&b);
	return r == -ENOENT ? 0 : r;
}

int services_want(struct engine *eng, struct service_elements *ret, struct err *err)
{
	struct service_elements all = { 0 };
	cleanup_strv char **ids = NULL;
	int r = ids_of_all(eng, &ids, err);

	for (char **id = ids; r == 0 && id && *id; id++)
		r = want_one(eng, *id, &all, err);
	for (size_t i = 0; i < all.n; i++) {
		if (all.items[i].slots) {
			ret->items = xrealloc(ret->items, (ret->n + 1) * sizeof(*ret->items));
			ret->items[ret->n++] = all.items[i];
			all.items[i] = (struct fw_service){ 0 };
		}
	}
	service_elements_done(&all);
	return r;
}

/* ---- the virtual address on the bridge ---- */

struct address {
	const char *bridge;
	struct rtnl_addr addr;
	bool remove;
};

static int change_address(void *data, struct err *err)
{
	const struct address *a = data;
	cleanup_fd int sock = rtnl_open(err);
	int index = sock < 0 ? sock : rtnl_link_index(sock, a->bridge, err);

	if (index == -ENODEV)
		return 0; /* it comes with the next container */
	if (index < 0)
		return index;
	return a->remove ? rtnl_addr_delete(sock, index, &a->addr, err)
			 : rtnl_addr_add(sock, index, &a->addr, err);
}

/* So neighbours find it, and what they send comes up to where it is translated. */
static int put_address(struct engine *eng, const struct network *net, const struct fw_service *s,
		       struct err *err)
{
	uint8_t len = s->vip.family == AF_INET ? 4 : 16;
	struct address a = { .bridge = net->bridge,
			     .remove = !s->slots,
			     .addr = { .family = s->vip.family,
				       .prefix_len = (uint8_t)(8 * len),
				       .len = len,
				       .have_local = true,
				       .flags = len == 16 ? IFA_F_NODAD : 0 } };
	struct net_place place;
	int r = network_place(eng, false, &place, err);

	if (r < 0 || !net->bridge)
		return r == -ESRCH || r == 0 ? 0 : r;
	memcpy(a.addr.local, s->vip.bytes, len);
	return net_place_run(&place, change_address, &a, err);
}

/* With an address that nobody is behind, this machine itself would answer. */
static int apply(struct engine *eng, const struct network *net, const struct fw_service *s,
		 struct err *err)
{
	struct fw_change change = { 0 };
	int r = s->slots ? 0 : put_address(eng, net, s, err);

	*(s->slots ? &change.add : &change.remove) =
	    (struct fw_state){ .services = s, .n_services = 1 };
	if (r == 0)
		r = engine_firewall_change(eng, &change, err);
	return r == 0 && s->slots ? put_address(eng, net, s, err) : r;
}

/* ---- flows of UDP ---- */

struct flows {
	int net_dir;
	struct conntrack_ports list;
};

static int forget_flows(void *data, struct err *err)
{
	const struct flows *f = data;
	int sock = nft_open(err), r = sock < 0 ? sock : conntrack_delete_ports(sock, &f->list, err);

	net_linger(f->net_dir, sock);
	return r;
}

/* Addresses of those that the kernel may remember to lead to, and that aren't ready any more. */
static int left_behind(struct engine *eng, const struct balance *b, const struct network *net,
		       struct net_addr *ret, size_t *ret_n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->members.n; i++) {
		struct lease_addrs has = { .ip4 = { .family = 0 } };

		if (!b->ready[i] && !b->members.items[i].forgotten)
			r = leases_of(eng, net, b->members.items[i].id, &has, err);
		if (has.ip4.family)
			ret[(*ret_n)++] = has.ip4;
		if (has.ip6.family)
			ret[(*ret_n)++] = has.ip6;
	}
	return r;
}

static int forget_those_of(struct engine *eng, const struct balance *b,
			   const struct network_list *nets, struct err *err)
{
	size_t max = 2 * b->members.n * nets->n + 1, n = 0;
	cleanup_free struct net_addr *addrs = xcalloc(max, sizeof(*addrs));
	cleanup_free struct conntrack_port *by = xcalloc(max, sizeof(*by));
	struct flows f = { .net_dir = eng->net_fd, .list = { .items = by } };
	struct net_place place;
	int r = 0;

	for (size_t i = 0; r == 0 && i < nets->n; i++)
		r = left_behind(eng, b, &nets->items[i], addrs, &n, err);
	if (r < 0 || !n)
		return r;
	for (f.list.n = 0; f.list.n < n; f.list.n++)
		by[f.list.n] = (struct conntrack_port){ .family = addrs[f.list.n].family,
							.proto = IPPROTO_UDP,
							.by = addrs[f.list.n].bytes };
	r = network_place(eng, false, &place, err);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	return net_place_run(&place, forget_flows, &f, err);
}

/* Those that leave have no flows any more, and get no new ones until they are back. */
static int note_forgotten(struct engine *eng, const struct balance *b, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < b->members.n; i++)
		if (b->members.items[i].leaving && !b->members.items[i].forgotten)
			r = db_exec(eng->db, err,
				    "UPDATE replicas SET leaving = ?"
				    " WHERE container = ? AND leaving <> 0",
				    "is", SERVICE_LEFT, b->members.items[i].id);
	return r < 0 ? r : 0;
}

static int apply_all(struct engine *eng, const struct balance *b, struct err *err)
{
	cleanup_network_list struct network_list nets = { 0 };
	int r = networks_of(eng, b->s.id, &nets, err);

	for (size_t i = 0; r == 0 && i < nets.n; i++) {
		struct service_elements list = { 0 };

		r = elements_of(eng, b, &nets.items[i], &list, err);
		for (size_t k = 0; r == 0 && k < list.n; k++)
			r = apply(eng, &nets.items[i], &list.items[k], err);
		service_elements_done(&list);
	}
	if (r == 0)
		r = forget_those_of(eng, b, &nets, err);
	return r == 0 ? note_forgotten(eng, b, err) : r;
}

/* ---- changes ---- */

/* Taken before what is true is read, and kept until the kernel has it. Never behind the
 * firewall's. */
static int lock_services(struct engine *eng, struct err *err)
{
	cleanup_fd int fd = -EBADF;
	int r = engine_net(eng, err);

	if (r < 0)
		return r;
	fd = openat(eng->net_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || NO_EINTR(flock(fd, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking the services");
	return take_fd(fd);
}

int service_refresh(struct engine *eng, const char *id, struct err *err)
{
	struct balance b = { .n_ready = 0 };
	cleanup_fd int lock = lock_services(eng, err);
	int r = lock < 0 ? lock : balance_read(eng, id, &b, err);

	if (r == 0)
		r = apply_all(eng, &b, err);
	if (r < 0 && r != -ENOENT)
		err_wrap(err, r, "balancing service %s", b.s.name ? b.s.name : id);
	balance_done(&b);
	return r == -ENOENT ? 0 : r;
}

void service_note(struct engine *eng, const struct record *rec)
{
	struct err err = ERR_INIT;

	if (rec->options.service && service_refresh(eng, rec->options.service, &err) < 0)
		log_warn("%s", err.msg);
}

int services_refresh(struct engine *eng, struct err *err)
{
	cleanup_strv char **ids = NULL;
	int r = engine_db(eng, err);

	if (r == 0)
		r = ids_of_all(eng, &ids, err);
	for (char **id = ids; r == 0 && id && *id; id++)
		r = service_refresh(eng, *id, err);
	return r;
}

static char *service_of(struct engine *eng, const char *container)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;

	if (engine_db(eng, NULL) < 0 ||
	    db_query(eng->db, &stmt, NULL, "SELECT service FROM replicas WHERE container = ?", "s",
		     container) < 0 ||
	    db_step(eng->db, stmt, NULL) <= 0)
		return NULL;
	return db_column_str(stmt, 0);
}

static int set_leaving(struct engine *eng, const char *container, bool leaving, struct err *err)
{
	cleanup_free char *service = service_of(eng, container);
	int r;

	if (!service)
		return 0;
	/* What has left already stays so. */
	r = db_exec(eng->db, err,
		    "UPDATE replicas SET leaving = ?1 WHERE container = ?2"
		    " AND (leaving <> 0) <> ?1",
		    "is", (int)leaving, container);
	return r < 0 ? r : service_refresh(eng, service, err);
}

int service_leave(struct engine *eng, const char *container, struct err *err)
{
	return set_leaving(eng, container, true, err);
}

int service_return(struct engine *eng, const char *container, struct err *err)
{
	return set_leaving(eng, container, false, err);
}

int service_is_ready(struct engine *eng, const char *container, struct err *err)
{
	cleanup_free char *service = service_of(eng, container);
	cleanup_port_bindings struct port_bindings ports = { 0 };
	cleanup_replicas struct replicas list = { 0 };
	int r = service ? service_replicas(eng, service, &list, err) : 0;

	if (r == 0 && list.n)
		r = publish_load(eng, service, &ports, err);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		if (str_eq(list.items[i].id, container))
			return is_ready(eng, &list.items[i], &ports);
	return r;
}

/* By one socket, and without a look at the other replicas. */
static void wait_for_listening(struct engine *eng, const struct record *rec)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * NS_PER_MS };
	int64_t end = time_monotonic_ns() + (SERVICE_READY_MS + LOOK_MS) * NS_PER_MS;
	cleanup_port_bindings struct port_bindings ports = { 0 };
	cleanup_record struct record now = { 0 };
	cleanup_fd int diag = diag_of(eng, rec->id);

	if (publish_load(eng, rec->options.service, &ports, NULL) < 0)
		return;
	while (!listens(diag, &ports) && time_monotonic_ns() < end) {
		record_done(&now);
		if (record_get(eng, rec->id, &now, NULL) < 0 || now.status != RECORD_RUNNING)
			break;
		nanosleep(&pause, NULL);
	}
}

void service_started(struct engine *eng, const struct record *rec)
{
	if (rec->options.service && !rec->options.health)
		wait_for_listening(eng, rec);
	service_note(eng, rec);
}
