/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the networks' firewall on the kernel that runs. Without arguments: tests, in a
 * network namespace of its own, with CAP_NET_ADMIN or in a user namespace. Else it does what
 * tests/cli/test_firewall.py says, where it is:
 *
 *	kernel_firewall DIRECTORY TABLE reconcile|check|add|remove|delete [WORD...]
 *	WORD: net,BRIDGE,SUBNET|-,SUBNET6|-,internal|masquerade|routed|open|icc,...
 *	      port,tcp|udp,HOST|-,PORT,ADDRESS,PORT
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/firewall_internal.h"
#include "net/nft_load.h"
#include "net/portspec.h"

#define MANY 10000

static struct firewall fw = { .table = "inro" };

/* ---- as a tool ---- */

struct state {
	struct fw_network networks[16];
	struct fw_port ports[16];
	struct fw_state state;
};

static int take_network(char **w, struct fw_network *n, struct err *err)
{
	snprintf(n->bridge, sizeof(n->bridge), "%s", w[1]);
	if (!str_eq(w[2], "-") && subnet_parse(w[2], &n->v4, err) < 0)
		return -EINVAL;
	if (!str_eq(w[3], "-") && subnet_parse(w[3], &n->v6, err) < 0)
		return -EINVAL;
	n->internal = strv_has(w + 4, "internal");
	n->masquerade = strv_has(w + 4, "masquerade");
	n->routed = strv_has(w + 4, "routed");
	n->open = strv_has(w + 4, "open");
	n->icc = strv_has(w + 4, "icc");
	return 0;
}

static int take_port(char **w, struct fw_port *p, struct err *err)
{
	struct port_range from, to;

	if (port_proto_parse(w[1], &p->proto) < 0 || port_range_parse(w[3], &from) < 0 ||
	    port_range_parse(w[5], &to) < 0 ||
	    (!str_eq(w[2], "-") && net_addr_parse(w[2], &p->host, err) < 0) ||
	    net_addr_parse(w[4], &p->to, err) < 0)
		return -EINVAL;
	p->host_port = from.first;
	p->to_port = to.first;
	return 0;
}

static int take_words(char **words, struct state *ret, struct err *err)
{
	int r = 0;

	for (; r == 0 && *words; words++) {
		cleanup_strv char **w = strv_split(*words, ',');

		if (strv_len(w) >= 4 && str_eq(w[0], "net") && ret->state.n_networks < 16)
			r = take_network(w, &ret->networks[ret->state.n_networks++], err);
		else if (strv_len(w) == 6 && str_eq(w[0], "port") && ret->state.n_ports < 16)
			r = take_port(w, &ret->ports[ret->state.n_ports++], err);
		else
			r = err_fail(err, ERR_USAGE, "%s?", *words);
	}
	ret->state.networks = ret->networks;
	ret->state.ports = ret->ports;
	return r;
}

static int act(const char *verb, const struct fw_state *s, struct err *err)
{
	struct fw_change change = { .add = { 0 } };
	struct fw_report report = { .no_table = false };
	cleanup_fd int lock = -EBADF;
	int r;

	if (str_eq(verb, "add") || str_eq(verb, "remove")) {
		*(str_eq(verb, "add") ? &change.add : &change.remove) = *s;
		r = firewall_change(&fw, &change, err);
		return r == -EAGAIN ? err_fail(err, ERR_SYSTEM, "no table") : r;
	}
	lock = firewall_lock(&fw, true, err);
	if (lock < 0)
		return lock;
	if (str_eq(verb, "delete"))
		return firewall_remove(&fw, err);
	r = firewall_reconcile(&fw, s, str_eq(verb, "check"), &report, err);
	if (r == 0)
		printf("no_table %d missing %zu excess %zu wrong %zu\n", report.no_table,
		       report.missing, report.excess, report.wrong);
	return r;
}

static int tool(char **args)
{
	struct state s = { .state = { 0 } };
	struct err err = ERR_INIT;
	int r;

	fw.dir = open(args[0], O_DIRECTORY | O_CLOEXEC);
	fw.table = args[1];
	r = take_words(args + 3, &s, &err);
	if (r == 0)
		r = act(args[2], &s.state, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.msg);
	return r < 0 ? 1 : 0;
}

/* ---- tests ---- */

static struct subnet subnet(const char *text)
{
	struct subnet s = { .prefix = 0 };

	if (subnet_parse(text, &s, NULL) < 0)
		abort();
	return s;
}

static struct fw_port port(unsigned int from, uint8_t last)
{
	return (struct fw_port){ .proto = IPPROTO_TCP,
				 .host_port = (uint16_t)from,
				 .to = { .family = AF_INET, .bytes = { 10, 89, 0, last } },
				 .to_port = 80 };
}

static int change(const struct fw_port *add, size_t n_add, const struct fw_port *out, size_t n_out,
		  struct err *err)
{
	const struct fw_change c = { .add = { .ports = add, .n_ports = n_add },
				     .remove = { .ports = out, .n_ports = n_out } };

	return firewall_change(&fw, &c, err);
}

static struct fw_report reconcile(const struct fw_state *want, bool dry)
{
	struct fw_report report = { .no_table = true, .missing = 9999 };
	struct err err = ERR_INIT;
	cleanup_fd int lock = firewall_lock(&fw, true, &err);

	CHECK_OK(firewall_reconcile(&fw, want, dry, &report, &err));
	return report;
}

/* Nothing to do. */
static bool is_right(const struct fw_state *want)
{
	struct fw_report r = reconcile(want, true);

	return !r.no_table && r.missing + r.excess + r.wrong == 0;
}

static size_t count(const char *set)
{
	cleanup_nft_elements struct nft_elements list = { 0 };
	struct err err = ERR_INIT;
	cleanup_fd int sock = nft_open(&err);

	CHECK_OK(nft_elements_read(sock, fw.table, set, &list, &err));
	return list.n;
}

static void test_no_table(void)
{
	const struct fw_port p = port(8080, 7);
	struct err err = ERR_INIT;
	struct fw_report report;

	CHECK(change(&p, 1, NULL, 0, &err) == -EAGAIN && err.msg[0] == '\0');
	report = reconcile(&(struct fw_state){ 0 }, true);
	CHECK(report.no_table);
	CHECK(change(&p, 1, NULL, 0, &err) == -EAGAIN); /* dry is dry */
	report = reconcile(&(struct fw_state){ .ports = &p, .n_ports = 1 }, false);
	CHECK(report.no_table && report.missing == 1);
	CHECK(count("ports4") == 1);
}

static void test_change(void)
{
	const struct fw_port old[] = { port(8080, 7), port(8081, 7) };
	const struct fw_port new[] = { port(8080, 8), port(8082, 8) };
	struct err err = ERR_INIT;

	CHECK_OK(change(old, 2, NULL, 0, &err)); /* one is there already */
	CHECK_OK(change(old, 2, NULL, 0, &err));
	CHECK(count("ports4") == 2);
	CHECK_OK(change(new, 2, NULL, 0, &err)); /* one leads elsewhere now */
	CHECK(is_right(&(struct fw_state){
	    .ports = (struct fw_port[]){ port(8080, 8), port(8081, 7), port(8082, 8) },
	    .n_ports = 3 }));
	/* one is gone already, so all is looked at: the other has come to somebody else */
	CHECK_OK(change(NULL, 0, old + 1, 1, &err));
	CHECK_OK(change(NULL, 0, old, 2, &err));
	CHECK(count("ports4") == 2);
	CHECK_OK(change(NULL, 0, new, 2, &err));
	CHECK(count("ports4") == 0 && err.msg[0] == '\0');
}

/* Neighbours that come and go, with intervals that touch. */
static void test_networks(void)
{
	const struct fw_network all[] = {
		{ .bridge = "inro0",
		  .v4 = subnet("10.89.0.0/24"),
		  .masquerade = true,
		  .icc = true },
		{ .bridge = "inro1",
		  .v4 = subnet("10.89.1.0/24"),
		  .v6 = subnet("fd00:89:0:1::/64"),
		  .masquerade = true },
		{ .bridge = "inro2", .v4 = subnet("10.89.2.0/24"), .internal = true },
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < 3; i++)
		for (int again = 0; again < 2; again++) {
			const struct fw_change c = { .add = { .networks = all + i,
							      .n_networks = 1 } };

			CHECK_OK(firewall_change(&fw, &c, &err));
			CHECK(is_right(&(struct fw_state){ .networks = all, .n_networks = i + 1 }));
		}
	CHECK(count("nets4") == 6);
	for (int again = 0; again < 2; again++) {
		const struct fw_change c = { .remove = { .networks = all + 1, .n_networks = 1 } };

		CHECK_OK(firewall_change(&fw, &c, &err));
	}
	CHECK(count("nets4") == 4 && count("nets6") == 0 && count("bridges") == 2);
	CHECK_OK(firewall_change(&fw, &(struct fw_change){ .add = { all, 3 } }, &err));
	CHECK(is_right(&(struct fw_state){ .networks = all, .n_networks = 3 }));
	reconcile(&(struct fw_state){ 0 }, false);
	reconcile(&(struct fw_state){ .networks = all, .n_networks = 3 }, false);
	CHECK(is_right(&(struct fw_state){ .networks = all, .n_networks = 3 }));
	reconcile(&(struct fw_state){ .networks = all + 1, .n_networks = 1 }, false);
	CHECK(is_right(&(struct fw_state){ .networks = all + 1, .n_networks = 1 }));
	CHECK(count("nets4") == 2 && count("icc") == 0);
}

/* Killed after the text was loaded; and an administrator who takes rules out. */
static void test_incomplete(void)
{
	const struct fw_port p = port(8080, 7);
	const struct fw_state want = { .ports = &p, .n_ports = 1 };
	struct err err = ERR_INIT;
	cleanup_buf struct buf text = BUF_INIT;

	reconcile(&want, false);
	fw_text(fw.table, &text);
	CHECK_OK(nft_replace(fw.table, &text, &err));
	buf_done(&text);
	CHECK(change(&p, 1, NULL, 0, &err) == -EAGAIN);
	CHECK(change(NULL, 0, &p, 1, &err) == -EAGAIN);
	CHECK(count("ports4") == 0);
	reconcile(&want, false);
	CHECK(is_right(&want));
	CHECK_OK(change(&p, 1, NULL, 0, &err));
	buf_adds(&text, "flush chain inet inro forward\n");
	CHECK_OK(nft_load(&text, &err));
	CHECK(reconcile(&want, true).no_table);
	CHECK(reconcile(&want, false).no_table);
	CHECK(is_right(&want));
}

/* More than a user's socket takes in one batch. */
static void test_many(void)
{
	static struct fw_port ports[MANY];
	const struct fw_state want = { .ports = ports, .n_ports = MANY };
	struct fw_report report;

	for (unsigned int i = 0; i < MANY; i++)
		ports[i] = port(1000 + i, (uint8_t)(i % 250));
	report = reconcile(&want, false);
	CHECK(report.excess + report.missing >= MANY - 1);
	CHECK(is_right(&want));
	for (unsigned int i = 0; i < MANY; i++)
		ports[i].to_port = 81;
	CHECK(reconcile(&want, false).wrong == MANY);
	CHECK(is_right(&want));
	CHECK(reconcile(&(struct fw_state){ 0 }, false).excess == MANY);
	CHECK(count("ports4") == 0);
}

static void test_remove(void)
{
	struct err err = ERR_INIT;

	CHECK_OK(firewall_remove(&fw, &err));
	CHECK_OK(firewall_remove(&fw, &err));
	CHECK(reconcile(&(struct fw_state){ 0 }, true).no_table);
}

static const struct {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{ "no table", test_no_table },     { "change", test_change }, { "networks", test_networks },
	{ "incomplete", test_incomplete }, { "many", test_many },     { "remove", test_remove },
};

int main(int argc, char **argv)
{
	char dir[] = "/tmp/inro-firewall-XXXXXX";

	if (argc >= 4)
		return tool(argv + 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (unshare(CLONE_NEWNET) < 0 || !mkdtemp(dir)) {
		perror("making a network namespace and a directory");
		return 1;
	}
	fw.dir = open(dir, O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		int failed = run.failed;

		run.name = tests[i].name;
		run.done++;
		tests[i].fn();
		if (run.failed == failed)
			printf("ok - %s\n", run.name);
	}
	unlinkat(fw.dir, "lock", 0);
	rmdir(dir);
	printf("%d tests, %d checks failed\n", run.done, run.failed);
	return run.failed ? 1 : 0;
}
