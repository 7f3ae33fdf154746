/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/names.h"
#include "net/service/helper.h"
#include "sys/landlock.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/rlimit.h"

#define SERVERS      "servers"
#define NAMES_MAX    (64 * 1024) /* of one container */
#define HOSTSDIR     "--hostsdir="
#define SERVERS_FILE "--servers-file="
#define STEP_MS      2000
/* It closes each that there may be at its start, and looks at a third of them at each event. */
#define FILES 1024

static void view_dir(const struct helper_ask *ask, char ret[32])
{
	snprintf(ret, 32, HELPER_VIEWS "/%u", ask->slot);
}

static void network_dir(const uint8_t id[SERVICE_ID], char ret[sizeof("names/") + HEX_ID_LEN])
{
	memcpy(ret, "names/", 6);
	hex_encode(id, SERVICE_ID, ret + 6);
}

/* What a name of ours is not asked elsewhere for: records of types that we don't have. The names
 * below it are not ours. */
static void add_name(struct buf *out, const char *name)
{
	if (net_names_valid(name))
		buf_addf(out, "server=/%s/\nserver=/*.%s/#\n", name, name);
}

/* Its first line has all its names, behind the address. */
static void add_container(struct buf *out, int dir, const char *file)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (io_read_file(dir, file, &text, NAMES_MAX, NULL) < 0 || text.len == 0)
		return;
	text.data[strcspn(text.data, "\n")] = '\0';
	cleanup_strv char **words = strv_split(text.data, ' ');
	for (size_t i = 1; words[0] && words[i]; i++)
		add_name(out, words[i]);
}

static void add_network(struct buf *out, const struct helper *h, const uint8_t id[SERVICE_ID])
{
	char path[sizeof("names/") + HEX_ID_LEN];
	DIR *d;

	network_dir(id, path);
	int fd = openat(h->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (!d) {
		fd_close(fd);
		return;
	}
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (e->d_name[0] != '.')
			add_container(out, dirfd(d), e->d_name);
	closedir(d);
}

static int write_servers(const struct helper *h, const struct helper_ask *ask)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[32 + sizeof(SERVERS)], dir[32];

	for (uint32_t i = 0; i < ask->n && i < SERVICE_SERVERS; i++)
		buf_addf(&text, "server=127.0.0.1#%u\n", HELPER_PORT_UPSTREAM(ask->slot, i));
	/* whatever we don't know does not exist */
	if (ask->n == 0)
		buf_adds(&text, "server=/#/\n");
	for (uint32_t i = 0; i < ask->n_networks; i++)
		add_network(&text, h, ask->networks[i]);
	view_dir(ask, dir);
	snprintf(path, sizeof(path), "%s/" SERVERS, dir);
	return io_replace_file(h->dir, path, buf_str(&text), text.len, 0600, false, NULL);
}

static int make_dirs(const struct helper *h, const struct helper_ask *ask)
{
	char path[sizeof("names/") + HEX_ID_LEN];

	view_dir(ask, path);
	if ((mkdirat(h->dir, HELPER_VIEWS, 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(h->dir, path, 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(h->dir, "names", 0700) < 0 && errno != EEXIST))
		return -errno;
	for (uint32_t i = 0; i < ask->n_networks; i++) {
		network_dir(ask->networks[i], path);
		if (mkdirat(h->dir, path, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static char **make_argv(const struct helper *h, const struct helper_ask *ask, const char *program)
{
	static const char *const fixed[] = {
		"--conf-file=/dev/null", /* nothing of the host's is read */
		"--keep-in-foreground",
		"--log-facility=-",
		"--user=", /* it stays who it is */
		"--group=",
		"--pid-file=",
		"--no-resolv",
		"--no-hosts",
		"--no-poll",
		"--listen-address=127.0.0.1",
		"--bind-interfaces",
		"--local-ttl=0",
		"--strict-order",
		"--no-negcache",          /* a name may be given any moment */
		"--dns-forward-max=2000", /* each container has its own share before it */
	};
	char **argv = NULL, path[sizeof("names/") + HEX_ID_LEN];

	strv_add(&argv, "inro-net");
	strv_add(&argv, HELPER_WORD);
	strv_add(&argv, program);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		strv_add(&argv, fixed[i]);
	strv_addf(&argv, "--port=%u", HELPER_PORT_NAMES(ask->slot));
	strv_addf(&argv, SERVERS_FILE "%s/" HELPER_VIEWS "/%u/" SERVERS, h->path, ask->slot);
	for (uint32_t i = 0; i < ask->n_networks; i++) {
		network_dir(ask->networks[i], path);
		strv_addf(&argv, HOSTSDIR "%s/%s", h->path, path);
	}
	return argv;
}

static int spawn(struct helper *h, const struct helper_ask *ask, int said)
{
	const char *program = net_names_program();
	char *const env[] = { (char[]){ "LC_ALL=C" }, NULL };
	const struct proc_fd fds[] = { { said, STDOUT_FILENO }, { said, STDERR_FILENO } };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	struct proc p = PROC_INIT;

	if (!program)
		return -ENOENT;
	cleanup_strv char **argv = make_argv(h, ask, program);
	spec.exec_fd = h->exe;
	spec.argv = argv;
	spec.envp = env;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	int r = proc_spawn(&spec, &p, NULL);
	if (r == 0)
		h->views[ask->slot].pidfd = p.pidfd;
	return r;
}

int helper_run(struct helper *h, const struct helper_ask *ask, int ret_fds[2])
{
	int pair[2];

	helper_end(h, ask);
	int r = make_dirs(h, ask);
	if (r == 0)
		r = write_servers(h, ask);
	if (r < 0)
		return r;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	ret_fds[1] = pair[0];
	fd_set_nonblock(pair[0], true);
	r = spawn(h, ask, pair[1]);
	fd_close(pair[1]);
	if (r == 0) {
		ret_fds[0] = fd_dup(h->views[ask->slot].pidfd, 3);
		r = ret_fds[0] < 0 ? ret_fds[0] : 0;
	}
	return r;
}

int helper_refresh(struct helper *h, const struct helper_ask *ask)
{
	int r = make_dirs(h, ask);

	if (r == 0)
		r = write_servers(h, ask);
	return r < 0 ? r : pidfd_kill(h->views[ask->slot].pidfd, SIGHUP);
}

int helper_end(struct helper *h, const struct helper_ask *ask)
{
	struct helper_view *v = &h->views[ask->slot];
	cleanup_fd int views = openat(h->dir, HELPER_VIEWS, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[16];

	if (v->pidfd >= 0) {
		/* gone before another one is to have its port */
		pidfd_kill(v->pidfd, SIGKILL);
		pidfd_poll(v->pidfd, STEP_MS);
		v->pidfd = fd_close(v->pidfd);
	}
	snprintf(name, sizeof(name), "%u", ask->slot);
	if (views >= 0)
		path_remove_tree(views, name, NULL);
	return 0;
}

/* Files of the system that it and the loader read, and directories. What is missing is no rule. */
static const struct {
	const char *path;
	enum landlock_access access;
} readable[] = {
	{ "/usr", LANDLOCK_EXECUTE },        { "/lib", LANDLOCK_EXECUTE },
	{ "/lib64", LANDLOCK_EXECUTE },      { "/bin", LANDLOCK_EXECUTE },
	{ "/sbin", LANDLOCK_EXECUTE },       { "/etc/ld.so.cache", LANDLOCK_READ },
	{ "/etc/localtime", LANDLOCK_READ }, { "/etc/ssl/openssl.cnf", LANDLOCK_READ },
	{ "/dev/null", LANDLOCK_WRITE },     { "/dev/urandom", LANDLOCK_READ },
	{ "/proc/sys/net", LANDLOCK_READ },
};

static void add_rule(struct landlock_rule *rules, size_t *n, const char *path,
		     enum landlock_access access)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0)
		rules[(*n)++] = (struct landlock_rule){ .fd = fd, .access = access };
}

int helper_become(char **argv)
{
	static const struct rlimit_value limits[] = { { RLIMIT_NOFILE, FILES } };
	struct landlock_rule rules[ARRAY_SIZE(readable) + SERVICE_NETWORKS + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(readable); i++)
		add_rule(rules, &n, readable[i].path, readable[i].access);
	for (size_t i = 1; argv[i] && n < ARRAY_SIZE(rules); i++) {
		const char *dir = str_after(argv[i], HOSTSDIR);
		char *file = xstrdup(
		    str_starts(argv[i], SERVERS_FILE) ? argv[i] + sizeof(SERVERS_FILE) - 1 : "");

		/* the file is replaced, its directory stays */
		if (strrchr(file, '/'))
			*strrchr(file, '/') = '\0';
		if (dir || *file)
			add_rule(rules, &n, dir ? dir : file, LANDLOCK_READ);
		free(file);
	}
	if (rlimit_lower(limits, ARRAY_SIZE(limits), NULL) < 0 ||
	    landlock_restrict(rules, n, LANDLOCK_SCOPED, NULL) < 0 ||
	    prctl_parent_death_signal(SIGKILL, 0) < 0)
		return 1;
	execv(argv[0], argv);
	return 127;
}
