/* SPDX-License-Identifier: Apache-2.0 */
#include "net/rootless.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "net/nft_load.h"
#include "net/pasta.h"
#include "net/rootless_internal.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"
#include "sys/rtnetlink.h"

#define FRESH_FILE   "fresh"
#define DIVERT_NFT   "inro-divert"
#define DIVERT_MARK  1
#define DIVERT_TABLE 100

void net_rootless_close(struct net_rootless *n)
{
	fd_close(n->place.userns);
	fd_close(n->place.netns);
	fd_close(n->keep);
	*n = (struct net_rootless)NET_ROOTLESS_INIT;
}

int rootless_lock(int fd, short type, bool wait)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	return NO_EINTR(fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) < 0 ? -errno : 0;
}

int rootless_open_file(const char *dir, const char *name, struct err *err)
{
	cleanup_free char *path = path_join(dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_errno(err, errno, "opening %s", path) : fd;
}

char *rootless_pasta_file(const char *dir)
{
	return path_join(dir, "pasta.pid");
}

/* "PID START\n" of the holder. */
static int read_holder(const char *dir, pid_t *ret, uint64_t *ret_start)
{
	cleanup_free char *path = path_join(dir, ROOTLESS_HOLDER_FILE);
	cleanup_buf struct buf text = BUF_INIT;
	uint64_t start;
	int pid;

	if (io_read_file(AT_FDCWD, path, &text, 64, NULL) < 0)
		return -ESRCH;
	char *space = strchr(buf_str(&text), ' ');
	if (!space)
		return -ESRCH;
	*space = '\0';
	space[1 + strcspn(space + 1, "\n")] = '\0';
	if (str_parse_int(text.data, &pid) < 0 || pid <= 0 || str_parse_u64(space + 1, &start) < 0)
		return -ESRCH;
	*ret = pid;
	*ret_start = start;
	return 0;
}

static bool is_alive(pid_t pid, uint64_t start)
{
	char state = 0;
	uint64_t now;

	return procfs_stat(pid, &state, &now) == 0 && now == start && state != 'Z' && state != 'X';
}

static int open_place(pid_t pid, struct net_place *place, struct err *err)
{
	place->userns = ns_open_of(pid, CLONE_NEWUSER, err);
	if (place->userns < 0)
		return place->userns;
	place->netns = ns_open_of(pid, CLONE_NEWNET, err);
	return place->netns < 0 ? place->netns : 0;
}

/* With the lock shared, so it does not end meanwhile unless it is killed. */
static int find_holder(const char *dir, struct net_rootless *n, pid_t *ret_pid, struct err *err)
{
	uint64_t start;

	if (read_holder(dir, ret_pid, &start) < 0 || !is_alive(*ret_pid, start))
		return -ESRCH;
	int r = open_place(*ret_pid, &n->place, err);
	if (r < 0 && !is_alive(*ret_pid, start))
		return -ESRCH;
	return r;
}

static bool is_fresh(const char *dir)
{
	cleanup_free char *path = path_join(dir, FRESH_FILE);

	return access(path, F_OK) == 0;
}

static int note_fresh(const char *dir, struct err *err)
{
	cleanup_fd int fd = rootless_open_file(dir, FRESH_FILE, err);

	return fd < 0 ? fd : 0;
}

int net_rootless_fresh_lock(int dirfd)
{
	cleanup_fd int fd = path_open_in(dirfd, FRESH_FILE, O_RDWR | O_NOFOLLOW, 0, NULL);
	struct stat st;

	if (fd < 0 || NO_EINTR(flock(fd, LOCK_EX)) < 0)
		return fd < 0 ? fd : -errno;
	return fstat(fd, &st) == 0 && st.st_nlink ? take_fd(fd) : -ENOENT;
}

void net_rootless_fresh_done(int dirfd)
{
	unlinkat(dirfd, FRESH_FILE, 0);
}

int net_rootless_find(const char *dir, struct net_rootless *ret, struct err *err)
{
	cleanup_net_rootless struct net_rootless n = NET_ROOTLESS_INIT;
	pid_t pid;

	cleanup_free char *path = path_join(dir, ROOTLESS_LOCK_FILE);
	n.keep = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (n.keep < 0 || rootless_lock(n.keep, F_RDLCK, false) < 0)
		return -ESRCH;
	int r = find_holder(dir, &n, &pid, err);
	if (r < 0)
		return r;
	n.fresh = is_fresh(dir);
	*ret = n;
	n = (struct net_rootless)NET_ROOTLESS_INIT;
	return 0;
}

int net_rootless_owns(const struct net_rootless *n, int userns)
{
	cleanup_fd int parent = ns_parent(userns);
	struct stat a, b;

	if (parent < 0 || fstat(parent, &a) < 0 || fstat(n->place.userns, &b) < 0)
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int set(const char *name, const char *value, struct err *err)
{
	cleanup_free char *path = xasprintf("/proc/sys/net/%s", name);
	int r = io_write_file(AT_FDCWD, path, value, err);

	/* a kernel without IPv6 */
	return r == -ENOENT ? 0 : r;
}

static void put_rule(struct nlbuf *q, uint8_t family)
{
	const struct fib_rule_hdr head = { .family = family,
					   .table = DIVERT_TABLE,
					   .action = FR_ACT_TO_TBL };

	nlbuf_begin(q, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &head, sizeof(head));
	nlbuf_attr_u32(q, FRA_FWMARK, DIVERT_MARK);
	nlbuf_attr_u32(q, FRA_PRIORITY, DIVERT_TABLE);
}

static void put_route(struct nlbuf *q, uint8_t family)
{
	const struct rtmsg head = { .rtm_family = family,
				    .rtm_table = DIVERT_TABLE,
				    .rtm_protocol = RTPROT_STATIC,
				    .rtm_scope = RT_SCOPE_HOST,
				    .rtm_type = RTN_LOCAL };

	nlbuf_begin(q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &head, sizeof(head));
	nlbuf_attr_u32(q, RTA_OIF, 1); /* lo is the first of each namespace */
}

static int divert_routes(uint8_t family, struct err *err)
{
	void (*const puts[])(struct nlbuf * q, uint8_t family) = { put_rule, put_route };
	cleanup_fd int sock = rtnl_open(err);
	int r = sock < 0 ? sock : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(puts); i++) {
		struct netlink_answers answers = { .each = NULL };
		cleanup_nlbuf struct nlbuf q = NLBUF_INIT;

		puts[i](&q, family);
		nlbuf_what(&q, "routing answers of containers to relays");
		r = netlink_talk(sock, &q, &answers);
		r = r < 0 && r != -EEXIST ? netlink_fail(&q, &answers, r, err) : 0;
	}
	return r;
}

/* Packets of connections that a relay has in a client's name are for that relay, whose address they
 * have not (IP_TRANSPARENT). */
static int divert(void *data, struct err *err)
{
	static const char rules[] = "table inet " DIVERT_NFT " {\n"
				    "	chain prerouting {\n"
				    "		type filter hook prerouting priority mangle\n"
				    "		socket transparent 1 meta mark set 1\n"
				    "	}\n"
				    "}\n";
	cleanup_buf struct buf text = BUF_INIT;

	buf_adds(&text, rules);
	int r = nft_replace(DIVERT_NFT, &text, err);
	if (r == 0)
		r = divert_routes(AF_INET, err);
	if (r == 0 && access("/proc/sys/net/ipv6", F_OK) == 0)
		r = divert_routes(AF_INET6, err);
	return r;
}

int net_rootless_divert(const struct net_place *place, struct err *err)
{
	return net_place_run(place, divert, NULL, err);
}

/* In the new namespace: bridges forward, and nothing is taken for spoofed that a relay sends. */
static int furnish(void *data, struct err *err)
{
	static const struct {
		const char *name, *value;
	} table[] = {
		{ "ipv4/ip_forward", "1" },
		{ "ipv6/conf/all/forwarding", "1" },
		{ "ipv6/conf/default/accept_dad", "0" }, /* 2 s; nobody else is there */
		{ "ipv4/conf/all/rp_filter", "0" },
		{ "ipv4/conf/default/rp_filter", "0" },
	};
	int r = netlink_loopback_up(err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(table); i++)
		r = set(table[i].name, table[i].value, err);
	return r;
}

static int expect(int sock, char what, struct err *err)
{
	char got = 0;
	ssize_t n = NO_EINTR(recv(sock, &got, 1, 0));

	if (n == 1 && got == what)
		return 0;
	return err_errno(err, n < 0 ? errno : ECONNRESET, "talking to the holder of networks");
}

static int tell(int sock, char what, struct err *err)
{
	if (send(sock, &what, 1, MSG_NOSIGNAL) == 1)
		return 0;
	return err_errno(err, errno, "talking to the holder of networks");
}

static int spawn_holder(const struct net_rootless_args *args, int sock, struct proc *ret,
			struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *argv[] = { (char[]){ "inro" }, (char[]){ NET_ROOTLESS_ROLE }, xstrdup(args->dir),
			 args->userns < 0 ? NULL : (char[]){ "4" }, NULL };
	char *const env[] = { NULL };
	const struct proc_fd fds[] = {
		{ null, STDIN_FILENO },
		{ null, STDOUT_FILENO },
		{ null, STDERR_FILENO },
		{ sock, NET_ROOTLESS_SOCKET_FD },
		{ args->userns, NET_ROOTLESS_SOCKET_FD + 1 },
	};
	struct proc_spawn spec = PROC_SPAWN_INIT;

	spec.path = args->program;
	spec.argv = argv;
	spec.envp = env;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds) - (args->userns < 0 ? 1 : 0);
	spec.new_session = true;
	spec.cgroup_fd = args->cgroup_fd;
	int r = null < 0 ? err_errno(err, errno, "opening /dev/null") : proc_spawn(&spec, ret, err);
	free(argv[2]);
	return r;
}

static int write_holder(const char *dir, pid_t pid, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	uint64_t start;

	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening %s", dir);
	int r = procfs_stat(pid, NULL, &start);
	if (r < 0)
		return err_errno(err, -r, "looking at the holder of networks");
	buf_addf(&text, "%d %llu\n", (int)pid, (unsigned long long)start);
	return io_replace_file(fd, ROOTLESS_HOLDER_FILE, text.data, text.len, 0600, false, err);
}

/* Step by step with the holder: its namespaces, their ids, what is in them. It goes when this
 * process does before the end. */
static int set_up(const struct net_rootless_args *args, int sock, pid_t pid, struct net_rootless *n,
		  struct err *err)
{
	int r = expect(sock, ROOTLESS_USERNS, err);

	if (r == 0 && args->userns < 0)
		r = idmap_write(pid, args->uids, args->gids, err);
	if (r == 0)
		r = tell(sock, ROOTLESS_MAPPED, err);
	if (r == 0)
		r = expect(sock, ROOTLESS_NETNS, err);
	if (r == 0)
		r = open_place(pid, &n->place, err);
	if (r == 0)
		r = net_place_run(&n->place, furnish, NULL, err);
	if (r == 0)
		r = note_fresh(args->dir, err);
	if (r == 0)
		r = write_holder(args->dir, pid, err);
	return r < 0 ? r : tell(sock, ROOTLESS_GO, err);
}

static int make(const struct net_rootless_args *args, struct net_rootless *n, pid_t *ret_pid,
		struct err *err)
{
	cleanup_free char *pasta = rootless_pasta_file(args->dir);
	struct proc proc = PROC_INIT;
	int pair[2];

	pasta_end(pasta); /* the last holder's, if that was killed */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "making a socket pair");
	int r = spawn_holder(args, pair[1], &proc, err);
	fd_close(pair[1]);
	if (r == 0)
		r = set_up(args, pair[0], proc.pid, n, err);
	fd_close(pair[0]);
	*ret_pid = proc.pid;
	if (r < 0 && proc.pid > 0)
		pidfd_kill_child(&proc.pidfd, proc.pid, -1);
	fd_close(proc.pidfd);
	return r;
}

/* Where there is nothing outside, containers still reach each other. */
static int connect_outside(const char *dir, pid_t pid, struct err *err)
{
	cleanup_free char *file = rootless_pasta_file(dir);
	const struct pasta p = { .pid = pid, .pid_file = file };
	struct err why = ERR_INIT;
	int r = pasta_start(&p, &why);

	if (r == -ENETUNREACH) {
		log_debug("%s", why.msg);
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

static int find_or_make(const struct net_rootless_args *args, struct net_rootless *n,
			struct err *err)
{
	pid_t pid = 0;
	int r = find_holder(args->dir, n, &pid, err);

	if (r == 0) {
		/* the common case asks once and locks no more */
		cleanup_free char *file = rootless_pasta_file(args->dir);
		cleanup_fd int there = pasta_find(file);
		if (there >= 0)
			return 0;
	}
	cleanup_fd int making = rootless_open_file(args->dir, "making", err);
	if (making < 0)
		return making;
	if (rootless_lock(making, F_WRLCK, true) < 0)
		return err_errno(err, errno, "locking %s/making", args->dir);
	if (r == -ESRCH)
		r = find_holder(args->dir, n, &pid, err);
	if (r == -ESRCH)
		r = make(args, n, &pid, err);
	return r < 0 ? r : connect_outside(args->dir, pid, err);
}

int net_rootless_open(const struct net_rootless_args *args, struct net_rootless *ret,
		      struct err *err)
{
	cleanup_net_rootless struct net_rootless n = NET_ROOTLESS_INIT;
	int r;

	n.keep = r = rootless_open_file(args->dir, ROOTLESS_LOCK_FILE, err);
	/* waits for one that is about to end */
	if (r >= 0 && rootless_lock(n.keep, F_RDLCK, true) < 0)
		r = err_errno(err, errno, "locking %s/%s", args->dir, ROOTLESS_LOCK_FILE);
	if (r >= 0)
		r = find_or_make(args, &n, err);
	if (r < 0)
		return err_wrap(err, r, "making the namespaces of this user's networks");
	n.fresh = is_fresh(args->dir);
	*ret = n;
	n = (struct net_rootless)NET_ROOTLESS_INIT;
	return 0;
}
