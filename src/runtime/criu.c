/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/criu.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cancel.h"
#include "sys/pidfd.h"

#define DEFAULT_PATH      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define ANSWER_TIMEOUT_MS 20000 /* of what takes no work */
#define END_TIMEOUT_MS    30000 /* of what is only to be taken back */

/* Directories that are relative are left out. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");
	cleanup_strv char **dirs = strv_split(path && *path ? path : DEFAULT_PATH, ':');

	for (char **dir = dirs; *dir; dir++) {
		char *program = path_join(*dir, name);

		if (**dir == '/' && access(program, X_OK) == 0)
			return program;
		free(program);
	}
	return NULL;
}

int criu_find(char **ret_path, struct err *err)
{
	int r;

	*ret_path = find_program("criu");
	if (*ret_path)
		return 0;
	r = err_fail(err, ERR_UNSUPPORTED, "criu is not installed: no such program in $PATH");
	return err_hint(err, r, "install criu 3.15 or newer");
}

bool criu_has_iptables(void)
{
	cleanup_free char *program = find_program("iptables-restore");

	return program != NULL;
}

int criu_connection(int ret[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return err_errno(err, errno, "making a connection to criu");
	return 0;
}

static int spawn(const char *program, struct criu *c, struct err *err)
{
	char name[] = "criu", verb[] = "swrk", number[] = "3";
	char *argv[] = { name, verb, number, NULL };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	struct proc proc = PROC_INIT;
	struct proc_fd fd;
	int pair[2], r;

	r = criu_connection(pair, err);
	if (r < 0)
		return r;
	fd = (struct proc_fd){ .fd = pair[1], .target = CRIU_SOCKET };
	spec.path = program;
	spec.argv = argv;
	spec.fds = &fd;
	spec.n_fds = 1;
	spec.new_session = true; /* the terminal's signals are the runtime's, which ends it well */
	r = proc_spawn(&spec, &proc, err);
	fd_close(pair[1]);
	if (r < 0) {
		fd_close(pair[0]);
		return r;
	}
	c->sock = pair[0];
	c->pid = proc.pid;
	c->pidfd = proc.pidfd;
	return 0;
}

/* Only when it runs no more, or will not for long. */
static int wait_end(struct criu *c)
{
	struct proc proc = { .pid = c->pid, .pidfd = c->pidfd };
	int status = 0;
	int r = proc_wait(&proc, END_TIMEOUT_MS, &status);

	if (r == -ETIME) {
		kill(c->pid, SIGKILL);
		r = proc_wait(&proc, -1, &status);
	}

	c->pid = -1;
	c->pidfd = -EBADF;
	return r < 0 ? r : proc_exit_code(status);
}

static int died(struct criu *c, struct err *err)
{
	int status = wait_end(c);

	if (status > 128)
		return err_fail(err, ERR_SYSTEM, "criu was killed by signal %d", status - 128);
	return err_fail(err, ERR_SYSTEM, "criu ended without an answer, with exit status %d",
			status);
}

static int wait_readable(const struct criu *c, int timeout_ms, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = c->sock, .events = POLLIN },
		{ .fd = c->cancel_fd > 0 ? c->cancel_fd : -1, .events = POLLIN },
	};
	int n = NO_EINTR(poll(p, ARRAY_SIZE(p), timeout_ms));

	if (n < 0)
		return err_errno(err, errno, "waiting for criu");
	if (n == 0)
		return err_fail(err, ERR_SYSTEM, "criu does not answer");
	return p[1].revents ? cancel_error(c->cancel_fd, err) : 0;
}

#define FDS_MAX 4

struct packet {
	struct criu_resp resp;
	int fds[FDS_MAX];
	size_t n_fds;
};

static void packet_done(struct packet *p)
{
	while (p->n_fds > 0)
		fd_close(p->fds[--p->n_fds]);
}

static int receive(struct criu *c, int timeout_ms, struct packet *p, struct err *err)
{
	cleanup_free char *data = xmalloc(CRIU_RESP_BYTES_MAX);
	ssize_t n;
	int r;

	p->n_fds = 0;
	r = wait_readable(c, timeout_ms, err);
	if (r < 0)
		return r;
	p->n_fds = FDS_MAX;
	n = fd_recv(c->sock, data, CRIU_RESP_BYTES_MAX, p->fds, &p->n_fds);
	if (n == 0 || n == -ECONNRESET) {
		p->n_fds = 0;
		return died(c, err);
	}
	if (n < 0) {
		p->n_fds = 0;
		return err_errno(err, (int)-n, "receiving criu's answer");
	}
	r = criu_resp_decode(data, (size_t)n, &p->resp, err);
	if (r < 0)
		packet_done(p);
	return r;
}

static int send_req(struct criu *c, const struct criu_req *req, struct err *err)
{
	cleanup_buf struct buf b = BUF_INIT;

	criu_req_encode(req, &b);
	if (NO_EINTR(send(c->sock, b.data, b.len, MSG_NOSIGNAL)) >= 0)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return died(c, err);
	return err_errno(err, errno, "sending criu a request");
}

static int refused(const struct criu_resp *resp, struct err *err)
{
	if (resp->errmsg[0])
		return err_fail(err, ERR_SYSTEM, CRIU_FAILED ": %s", resp->errmsg);
	if (resp->cr_errno > 0)
		return err_errno(err, resp->cr_errno, CRIU_FAILED);
	return err_fail(err, ERR_SYSTEM, CRIU_FAILED);
}

/* 1: it was the final response. */
static int take_packet(struct criu *c, const struct criu_req *req, const struct packet *p,
		       criu_notify_fn notify, void *data, struct err *err)
{
	const struct criu_req ok = { .type = { true, CRIU_NOTIFY }, .notify_success = true };
	int r;

	if (p->resp.type != CRIU_NOTIFY && p->resp.success && p->resp.type != req->type.value)
		return err_fail(err, ERR_CORRUPT, "criu answers something else than it was asked");
	if (p->resp.type != CRIU_NOTIFY || !p->resp.success)
		return p->resp.success ? 1 : refused(&p->resp, err);
	log_debug("criu: %s", p->resp.notify.script);
	r = notify ? notify(data, &p->resp, p->fds, p->n_fds, err) : 0;
	return r < 0 ? r : send_req(c, &ok, err);
}

static int request(struct criu *c, const struct criu_req *req, int timeout_ms,
		   criu_notify_fn notify, void *data, struct criu_resp *ret, struct err *err)
{
	int r = send_req(c, req, err);

	while (r == 0) {
		struct packet p;

		r = receive(c, timeout_ms, &p, err);
		if (r < 0)
			break;
		r = take_packet(c, req, &p, notify, data, err);
		packet_done(&p);
		if (r == 1)
			*ret = p.resp;
	}
	return r < 0 ? r : 0;
}

int criu_request(struct criu *c, const struct criu_req *req, criu_notify_fn notify, void *data,
		 struct criu_resp *ret, struct err *err)
{
	return request(c, req, -1, notify, data, ret, err);
}

static int check_version(struct criu *c, bool more, struct err *err)
{
	const struct criu_req req = { .type = { true, CRIU_VERSION }, .keep_open = more };
	struct criu_resp resp;
	int64_t version;
	int r;

	r = request(c, &req, ANSWER_TIMEOUT_MS, NULL, NULL, &resp, err);
	if (r < 0)
		return err_wrap(err, r, "asking criu for its version");
	version = (int64_t)resp.version.major * 10000 + (int64_t)resp.version.minor * 100 +
		  resp.version.sublevel;
	log_debug("criu %d.%d.%d", resp.version.major, resp.version.minor, resp.version.sublevel);
	if (version >= CRIU_VERSION_MIN)
		return 0;
	return err_fail(err, ERR_UNSUPPORTED, "criu %d.%d is too old: 3.15 or newer is needed",
			resp.version.major, resp.version.minor);
}

int criu_start(const char *program, bool more, struct criu *ret, struct err *err)
{
	int r = spawn(program, ret, err);

	if (r < 0)
		return r;
	r = check_version(ret, more, err);
	if (r < 0) {
		/* Nothing is under way: whatever it is, it may go. */
		if (ret->pid > 0)
			kill(ret->pid, SIGKILL);
		criu_end(ret, false, NULL);
	}
	return r;
}

int criu_require(struct criu *c, const struct criu_features *features, struct err *err)
{
	const struct criu_req req = { .type = { true, CRIU_FEATURE_CHECK },
				      .keep_open = true,
				      .features = features };
	struct criu_resp resp;
	int r;

	r = request(c, &req, ANSWER_TIMEOUT_MS, NULL, NULL, &resp, err);
	if (r < 0)
		return err_wrap(err, r, "asking criu what it can do here");
	if (features->mem_track && !resp.features.mem_track)
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "this kernel does not track changed memory (CONFIG_MEM_SOFT_DIRTY), "
		    "which dumps in several steps need");
	if (features->lazy_pages && !resp.features.lazy_pages)
		return err_fail(err, ERR_UNSUPPORTED,
				"criu can't restore memory lazily on this kernel "
				"(CONFIG_USERFAULTFD)");
	return 0;
}

int criu_end(struct criu *c, bool check, struct err *err)
{
	int status = 0;

	c->sock = fd_close(c->sock);
	if (c->pid > 0)
		status = wait_end(c);
	c->pidfd = fd_close(c->pidfd);
	if (status < 0)
		return err_errno(err, -status, "waiting for criu");
	if (check && status > 0)
		return err_fail(err, ERR_SYSTEM, "criu ended with exit status %d", status);
	return 0;
}
