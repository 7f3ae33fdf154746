/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of the kernel that runs: v1, hybrid or v2, whatever is mounted. As root, in
 * scripts/test-env. Prints one line per check; exit status 1 when one failed. No test framework:
 * it is the init of a small VM as well.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "check.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "runtime/cgroup_priv.h"
#include "sys/clone.h"

static const char *test_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/inro-kernel-%d/%s", getpid(), name);
	return path;
}

static int create(const char *path, const char *id, struct cgroup *ret, struct err *err)
{
	const struct cgroup_request req = { .cgroups_path = path, .id = id };

	return cgroup_create(&req, ret, err);
}

/* --- processes in a cgroup --- */

/* Joins as the runtime's init does: cloned into the cgroup2, "0" to each v1 tasks file. */
static pid_t spawn(struct cgroup *cg, int (*fn)(void *data), void *data)
{
	struct clone_spec spec = { .cgroup_fd = cgroup_clone_fd(cg) };
	int fds[CGROUP_HIERARCHIES_MAX], pidfd = -EBADF, joined[2];
	struct err err = ERR_INIT;
	char byte = 0;

	if (!CHECK(pipe2(joined, O_CLOEXEC) == 0))
		return -1;
	int n = cgroup_open_join(cg, fds, ARRAY_SIZE(fds), &err);

	if (!CHECK_OK(n))
		return -1;
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid == 0) {
		for (int i = 0; i < n; i++)
			if (write(fds[i], "0", 1) < 0)
				_exit(99);
		if (write(joined[1], &byte, 1) < 0)
			_exit(98);
		_exit(fn(data));
	}
	close(joined[1]);
	CHECK(read(joined[0], &byte, 1) == 1);
	close(joined[0]);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	fd_close(pidfd);
	check(pid > 0, "clone into the cgroup", strerror(pid < 0 ? -pid : 0));
	return pid;
}

static int wait_status(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_in(struct cgroup *cg, int (*fn)(void *data), void *data)
{
	pid_t pid = spawn(cg, fn, data);

	return pid > 0 ? wait_status(pid) : -1;
}

static int sleep_long(void *data)
{
	for (;;)
		pause();
	return 0;
}

/* --- files --- */

static struct cgroup_dir *dir_of(struct cgroup *cg, const char *controller)
{
	struct cgroup_dir *dir = cgroup_dir_find(cg, controller);

	if (dir)
		return dir;
	dir = cgroup_dir_find(cg, NULL);
	return dir && cgroup_v2_has(dir, controller) ? dir : NULL;
}

static bool file_is(const struct cgroup_dir *dir, const char *v1, const char *v2, const char *want)
{
	char text[4096];
	const char *name = dir->v2 ? v2 : v1;

	if (cgroup_file_read(dir, name, text, sizeof(text)) < 0)
		return check(false, name, "not readable");
	return check(str_eq(text, want), name, text);
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int apply(struct cgroup *cg, const char *json, struct err *err)
{
	struct spec_resources res = { 0 };

	*err = (struct err)ERR_INIT;
	int r = json_parse(&spec_resources_desc, &res, json, strlen(json), "resources", err);
	if (r == 0)
		r = cgroup_apply(cg, &res, err);
	json_free(&spec_resources_desc, &res);
	return r;
}

/* --- the tests; each gets a fresh cgroup --- */

static int print_own(void *data)
{
	char text[4096];
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	struct cgroup *cg = data;
	size_t hits = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *p = text; (p = strstr(p, cg->rel_path)); p++)
		hits++;
	return hits == cg->n ? 0 : 1;
}

static void test_join(struct cgroup *cg)
{
	struct err err = ERR_INIT;

	CHECK(cg->n > 0);
	CHECK(run_in(cg, print_own, cg) == 0);
	pid_t pid = fork();
	if (pid == 0)
		sleep_long(NULL);
	CHECK_OK(cgroup_join_pid(cg, pid, &err));
	for (size_t i = 0; i < cg->n; i++) {
		cleanup_free pid_t *pids = NULL;
		size_t n = 0;
		CHECK(cgroup_pids_read(&cg->dirs[i], &pids, &n) == 0 && n == 1 && pids[0] == pid);
	}
	kill(pid, SIGKILL);
	wait_status(pid);
}

static void test_memory(struct cgroup *cg)
{
	struct cgroup_dir *dir = dir_of(cg, "memory");
	struct err err;

	if (!dir)
		return;
	CHECK_OK(apply(cg, "{\"memory\":{\"limit\":67108864,\"reservation\":33554432}}", &err));
	file_is(dir, "memory.limit_in_bytes", "memory.max", "67108864");
	file_is(dir, "memory.soft_limit_in_bytes", "memory.low", "33554432");
	if (!cgroup_file_exists(dir, dir->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes"))
		return;
	/* up and down: on v1 the order of the two writes has to change */
	static const char *const steps[][2] = { { "67108864", "134217728" },
						{ "268435456", "536870912" },
						{ "33554432", "67108864" } };
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		cleanup_free char *json =
		    xasprintf("{\"memory\":{\"limit\":%s,\"swap\":%s}}", steps[i][0], steps[i][1]);
		CHECK_OK(apply(cg, json, &err));
		file_is(dir, "memory.limit_in_bytes", "memory.max", steps[i][0]);
		file_is(dir, "memory.memsw.limit_in_bytes", "memory.swap.max",
			dir->v2 ? steps[i][0] : steps[i][1]);
	}
	CHECK_OK(apply(cg, "{\"memory\":{\"limit\":-1}}", &err));
	CHECK_OK(apply(cg, "{\"memory\":{\"limit\":8388608,\"swap\":8388608}}", &err));
}

static void test_cpu(struct cgroup *cg)
{
	struct cgroup_dir *dir = dir_of(cg, "cpu");
	struct err err;

	if (!dir)
		return;
	CHECK_OK(apply(cg, "{\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000}}", &err));
	file_is(dir, "cpu.shares", "cpu.weight", dir->v2 ? "59" : "512");
	file_is(dir, "cpu.cfs_quota_us", "cpu.max", dir->v2 ? "50000 100000" : "50000");
	/* period 1000 allows no quota of 50000 in 1 ms on one CPU's share before the quota is set
	 */
	CHECK_OK(apply(cg, "{\"cpu\":{\"quota\":1000,\"period\":1000,\"burst\":500}}", &err));
	file_is(dir, "cpu.cfs_period_us", "cpu.max", dir->v2 ? "1000 1000" : "1000");
	file_is(dir, "cpu.cfs_burst_us", "cpu.max.burst", "500");
	CHECK_OK(apply(cg, "{\"cpu\":{\"quota\":-1}}", &err));
	CHECK_OK(apply(cg, "{\"cpu\":{\"idle\":1}}", &err));
	file_is(dir, "cpu.idle", "cpu.idle", "1");
	CHECK_OK(apply(cg, "{\"cpu\":{\"idle\":0,\"shares\":1024}}", &err));
	file_is(dir, "cpu.shares", "cpu.weight", dir->v2 ? "100" : "1024");
	if (!dir->v2)
		CHECK_FAILS(apply(cg, "{\"cpu\":{\"shares\":1}}", &err));
}

static int fork_twice(void *data)
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return i;
		if (pid == 0)
			sleep_long(NULL);
	}
	return 77;
}

static void test_pids(struct cgroup *cg)
{
	struct cgroup_dir *dir = dir_of(cg, "pids");
	struct err err;

	if (!dir)
		return;
	CHECK_OK(apply(cg, "{\"pids\":{\"limit\":2}}", &err));
	CHECK(run_in(cg, fork_twice, NULL) == 1);
	CHECK_OK(cgroup_kill(cg, SIGKILL, &err));
	CHECK_OK(apply(cg, "{\"pids\":{\"limit\":-1}}", &err));
	file_is(dir, "pids.max", "pids.max", "max");
}

static void test_cpuset(struct cgroup *cg)
{
	struct cgroup_dir *dir = dir_of(cg, "cpuset");
	char cpus[256];
	struct err err;

	if (!dir)
		return;
	if (!dir->v2) {
		CHECK(cgroup_file_read(dir, "cpuset.cpus", cpus, sizeof(cpus)) > 0);
		CHECK(cgroup_file_read(dir, "cpuset.mems", cpus, sizeof(cpus)) > 0);
	}
	CHECK_OK(apply(cg, "{\"cpu\":{\"cpus\":\"0\",\"mems\":\"0\"}}", &err));
	file_is(dir, "cpuset.cpus", "cpuset.cpus", "0");
	file_is(dir, "cpuset.mems", "cpuset.mems", "0");
	CHECK_FAILS(apply(cg, "{\"cpu\":{\"cpus\":\"4000\"}}", &err));
	CHECK(strstr(err.msg, "setting cpu.cpus"));
}

static void test_errors(struct cgroup *cg)
{
	struct err err;

	if (cg->layout == CGROUP_V2) {
		CHECK_FAILS(apply(cg, "{\"unified\":{\"memory.nonsense\":\"1\"}}", &err));
		CHECK_FAILS(apply(cg, "{\"memory\":{\"swappiness\":1}}", &err));
		return;
	}
	CHECK_FAILS(apply(cg, "{\"unified\":{\"memory.max\":\"1\"}}", &err));
	CHECK(err.kind == ERR_UNSUPPORTED);
	struct cgroup_dir *dir = cgroup_dir_find(cg, "blkio");
	if (dir && !cgroup_file_exists(dir, "blkio.weight") &&
	    !cgroup_file_exists(dir, "blkio.bfq.weight")) {
		CHECK_FAILS(apply(cg, "{\"blockIO\":{\"weight\":100}}", &err));
		CHECK(strstr(err.msg, "blkio.bfq.weight") && err.hint[0]);
	}
	if (!cgroup_dir_find(cg, "net_cls")) {
		CHECK_FAILS(apply(cg, "{\"network\":{\"classID\":1}}", &err));
		CHECK(strstr(err.msg, "setting network.classID: the cgroup controller net_cls"));
	}
}

struct node {
	const char *path;
	int flags;
};

/* errno of opening a device that no driver has (ENXIO when it may be opened). */
static int open_node(void *data)
{
	const struct node *node = data;

	return open(node->path, node->flags | O_CLOEXEC) < 0 ? errno : 0;
}

#define DENY_ALL "{\"allow\":false,\"access\":\"rwm\"}"
static void test_devices(struct cgroup *cg)
{
	char path[64];
	struct err err = ERR_INIT;

	snprintf(path, sizeof(path), "/tmp/inro-node-%d", getpid());
	unlink(path);
	if (!CHECK(mknod(path, S_IFCHR | 0600, makedev(511, 77)) == 0))
		return;
	struct node node = { path, O_RDWR }, readable = { path, O_RDONLY };
	struct node null = { "/dev/null", O_RDWR };

	CHECK(run_in(cg, open_node, &node) == ENXIO);
	CHECK_OK(cgroup_apply(cg, NULL, &err));
	CHECK(run_in(cg, open_node, &node) == EPERM);
	CHECK(run_in(cg, open_node, &null) == 0);

	/* again, as an update: rules replace the former ones */
	cg->opened = true;
	CHECK_OK(apply(cg,
		       "{\"devices\":[" DENY_ALL ",{\"allow\":true,\"type\":\"c\",\"major\":511,"
		       "\"minor\":77,\"access\":\"r\"}]}",
		       &err));
	CHECK(run_in(cg, open_node, &node) == EPERM);
	CHECK(run_in(cg, open_node, &readable) == ENXIO);
	CHECK_OK(apply(cg, "{\"pids\":{\"limit\":100}}", &err)); /* no rules: they stay */
	CHECK(run_in(cg, open_node, &readable) == ENXIO);
	CHECK(run_in(cg, open_node, &node) == EPERM);
	CHECK_OK(apply(cg, "{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}", &err));
	CHECK(run_in(cg, open_node, &node) == ENXIO);
	unlink(path);
}

static void test_device_denied_alone(struct cgroup *cg)
{
	char path[64];
	struct err err = ERR_INIT;

	snprintf(path, sizeof(path), "/tmp/inro-node-%d", getpid());
	unlink(path);
	if (!CHECK(mknod(path, S_IFCHR | 0600, makedev(511, 77)) == 0))
		return;
	struct node node = { path, O_RDWR }, null = { "/dev/null", O_RDWR };
	CHECK_OK(apply(cg,
		       "{\"devices\":[{\"allow\":true,\"access\":\"rwm\"},{\"allow\":false,"
		       "\"type\":\"c\",\"major\":511,\"access\":\"w\"}]}",
		       &err));
	CHECK(run_in(cg, open_node, &node) == EPERM);
	CHECK(run_in(cg, open_node, &null) == 0);
	unlink(path);
}

/* A process that counts in shared memory. */
static int count(void *data)
{
	int fd = *(int *)data;

	for (;;) {
		if (write(fd, "x", 1) < 0)
			return 1;
		usleep(200);
	}
}

static bool hears(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[65536];

	/* once: a slow machine might never see it empty while the other writes */
	if (poll(&p, 1, 0) > 0 && read(fd, buf, sizeof(buf)) < 0)
		return false;
	return poll(&p, 1, timeout_ms) > 0;
}

static void test_freeze(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	int fds[2];

	if (!CHECK(pipe2(fds, O_CLOEXEC) == 0))
		return;
	pid_t pid = spawn(cg, count, &fds[1]);
	CHECK(hears(fds[0], 5000));
	CHECK_OK(cgroup_freeze(cg, true, &err));
	CHECK(!hears(fds[0], 50));
	CHECK_OK(cgroup_freeze(cg, false, &err));
	CHECK(hears(fds[0], 5000));
	/* a frozen container has to die all the same, and on v1 stays frozen for other signals */
	CHECK_OK(cgroup_freeze(cg, true, &err));
	CHECK_OK(cgroup_kill(cg, SIGUSR2, &err));
	if (cgroup_dir_find(cg, "freezer")) /* on v2 any deadly signal gets through */
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
	CHECK_OK(cgroup_kill(cg, SIGKILL, &err));
	int status = wait_status(pid);
	CHECK(status == 128 + SIGUSR2 || status == 128 + SIGKILL);
	close(fds[0]);
	close(fds[1]);
}

static int fork_tree(void *data)
{
	for (int i = 0; i < 5; i++)
		if (fork() == 0)
			sleep_long(NULL);
	return sleep_long(NULL);
}

static void test_kill(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	size_t n = 0;

	pid_t pid = spawn(cg, fork_tree, NULL);
	for (int i = 0; i < 1000 && n < 6; i++) {
		cleanup_free pid_t *pids = NULL;
		CHECK(cgroup_pids_read(&cg->dirs[0], &pids, &n) == 0);
		usleep(1000);
	}
	CHECK(n == 6);
	CHECK_OK(cgroup_kill(cg, SIGTERM, &err));
	CHECK(wait_status(pid) == 128 + SIGTERM);
	pid = spawn(cg, fork_tree, NULL);
	CHECK_OK(cgroup_kill(cg, SIGKILL, &err));
	CHECK(wait_status(pid) == 128 + SIGKILL);
}

/* With processes and with cgroups made by the container: deletion kills, waits, removes. */
static void test_delete(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	pid_t pid = spawn(cg, fork_tree, NULL);
	char *parent = xstrdup(cg->dirs[0].path);

	*strrchr(parent, '/') = '\0';
	for (size_t i = 0; i < cg->n; i++) {
		cleanup_free char *a = xasprintf("%s/a", cg->dirs[i].path);
		cleanup_free char *b = xasprintf("%s/a/b", cg->dirs[i].path);
		CHECK(mkdir(a, 0755) == 0 && mkdir(b, 0755) == 0);
	}
	CHECK_OK(cgroup_delete(cg, &err));
	CHECK(!exists(cg->dirs[0].path));
	CHECK(!exists(parent)); /* made with it, so removed with it */
	CHECK_OK(cgroup_delete(cg, &err));
	CHECK(wait_status(pid) == 128 + SIGKILL);
	free(parent);
}

static void test_in_use(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	struct cgroup again;
	pid_t pid = spawn(cg, sleep_long, NULL);

	CHECK_FAILS(create(cg->rel_path, "x", &again, &err));
	CHECK(err.kind == ERR_CONFLICT);
	CHECK(waitpid(pid, NULL, WNOHANG) == 0); /* and the one who uses it lives on */
	CHECK(exists(cg->dirs[0].path));
	kill(pid, SIGKILL);
	wait_status(pid);
	/* empty, it is what a killed runtime left: taken over and removed */
	err = (struct err)ERR_INIT;
	if (!CHECK_OK(create(cg->rel_path, "x", &again, &err)))
		return;
	CHECK(again.dirs[0].n_created == 0);
	CHECK(run_in(&again, print_own, cg) == 0);
	CHECK_OK(cgroup_delete(&again, &err));
	CHECK(!exists(cg->dirs[0].path));
	cgroup_done(&again);
}

/* As in a container whose init is in the root of its cgroup namespace. */
static void test_below_processes(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	struct cgroup inner;
	pid_t pid = spawn(cg, sleep_long, NULL);

	if (!CHECK_OK(create(test_path("box/inner"), "x", &inner, &err)))
		return;
	CHECK(run_in(&inner, print_own, &inner) == 0);
	if (inner.n == 1 && inner.dirs[0].v2) {
		CHECK_FAILS(apply(&inner, "{\"pids\":{\"limit\":55}}", &err));
		CHECK(strstr(err.msg, "has processes of its own"));
	}
	CHECK_OK(cgroup_delete(&inner, &err));
	cgroup_done(&inner);
	kill(pid, SIGKILL);
	wait_status(pid);
}

static void test_open(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	struct cgroup opened;
	char **paths = NULL;

	for (size_t i = 0; i < cg->n; i++)
		strv_add(&paths, cg->dirs[i].path);
	strv_add(&paths, "/sys/fs/cgroup/no/such/cgroup");
	CHECK_OK(cgroup_open(paths, &opened, &err));
	CHECK(opened.n == cg->n);
	CHECK(run_in(&opened, print_own, cg) == 0);
	CHECK_OK(apply(&opened, "{\"pids\":{\"limit\":55}}", &err));
	file_is(dir_of(&opened, "pids"), "pids.max", "pids.max", "55");
	pid_t pid = spawn(&opened, sleep_long, NULL);
	CHECK_OK(cgroup_freeze(&opened, true, &err));
	CHECK_OK(cgroup_kill(&opened, SIGKILL, &err));
	CHECK_OK(cgroup_delete(&opened, &err));
	wait_status(pid);
	CHECK(!exists(cg->dirs[0].path));
	char *slash = strrchr(cg->dirs[0].path, '/');
	*slash = '\0';
	CHECK(exists(cg->dirs[0].path)); /* parents stay for the next container */
	*slash = '/';
	cgroup_done(&opened);
	strv_free(paths);
}

static void test_failure_leaves_nothing(struct cgroup *cg)
{
	struct err err = ERR_INIT;
	struct cgroup other;
	char path[64];

	/* the kernel takes no newline in a name, so only the last mkdir fails */
	snprintf(path, sizeof(path), "/inro-kernel-%d-b/c/a\nb", getpid());
	CHECK_FAILS(create(path, "x", &other, &err));
	for (size_t i = 0; i < cg->n; i++) {
		cleanup_free char *top =
		    xasprintf("%.*s-b",
			      (int)(strlen(cg->dirs[i].path) - strlen(cg->rel_path) +
				    (size_t)(strrchr(cg->rel_path, '/') - cg->rel_path)),
			      cg->dirs[i].path);
		CHECK(!exists(top));
	}
}

static const struct {
	const char *name;
	void (*fn)(struct cgroup *cg);
} tests[] = {
	{ "join", test_join },
	{ "memory", test_memory },
	{ "cpu", test_cpu },
	{ "pids", test_pids },
	{ "cpuset", test_cpuset },
	{ "errors", test_errors },
	{ "devices", test_devices },
	{ "one device denied", test_device_denied_alone },
	{ "freeze", test_freeze },
	{ "kill", test_kill },
	{ "delete", test_delete },
	{ "in use", test_in_use },
	{ "open", test_open },
	{ "failure leaves nothing", test_failure_leaves_nothing },
	{ "below processes", test_below_processes },
};

static void run_one(const char *name, void (*fn)(struct cgroup *cg))
{
	struct err err = ERR_INIT;
	struct cgroup cg;
	int failed = run.failed;

	run.name = name;
	run.done++;
	if (!CHECK_OK(create(test_path("box"), "box", &cg, &err)))
		return;
	fn(&cg);
	CHECK_OK(cgroup_kill(&cg, SIGKILL, &err));
	while (waitpid(-1, NULL, 0) > 0)
		;
	CHECK_OK(cgroup_delete(&cg, &err));
	for (size_t i = 0; i < cg.n; i++) {
		CHECK(!exists(cg.dirs[i].path));
		*strrchr(cg.dirs[i].path, '/') = '\0';
		rmdir(cg.dirs[i].path);
		CHECK(!exists(cg.dirs[i].path));
	}
	cgroup_done(&cg);
	if (run.failed == failed)
		printf("ok - %s\n", name);
}

int main(int argc, char **argv)
{
	static const char *const layouts[] = { "none", "v1", "hybrid", "v2" };
	struct cgroup_system sys;
	struct err err = ERR_INIT;

	setvbuf(stdout, NULL, _IOLBF, 0); /* when it hangs, what came before is seen */
	if (cgroup_system_read(&sys, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	printf("layout: %s\n", layouts[sys.layout]);
	cgroup_system_done(&sys);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (argc < 2 || str_eq(argv[1], tests[i].name))
			run_one(tests[i].name, tests[i].fn);
	printf("%d tests, %d checks failed\n", run.done, run.failed);
	return run.failed ? 1 : 0;
}
