/* SPDX-License-Identifier: Apache-2.0 */
/* Machines with one fault each: a directory that is "/", and facts. */
#include "unit.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/doctor.h"
#include "sys/nft.h"

static long missing_call;

static bool has_call(long nr)
{
	return nr != missing_call;
}

#define CGROUP2 "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

struct machine {
	char dir[32];
	struct doctor d;
};

static void put(const struct machine *m, const char *name, const char *text)
{
	cleanup_free char *path = xasprintf("%s/%s", m->dir, name);
	char *slash = strrchr(path, '/');
	struct err err = ERR_INIT;
	int fd;

	*slash = '\0';
	fd = path_mkdirs(path, 0755, &err);
	assert_ok(fd);
	*slash = '/';
	assert_ok(io_replace_file(AT_FDCWD, path, text, strlen(text), 0755, false, &err));
	fd_close(fd);
}

static void drop(const struct machine *m, const char *name)
{
	assert_int_equal(unlinkat(m->d.root, name, 0), 0);
}

/* A user's machine on which nothing is wrong. */
static int set_up(void **state)
{
	static const char *const files[][2] = {
		{ "proc/sys/kernel/seccomp/actions_avail", "allow\n" },
		{ "proc/filesystems", "nodev\tproc\nnodev\toverlay\n" },
		{ "proc/sys/kernel/osrelease", "6.1.0-18-amd64\n" },
		{ "proc/self/ns/user", "" },
		{ "proc/sys/user/max_user_namespaces", "1000\n" },
		{ "etc/subuid", "alice:100000:65536\n" },
		{ "etc/subgid", "alice:100000:65536\n" },
		{ "usr/sbin/nft", "x" },
		{ "usr/sbin/dnsmasq", "x" },
		{ "usr/bin/pasta", "x" },
		{ "dev/net/tun", "" },
		{ "etc/resolv.conf", "nameserver 127.0.0.53\n" },
		{ "usr/bin/newuidmap", "x" },
		{ "usr/bin/newgidmap", "x" },
		{ "proc/self/mountinfo", CGROUP2 },
		{ "proc/self/cgroup", "0::/user.slice/a\n" },
		{ "sys/fs/cgroup/user.slice/a/cgroup.controllers", "cpu memory pids\n" },
	};
	struct machine *m = xcalloc(1, sizeof(*m));

	snprintf(m->dir, sizeof(m->dir), "/tmp/inro-doctor-XXXXXX");
	assert_non_null(mkdtemp(m->dir));
	m->d = (struct doctor){
		.root = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.rootless = true,
		.uid = 1000,
		.user = "alice",
		.has_call = has_call,
		.landlock_abi = 1,
		.now_ns = INT64_C(1800000000) * 1000000000,
		.store = { "/store", UINT64_C(1) << 40, UINT64_C(1) << 40, 1u << 20, 1u << 20 },
		.runtime_dir = "/run/user/1000",
	};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(m, files[i][0], files[i][1]);
	assert_int_equal(fchmodat(m->d.root, "usr/bin/newuidmap", 04755, 0), 0);
	assert_int_equal(fchmodat(m->d.root, "usr/bin/newgidmap", 04755, 0), 0);
	missing_call = -1;
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;
	struct err err = ERR_INIT;
	int tmp;

	fd_close(m->d.root);
	tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_tree(tmp, m->dir + strlen("/tmp/"), &err));
	fd_close(tmp);
	free(m);
	return 0;
}

/* That check, and no other, says so; a fault has a cure. words: in its text. */
static void expect(const struct machine *m, const char *check, int verdict, const char *words)
{
	cleanup_doctor_report struct doctor_report report = { 0 };
	bool seen = false;

	doctor_examine(&m->d, &report);
	for (size_t i = 0; i < report.items.n; i++) {
		const struct doctor_finding *f = &report.items.items[i];
		bool it = str_eq(f->check, check);

		seen = seen || it;
		if (f->verdict != (it ? verdict : DOCTOR_OK))
			fail_msg("%s: %s: %s", f->check, doctor_verdict_names[f->verdict], f->text);
		if (it && !strstr(f->text, words))
			fail_msg("%s: %s", f->check, f->text);
		assert_true((f->verdict == DOCTOR_OK) == !f->cure);
	}
	assert_true(seen);
}

static void test_well(void **state)
{
	struct machine *m = *state;

	expect(m, "kernel", DOCTOR_OK, "");
	/* of root, nothing that only users need is looked for */
	m->d.rootless = false;
	m->d.runtime_dir = NULL;
	drop(m, "etc/subuid");
	drop(m, "usr/bin/newuidmap");
	put(m, "sys/fs/cgroup/cgroup.controllers", "cpu memory pids io\n");
	expect(m, "kernel", DOCTOR_OK, "");
}

static void test_kernel(void **state)
{
	struct machine *m = *state;

	missing_call = SYS_move_mount;
	expect(m, "kernel", DOCTOR_FAIL, "move_mount");
	missing_call = SYS_openat2;
	expect(m, "kernel", DOCTOR_WARN, "openat2");
	missing_call = -1;
	m->d.landlock_abi = 0;
	expect(m, "landlock", DOCTOR_WARN, "no Landlock");
	m->d.landlock_abi = 1;
	drop(m, "proc/sys/kernel/seccomp/actions_avail");
	expect(m, "seccomp", DOCTOR_FAIL, "no seccomp");
}

static void test_overlay(void **state)
{
	struct machine *m = *state;

	put(m, "proc/sys/kernel/osrelease", "5.10.0-30-amd64\n");
	expect(m, "overlay", DOCTOR_FAIL, "5.11");
	put(m, "proc/filesystems", "nodev\tproc\n\text4\n");
	expect(m, "overlay", DOCTOR_FAIL, "no overlay");
}

static void test_user_namespaces(void **state)
{
	static const char *const rows[][2] = {
		{ "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n" },
		{ "proc/sys/kernel/unprivileged_userns_clone", "0\n" },
		{ "proc/sys/user/max_user_namespaces", "0\n" },
	};
	struct machine *m = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put(m, rows[i][0], rows[i][1]);
		expect(m, "user namespaces", DOCTOR_FAIL, strrchr(rows[i][0], '/') + 1);
	}
	drop(m, "proc/self/ns/user");
	expect(m, "user namespaces", DOCTOR_FAIL, "no user namespaces");
}

static void test_ids(void **state)
{
	struct machine *m = *state;

	put(m, "etc/subgid", "alice:100000:1000\n");
	expect(m, "subordinate ids", DOCTOR_WARN, "1000 ids");
	put(m, "etc/subuid", "bob:100000:65536\n");
	expect(m, "subordinate ids", DOCTOR_FAIL, "/etc/subuid");
	m->d.user = NULL; /* LDAP's */
	put(m, "etc/subuid", "alice:100000:65536\n");
	expect(m, "subordinate ids", DOCTOR_FAIL, "/etc/passwd has no name");
	put(m, "etc/subuid", "1000:100000:65536\n");
	put(m, "etc/subgid", "1000:100000:65536\n");
	put(m, "etc/nsswitch.conf", "passwd: files sss\nsubid: sss\n");
	expect(m, "subordinate ids", DOCTOR_FAIL, "nsswitch.conf");
	put(m, "etc/nsswitch.conf", "passwd: files sss\nsubid:\tfiles\n");
	assert_int_equal(fchmodat(m->d.root, "usr/bin/newgidmap", 0755, 0), 0);
	expect(m, "id helpers", DOCTOR_FAIL, "newgidmap");
	drop(m, "usr/bin/newuidmap");
	assert_int_equal(fchmodat(m->d.root, "usr/bin/newgidmap", 04755, 0), 0);
	expect(m, "id helpers", DOCTOR_FAIL, "newuidmap is missing");
}

static void test_cgroups(void **state)
{
	struct machine *m = *state;

	put(m, "sys/fs/cgroup/user.slice/a/cgroup.controllers", "memory pids\n");
	expect(m, "cgroups", DOCTOR_WARN, "cpu is not delegated");
	put(m, "proc/self/mountinfo",
	    "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	    "31 24 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
	put(m, "proc/self/cgroup", "2:memory:/\n3:cpu:/\n");
	m->d.rootless = false;
	expect(m, "cgroups", DOCTOR_WARN, "pids is not mounted");
	put(m, "proc/self/mountinfo",
	    "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory,cpu,pids\n");
	put(m, "proc/self/cgroup", "2:memory,cpu,pids:/\n");
	expect(m, "cgroups", DOCTOR_OK, "version 1");
	m->d.rootless = true;
	expect(m, "cgroups", DOCTOR_WARN, "users can't set limits");
	put(m, "proc/self/mountinfo", "");
	expect(m, "cgroups", DOCTOR_FAIL, "no cgroups");
}

static void test_store(void **state)
{
	struct machine *m = *state;
	const struct doctor_space well = m->d.store;

	m->d.store_problem = "Permission denied";
	expect(m, "store", DOCTOR_FAIL, "Permission denied");
	m->d.store_problem = NULL;
	m->d.store.free_bytes = 10 << 20;
	expect(m, "disk space", DOCTOR_FAIL, "10 MiB");
	m->d.store.free_bytes = well.bytes / 30;
	expect(m, "disk space", DOCTOR_WARN, "nearly full");
	m->d.store = well;
	m->d.store.free_inodes = 5;
	expect(m, "inodes", DOCTOR_FAIL, "5 more files");
	m->d.store.free_inodes = well.inodes / 30;
	expect(m, "inodes", DOCTOR_WARN, "are free");
	m->d.store.inodes = m->d.store.free_inodes = 0; /* btrfs */
	expect(m, "inodes", DOCTOR_OK, "");
}

static void test_rest(void **state)
{
	struct machine *m = *state;

	m->d.runtime_dir = NULL;
	expect(m, "runtime directory", DOCTOR_WARN, "XDG_RUNTIME_DIR");
	m->d.runtime_dir = "/run/user/1000";
	m->d.n_policies = 2;
	m->d.home = "/home/alice";
	expect(m, "restarts at boot", DOCTOR_WARN, "systemd does not run");
	put(m, "run/systemd/system/x", "");
	expect(m, "restarts at boot", DOCTOR_WARN, "2 containers");
	put(m, "home/alice/.config/systemd/user/default.target.wants/inro-restart.service", "");
	expect(m, "restarts at boot", DOCTOR_OK, "is enabled");
	m->d.n_policies = 0;
	m->d.now_ns = 0;
	expect(m, "clock", DOCTOR_FAIL, "clock");
	m->d.now_ns = INT64_C(1800000000) * 1000000000;
	m->d.missing_program = "inro-layer";
	expect(m, "programs", DOCTOR_FAIL, "inro-layer");
}

static void test_networks(void **state)
{
	struct machine *m = *state;
	struct doctor_net *n = &m->d.net;

	expect(m, "published ports", DOCTOR_OK, "from 1024 on");
	n->links_problem = (char[]){ "making a bridge: Operation not supported" };
	expect(m, "interfaces", DOCTOR_FAIL, "making a bridge");
	*n = (struct doctor_net){ .slots_problem = (char[]){ "no numgen" } };
	expect(m, "nftables", DOCTOR_WARN, "no numgen");
	n->nft_problem = (char[]){ "no fib" };
	expect(m, "nftables", DOCTOR_FAIL, "no fib");
	drop(m, "usr/sbin/nft");
	expect(m, "nftables", DOCTOR_WARN, "no program nft");
	put(m, "usr/sbin/nft", "x");

	*n = (struct doctor_net){ .in_use = true };
	expect(m, "rules of networks", DOCTOR_OK, "all rules");
	n->excess = 1;
	expect(m, "rules of networks", DOCTOR_WARN, "1 parts");
	n->missing = 3;
	expect(m, "rules of networks", DOCTOR_FAIL, "3 parts are missing");
	n->no_table = true;
	expect(m, "rules of networks", DOCTOR_FAIL, "gone");
	*n = (struct doctor_net){ .overlap = (char[]){ "network a overlaps" } };
	expect(m, "subnets", DOCTOR_WARN, "network a");
	*n = (struct doctor_net){ .names_killed = true };
	expect(m, "names", DOCTOR_OK, "dnsmasq");
	n->in_use = true;
	expect(m, "names", DOCTOR_FAIL, "inro-net was killed");
	*n = (struct doctor_net){ .in_use = false };

	drop(m, "etc/resolv.conf");
	expect(m, "names", DOCTOR_WARN, "resolv.conf");
	drop(m, "usr/sbin/dnsmasq");
	expect(m, "names", DOCTOR_WARN, "no program dnsmasq");
	put(m, "usr/sbin/dnsmasq", "x");
	put(m, "etc/resolv.conf", "x");
	put(m, "proc/sys/net/netfilter/nf_conntrack_max", "1000\n");
	put(m, "proc/sys/net/netfilter/nf_conntrack_count", "900\n");
	expect(m, "connections", DOCTOR_WARN, "900 of at most 1000");
	put(m, "proc/sys/net/netfilter/nf_conntrack_count", "700\n");
	drop(m, "dev/net/tun");
	expect(m, "way out for users", DOCTOR_WARN, "/dev/net/tun");
	drop(m, "usr/bin/pasta");
	expect(m, "way out for users", DOCTOR_WARN, "no program pasta");
	/* root needs neither, but forwarding */
	m->d.rootless = false;
	put(m, "sys/fs/cgroup/cgroup.controllers", "cpu memory pids io\n");
	n->in_use = true;
	put(m, "proc/sys/net/ipv4/ip_forward", "0\n");
	expect(m, "forwarding", DOCTOR_FAIL, "switched it off");
}

static void test_other_firewalls(void **state)
{
	struct machine *m = *state;
	struct nft_chain chains[] = {
		{ NFPROTO_INET, "inro", "forward", true, NF_INET_FORWARD, false },
		{ NFPROTO_IPV4, "filter", "INPUT", true, NF_INET_LOCAL_IN, true },
		{ NFPROTO_IPV4, "filter", "FORWARD", true, NF_INET_FORWARD, true },
		{ NFPROTO_IPV4, "filter", "DOCKER-USER", false, 0, false },
		{ NFPROTO_IPV4, "filter", "INRO", false, 0, false },
	};
	struct nft_chains list = { chains, 2 };

	m->d.net.chains = &list;
	expect(m, "other firewalls", DOCTOR_OK, "");
	list.n = 3;
	expect(m, "other firewalls", DOCTOR_WARN, "chain FORWARD of table ip filter");
	list.n = 4;
	expect(m, "other firewalls", DOCTOR_FAIL, "docker");
	list.n = 5;
	expect(m, "other firewalls", DOCTOR_OK, "");
	snprintf(chains[3].name, NFT_NAME_MAX, "ufw-user-forward");
	expect(m, "other firewalls", DOCTOR_WARN, "ufw drops");
	snprintf(chains[0].table, NFT_NAME_MAX, "firewalld");
	list.n = 1;
	expect(m, "other firewalls", DOCTOR_WARN, "firewalld runs");
	put(m, "etc/firewalld/firewalld.conf", "# x\nStrictForwardPorts=yes\n");
	expect(m, "other firewalls", DOCTOR_WARN, "StrictForwardPorts");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_well),     T(test_kernel),          T(test_overlay), T(test_user_namespaces),
		T(test_ids),      T(test_cgroups),         T(test_store),   T(test_rest),
		T(test_networks), T(test_other_firewalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
