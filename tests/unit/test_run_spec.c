/* SPDX-License-Identifier: Apache-2.0 */
/* The spec generator: what a user asks for must be in the config.json, and nothing more. */
#include "unit.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/spec.h"
#include "sys/cap.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct user_result root_user = { .home = (char *)"/root" };

struct fixture {
	struct run_options opts;
	struct spec_input in;
	struct spec spec;
	struct err err;
};

static const char *const args_sh[] = { "sh", "-c", "true", NULL };
static const char *const args_none[] = { NULL };

static void setup(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	f->in = (struct spec_input){
		.id = ID,
		.bundle = "/state/containers/" ID,
		.opts = &f->opts,
		.args = (char **)args_sh,
		.user = &root_user,
		.host_name = "machine",
		.own_caps = UINT64_MAX,
	};
}

static void generate(struct fixture *f)
{
	struct err err = ERR_INIT;

	assert_ok(spec_generate(&f->in, &f->spec, &err));
}

/* What we write has to be a configuration that the runtime's own checks accept. */
static void check_whole(struct fixture *f)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	struct spec again = { 0 };

	json_write(&spec_desc, &f->spec, 0, &text);
	assert_ok(spec_parse(buf_str(&text), text.len, &again, &err));
	spec_free(&again);
}

static const struct spec_mount *mount_at(const struct fixture *f, const char *destination)
{
	size_t i;

	for (i = 0; i < f->spec.mounts.n; i++)
		if (str_eq(f->spec.mounts.items[i].destination, destination))
			return &f->spec.mounts.items[i];
	return NULL;
}

static bool has_cap(char *const *set, const char *name)
{
	return strv_has(set, name);
}

static void test_defaults(void **state)
{
	const struct spec_process *p;
	const struct spec_linux *l;
	struct fixture f;

	setup(&f);
	generate(&f);
	check_whole(&f);
	p = f.spec.process;
	l = f.spec.linux_;
	assert_string_equal(f.spec.hostname, "0123456789ab");
	assert_string_equal(p->cwd, "/");
	assert_string_equal(p->args[2], "true");
	assert_string_equal(strv_env_get(p->env, "HOSTNAME"), "0123456789ab");
	assert_null(strv_env_get(p->env, "HOME")); /* each process has its user's */
	assert_null(strv_env_get(p->env, "TERM"));
	assert_false(p->terminal);
	assert_int_equal(strv_len(p->capabilities->bounding), 14);
	assert_int_equal(strv_len(p->capabilities->effective), 14);
	assert_int_equal(strv_len(p->capabilities->inheritable), 0);
	assert_int_equal(strv_len(p->capabilities->ambient), 0);
	assert_non_null(spec_namespace_find(&f.spec, NS_PID));
	assert_non_null(spec_namespace_find(&f.spec, NS_NETWORK));
	assert_non_null(spec_namespace_find(&f.spec, NS_CGROUP));
	assert_null(spec_namespace_find(&f.spec, NS_USER));
	assert_null(spec_namespace_find(&f.spec, NS_TIME));
	assert_non_null(l->seccomp);
	assert_true(strv_has(l->masked_paths, "/proc/kcore"));
	assert_true(strv_has(l->readonly_paths, "/proc/sys"));
	assert_true(strv_has(mount_at(&f, "/sys")->options, "ro"));
	assert_true(strv_has(mount_at(&f, "/sys/fs/cgroup")->options, "ro"));
	assert_string_equal(mount_at(&f, "/etc/hosts")->source, "/state/containers/" ID "/hosts");
	assert_string_equal(l->cgroups_path, "/inro/" ID);
	assert_false(l->resources->devices.items[0].allow);
	assert_null(l->resources->memory);
	assert_null(l->resources->pids);
	spec_free(&f.spec);
}

static void test_privileged(void **state)
{
	struct fixture f;

	setup(&f);
	f.opts.privileged = true;
	f.in.own_caps = (UINT64_C(1) << 12) | (UINT64_C(1) << 21);
	generate(&f);
	check_whole(&f);
	assert_null(f.spec.linux_->seccomp);
	assert_null(f.spec.linux_->masked_paths);
	assert_null(f.spec.linux_->readonly_paths);
	assert_false(strv_has(mount_at(&f, "/sys")->options, "ro"));
	assert_int_equal(strv_len(f.spec.process->capabilities->bounding), 2);
	assert_true(has_cap(f.spec.process->capabilities->effective, "CAP_SYS_ADMIN"));
	assert_true(f.spec.linux_->resources->devices.items[0].allow);
	spec_free(&f.spec);
}

static void test_caps(void **state)
{
	const char *const add[] = { "sys_time", "CAP_NET_ADMIN", NULL }, *const all[] = { "ALL",
											  NULL };
	const char *const drop[] = { "chown", NULL }, *const bad[] = { "NOT_A_CAP", NULL };
	struct user_result user = { .uid = 1000, .gid = 1000 };
	struct err err = ERR_INIT;
	struct fixture f;

	setup(&f);
	f.opts.cap_add = (char **)add;
	f.opts.cap_drop = (char **)drop;
	generate(&f);
	assert_true(has_cap(f.spec.process->capabilities->bounding, "CAP_SYS_TIME"));
	assert_true(has_cap(f.spec.process->capabilities->bounding, "CAP_NET_ADMIN"));
	assert_false(has_cap(f.spec.process->capabilities->bounding, "CAP_CHOWN"));
	spec_free(&f.spec);

	f.opts.cap_drop = (char **)all;
	generate(&f);
	assert_int_equal(strv_len(f.spec.process->capabilities->bounding), 2);
	spec_free(&f.spec);

	f.opts.cap_add = (char **)all;
	f.opts.cap_drop = (char **)drop;
	generate(&f);
	assert_true(has_cap(f.spec.process->capabilities->bounding, "CAP_SYS_MODULE"));
	assert_false(has_cap(f.spec.process->capabilities->bounding, "CAP_CHOWN"));
	spec_free(&f.spec);

	/* Another user has a bounding set, but no capability. */
	f.opts.cap_add = f.opts.cap_drop = NULL;
	f.in.user = &user;
	generate(&f);
	assert_int_equal(strv_len(f.spec.process->capabilities->bounding), 14);
	assert_int_equal(strv_len(f.spec.process->capabilities->effective), 0);
	assert_int_equal(strv_len(f.spec.process->capabilities->permitted), 0);
	spec_free(&f.spec);

	f.opts.cap_add = (char **)bad;
	assert_int_equal(spec_generate(&f.in, &f.spec, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "NOT_A_CAP"));
}

static void test_command(void **state)
{
	const char *const ep[] = { "/ep", "-x", NULL }, *const cmd[] = { "default", NULL };
	static const struct {
		const char *entrypoint; /* --entrypoint */
		bool args;
		const char *want; /* NULL: no command */
	} rows[] = {
		{ NULL, false, "/ep -x default" }, { NULL, true, "/ep -x sh -c true" },
		{ "/new", false, "/new" },         { "/new", true, "/new sh -c true" },
		{ "", true, "sh -c true" },        { "", false, NULL },
	};
	struct oci_config c = { .entrypoint = (char **)ep, .cmd = (char **)cmd };
	struct fixture f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strv char **got = NULL;
		cleanup_free char *joined = NULL;
		int r;

		setup(&f);
		f.in.config = &c;
		f.in.args = (char **)(rows[i].args ? args_sh : args_none);
		f.opts.entrypoint = (char *)rows[i].entrypoint;
		r = spec_command(&f.in, &got, &f.err);
		assert_int_equal(r, rows[i].want ? 0 : -EINVAL);
		if (!rows[i].want)
			continue;
		joined = strv_join(got, " ");
		assert_string_equal(joined, rows[i].want);
	}
}

static void test_env_order(void **state)
{
	const char *const image[] = { "PATH=/image", "A=image", "B=image", NULL };
	const char *const asked[] = { "B=asked", "HOME=/asked", NULL };
	struct oci_config c = { .env = (char **)image };
	struct fixture f;

	setup(&f);
	f.in.config = &c;
	f.in.env = (char **)asked;
	f.opts.tty = true;
	generate(&f);
	assert_string_equal(strv_env_get(f.spec.process->env, "PATH"), "/image");
	assert_string_equal(strv_env_get(f.spec.process->env, "A"), "image");
	assert_string_equal(strv_env_get(f.spec.process->env, "B"), "asked");
	assert_string_equal(strv_env_get(f.spec.process->env, "HOME"), "/asked");
	assert_string_equal(strv_env_get(f.spec.process->env, "TERM"), "xterm");
	assert_true(f.spec.process->terminal);
	spec_free(&f.spec);
}

static void test_limits(void **state)
{
	const struct spec_resources *res;
	struct fixture f;

	setup(&f);
	f.opts.memory = (struct opt_u64){ true, 64 << 20 };
	f.opts.memory_reservation = (struct opt_u64){ true, 32 << 20 };
	f.opts.memory_swap = (char *)"128m";
	f.opts.cpus = (char *)"1.5";
	f.opts.cpu_shares = (struct opt_u64){ true, 512 };
	f.opts.cpuset_cpus = (char *)"0-1";
	f.opts.pids_limit = (struct opt_i64){ true, 50 };
	generate(&f);
	check_whole(&f);
	res = f.spec.linux_->resources;
	assert_int_equal(res->memory->limit.value, 64 << 20);
	assert_int_equal(res->memory->reservation.value, 32 << 20);
	assert_int_equal(res->memory->swap.value, 128 << 20);
	spec_free(&f.spec);
	f.opts.memory_swap = NULL;
	f.in.swap_limits = true;
	generate(&f);
	assert_int_equal(f.spec.linux_->resources->memory->swap.value, 128 << 20);
	spec_free(&f.spec);
	f.in.swap_limits = false;
	generate(&f);
	res = f.spec.linux_->resources;
	assert_false(res->memory->swap.set);
	assert_int_equal(res->cpu->period.value, 100000);
	assert_int_equal(res->cpu->quota.value, 150000);
	assert_int_equal(res->cpu->shares.value, 512);
	assert_string_equal(res->cpu->cpus, "0-1");
	assert_int_equal(res->pids->limit.value, 50);
	spec_free(&f.spec);
}

static void test_rare_limits(void **state)
{
	const char *const rules[] = { "c 10:229 rw", NULL };
	const char *const conf[] = { "memory.high=1024", "io.max=8:0 rbps=1=2", NULL };
	const struct spec_resources *res;
	struct fixture f;

	setup(&f);
	f.opts.memory_swappiness = (struct opt_i64){ true, 0 };
	f.opts.oom_kill_disable = true;
	f.opts.cpu_rt_period = (struct opt_u64){ true, 1000000 };
	f.opts.cpu_rt_runtime = (struct opt_i64){ true, 950000 };
	f.opts.device_cgroup_rule = (char **)rules;
	f.opts.cgroup_conf = (char **)conf;
	f.opts.rdt_class = (char *)"gold";
	f.in.limits.block_io = xcalloc(1, sizeof(*f.in.limits.block_io));
	f.in.limits.block_io->weight = (struct opt_u32){ true, 500 };
	generate(&f);
	check_whole(&f);
	res = f.spec.linux_->resources;
	assert_true(res->memory->swappiness.set && res->memory->swappiness.value == 0);
	assert_true(res->memory->disable_oom_killer.value);
	assert_int_equal(res->cpu->realtime_period.value, 1000000);
	assert_int_equal(res->cpu->realtime_runtime.value, 950000);
	assert_int_equal(res->devices.items[res->devices.n - 1].minor.value, 229);
	assert_string_equal(json_map_get(&res->unified, "io.max"), "8:0 rbps=1=2");
	assert_string_equal(f.spec.linux_->intel_rdt->clos_id, "gold");
	assert_int_equal(res->block_io->weight.value, 500);
	assert_null(f.in.limits.block_io);
	spec_free(&f.spec);

	/* -1 is docker's default: the machine's. */
	setup(&f);
	f.opts.memory_swappiness = (struct opt_i64){ true, -1 };
	f.opts.cgroups = (char *)"no-conmon";
	generate(&f);
	assert_null(f.spec.linux_->resources->memory);
	spec_free(&f.spec);
}

static void test_refused(void **state)
{
	static char bridge[] = "bridge", other[] = "container:x";
	static char *by_name[] = { bridge, NULL }, *of_other[] = { other, NULL };
	static const struct {
		struct run_options opts;
		const char *word; /* in the message */
	} rows[] = {
		{ { .network = by_name }, "bridge" },
		{ { .pid = (char *)"container:x" }, "container:x" }, /* nobody has looked it up */
		{ { .pid = (char *)"container:" }, "container:" },
		{ { .pid = (char *)"ns:relative" }, "ns:relative" },
		{ { .ipc = (char *)"mine" }, "mine" },
		{ { .network = of_other, .hostname = (char *)"y" }, "hostname" },
		{ { .pid = (char *)"shared" }, "shared" },
		{ { .workdir = (char *)"srv" }, "srv" },
		{ { .umask = (char *)"0999" }, "0999" },
		{ { .umask = (char *)"1000" }, "1000" },
		{ { .cpus = (char *)"x" }, "--cpus" },
		{ { .cpus = (char *)"0.001" }, "--cpus" },
		{ { .memory = { true, 1024 } }, "6MB" },
		{ { .memory_swap = (char *)"1g" }, "memory limit" },
		{ { .memory = { true, 64 << 20 }, .memory_swap = (char *)"32m" }, "larger" },
		{ { .oom_score_adj = { true, 1001 } }, "--oom-score-adj" },
		{ { .stop_signal = (char *)"NOPE" }, "NOPE" },
		{ { .uts = (char *)"host", .hostname = (char *)"x" }, "--hostname" },
		{ { .cpus = (char *)"1", .cpu_period = { true, 1000 } }, "conflicting" },
		{ { .memory_swappiness = { true, 101 } }, "0-100" },
		{ { .memory_swappiness = { true, -2 } }, "0-100" },
		{ { .kernel_memory = (char *)"1g" }, "--kernel-memory" },
		{ { .cgroups = (char *)"split", .cgroup_parent = (char *)"/x" },
		  "--cgroups split" },
		{ { .cgroups = (char *)"some" }, "some" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		struct fixture f;

		setup(&f);
		f.opts = rows[i].opts;
		assert_true(spec_generate(&f.in, &f.spec, &err) < 0);
		if (!strstr(err.msg, rows[i].word))
			fail_msg("row %zu: \"%s\" does not say %s", i, err.msg, rows[i].word);
	}
}

static void test_namespaces(void **state)
{
	const char *const offsets[] = { "boottime=10", "monotonic=-1.5", NULL };
	struct idmap map = { 0 };
	struct fixture f;

	setup(&f);
	f.opts.network = (char *[]){ (char *)"host", NULL };
	f.opts.pid = f.opts.ipc = f.opts.uts = f.opts.cgroupns = (char *)"host";
	generate(&f);
	check_whole(&f);
	assert_int_equal(f.spec.linux_->namespaces.n, 1); /* mount */
	assert_null(f.spec.hostname);
	assert_string_equal(mount_at(&f, "/dev/shm")->type, "bind");
	assert_int_equal(f.spec.linux_->sysctl.n, 0);
	spec_free(&f.spec);

	setup(&f);
	f.opts.time_offset = (char **)offsets;
	assert_int_equal(idmap_add(&map, 0, 1000, 1), 0);
	f.in.uids = f.in.gids = &map;
	f.in.rootless = true;
	f.opts.network = (char *[]){ (char *)"host", NULL };
	generate(&f);
	check_whole(&f);
	assert_non_null(spec_namespace_find(&f.spec, NS_USER));
	assert_non_null(spec_namespace_find(&f.spec, NS_TIME));
	assert_int_equal(f.spec.linux_->time_offsets->monotonic->secs, -2);
	assert_int_equal(f.spec.linux_->uid_mappings.items[0].host_id, 1000);
	/* sysfs shows a network namespace that this user does not own: the host's serves. */
	assert_string_equal(mount_at(&f, "/sys")->type, "bind");
	assert_string_equal(f.spec.hostname, "machine");
	assert_int_equal(f.spec.linux_->resources->devices.n, 0);
	/* Beside the own cgroup, which may be delegated: the root of the hierarchy never is. */
	assert_string_equal(f.spec.linux_->cgroups_path, "inro/" ID);
	spec_free(&f.spec);
	idmap_done(&map);
}

static void test_joined_namespaces(void **state)
{
	struct joins joins = {
		.paths = { [NS_PID] = "/proc/1/ns/pid",
			   [NS_IPC] = "/proc/1/ns/ipc",
			   [NS_NETWORK] = "/proc/1/ns/net" },
		.etc_dir = (char *)"/state/containers/other",
		.hostname = (char *)"other",
	};
	struct fixture f;

	setup(&f);
	f.in.joins = &joins;
	f.opts.pid = (char *)"container:other";
	f.opts.ipc = (char *)"container:other";
	f.opts.network = (char *[]){ (char *)"container:other", NULL };
	f.opts.tz = (char *)"local";
	generate(&f);
	check_whole(&f);
	assert_string_equal(spec_namespace_find(&f.spec, NS_PID)->path, "/proc/1/ns/pid");
	assert_string_equal(spec_namespace_find(&f.spec, NS_NETWORK)->path, "/proc/1/ns/net");
	assert_null(spec_namespace_find(&f.spec, NS_UTS)->path);
	assert_string_equal(mount_at(&f, "/dev/shm")->type, "bind");
	assert_false(spec_mount_is_users(mount_at(&f, "/dev/shm"), "/state/containers/" ID));
	/* The network is the other one's, and so is what belongs to it. */
	assert_string_equal(f.spec.hostname, "other");
	assert_int_equal(f.spec.linux_->sysctl.n, 0);
	assert_string_equal(mount_at(&f, "/etc/hosts")->source, "/state/containers/other/hosts");
	assert_string_equal(mount_at(&f, "/etc/localtime")->source,
			    "/state/containers/" ID "/localtime");
	spec_free(&f.spec);
}

static void test_mounts(void **state)
{
	const char *const options[] = { "rbind", "rprivate", NULL };
	const struct mount_request mounts[] = {
		{ MOUNT_BIND, (char *)"/src2", (char *)"/data/inner", (char **)options, false },
		{ MOUNT_BIND, (char *)"/src1", (char *)"/data", (char **)options, false },
		{ MOUNT_BIND, (char *)"/shm", (char *)"/dev/shm", (char **)options, false },
		{ MOUNT_BIND, (char *)"/h", (char *)"/etc/hosts", (char **)options, false },
	};
	struct err err = ERR_INIT;
	struct fixture f;

	setup(&f);
	f.in.mounts = mounts;
	f.in.n_mounts = ARRAY_SIZE(mounts);
	f.in.init_path = "/x/inro-init";
	generate(&f);
	check_whole(&f);
	assert_true(mount_at(&f, "/data") < mount_at(&f, "/data/inner"));
	assert_string_equal(mount_at(&f, "/dev/shm")->source, "/shm");
	assert_string_equal(mount_at(&f, "/etc/hosts")->source, "/h");
	assert_string_equal(f.spec.process->args[0], "/sbin/inro-init");
	assert_string_equal(f.spec.process->args[2], "sh");
	spec_free(&f.spec);

	/* What is ours is above the user's directory, not below. */
	{
		const struct mount_request outer[] = {
			{ MOUNT_BIND, (char *)"/d", (char *)"/dev", (char **)options, false },
			{ MOUNT_BIND, (char *)"/p", (char *)"/dev/pts", (char **)options, false },
			{ MOUNT_BIND, (char *)"/h", (char *)"/etc/hosts", (char **)options, false },
			{ MOUNT_BIND, (char *)"/e", (char *)"/etc", (char **)options, false },
			{ MOUNT_BIND, (char *)"/v", (char *)"/var", (char **)options, false },
		};

		f.in.mounts = outer;
		f.in.n_mounts = ARRAY_SIZE(outer);
		f.opts.read_only = f.opts.read_only_tmpfs = true;
		generate(&f);
		check_whole(&f);
		assert_true(mount_at(&f, "/etc") < mount_at(&f, "/etc/resolv.conf"));
		assert_true(mount_at(&f, "/etc") < mount_at(&f, "/etc/hosts"));
		assert_true(mount_at(&f, "/var") < mount_at(&f, "/var/tmp"));
		assert_string_equal(mount_at(&f, "/dev")->source, "/d");
		assert_string_equal(mount_at(&f, "/dev/pts")->source, "/p");
		assert_null(mount_at(&f, "/dev/shm"));
		spec_free(&f.spec);
		f.opts.read_only = f.opts.read_only_tmpfs = false;
	}

	{
		const struct mount_request twice[] = { mounts[0], mounts[0] };

		f.in.mounts = twice;
		f.in.n_mounts = 2;
		assert_int_equal(spec_generate(&f.in, &f.spec, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "/data/inner"));
	}
}

static void test_security_opts(void **state)
{
	const char *const off[] = { "seccomp=unconfined", "no-new-privileges",
				    "systempaths=unconfined", NULL };
	const char *const some[] = { "unmask=/proc/kcore:/proc/bus", "mask=/proc/modules",
				     "no-new-privileges:false", NULL };
	const char *const bad[] = { "selinux=yes", NULL };
	struct err err = ERR_INIT;
	struct fixture f;

	setup(&f);
	f.opts.security_opt = (char **)off;
	generate(&f);
	assert_null(f.spec.linux_->seccomp);
	assert_true(f.spec.process->no_new_privileges);
	assert_null(f.spec.linux_->masked_paths);
	spec_free(&f.spec);

	f.opts.security_opt = (char **)some;
	generate(&f);
	assert_false(f.spec.process->no_new_privileges);
	assert_false(strv_has(f.spec.linux_->masked_paths, "/proc/kcore"));
	assert_false(strv_has(f.spec.linux_->readonly_paths, "/proc/bus"));
	assert_true(strv_has(f.spec.linux_->masked_paths, "/proc/modules"));
	spec_free(&f.spec);

	f.opts.security_opt = (char **)bad;
	assert_int_equal(spec_generate(&f.in, &f.spec, &err), -EINVAL);
}

static void test_seccomp_profile(void **state)
{
	static const char text[] =
	    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"archMap\":[{"
	    "\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],"
	    "\"syscalls\":["
	    "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
	    "{\"names\":[\"bpf\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_"
	    "BPF\"]}},"
	    "{\"names\":[\"chown\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_"
	    "CHOWN\"]}},"
	    "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_"
	    "CHOWN\"]}},"
	    "{\"names\":[\"old\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"2."
	    "6\"}},"
	    "{\"names\":[\"new\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99."
	    "0\"}},"
	    "{\"names\":[\"arm\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"vax\"]}"
	    "}"
	    "]}";
	struct spec_seccomp s = { 0 };
	struct err err = ERR_INIT;

	assert_ok(seccomp_profile_parse(text, strlen(text), "p.json", UINT64_C(1) << 0, &s, &err));
	assert_string_equal(s.default_action, "SCMP_ACT_ERRNO");
	assert_int_equal(s.syscalls.n, 3);
	assert_string_equal(s.syscalls.items[0].names[0], "read");
	assert_string_equal(s.syscalls.items[1].names[0], "chown");
	assert_string_equal(s.syscalls.items[2].names[0], "old");
#if defined(__x86_64__)
	assert_int_equal(strv_len(s.architectures), 2);
#endif
	json_free(&spec_seccomp_desc, &s);
	assert_int_equal(seccomp_profile_parse("{}", 2, "p.json", 0, &s, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "defaultAction"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_privileged),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_env_order),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rare_limits),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_joined_namespaces),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_security_opts),
		cmocka_unit_test(test_seccomp_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
