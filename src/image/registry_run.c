/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry_run.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/program.h"
#include "image/registry_tls.h"
#include "sys/pidfd.h"

#define PROGRAM "inro-registry"

/* ---- the program ---- */

/* Of the caller's environment it gets what says where proxies and CAs are, and no more. */
static char **env_make(char *const *from)
{
	static const char *const names[] = { "http_proxy",  "HTTP_PROXY", "https_proxy",
					     "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
					     "no_proxy",    "NO_PROXY",   "SSL_CERT_FILE",
					     "SSL_CERT_DIR" };
	char **env = NULL;

	strv_add(&env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = strv_env_get(from, names[i]);
		if (value && value[0])
			strv_addf(&env, "%s=%s", names[i], value);
	}
	return env;
}

static char **argv_make(const struct registry_options *opts)
{
	char **argv = NULL;

	strv_add(&argv, PROGRAM);
	if (opts->retries >= 0)
		strv_addf(&argv, "--retries=%d", opts->retries);
	if (opts->retry_delay_ms >= 0)
		strv_addf(&argv, "--retry-delay=%d", opts->retry_delay_ms);
	if (opts->timeout_s > 0)
		strv_addf(&argv, "--timeout=%d", opts->timeout_s);
	if (opts->debug)
		strv_add(&argv, "--debug");
	return argv;
}

int registry_start(const struct registry_options *opts, struct registry_conn *ret, struct err *err)
{
	const struct registry_options defaults = REGISTRY_OPTIONS_INIT;
	struct registry_conn conn = REGISTRY_CONN_INIT;
	cleanup_free char *path = program_find(PROGRAM);
	int pair[2];

	if (!opts)
		opts = &defaults;
	cleanup_strv char **env = env_make(opts->env ? opts->env : environ);
	cleanup_strv char **argv = argv_make(opts);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "starting " PROGRAM);
	conn.fd = pair[0];
	cleanup_fd int theirs = pair[1];
	const struct proc_fd fds[] = { { theirs, REGISTRY_FD } };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	spec.path = path;
	spec.argv = argv;
	spec.envp = env;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	/* Ctrl-C is for the engine, which decides what becomes of this. */
	spec.new_session = true;
	int r = proc_spawn(&spec, &conn.proc, err);
	if (r < 0) {
		fd_close(conn.fd);
		return err_wrap(err, r, "starting %s", path);
	}
	*ret = conn;
	return 0;
}

void registry_stop(struct registry_conn *conn)
{
	conn->fd = fd_close(conn->fd);
	if (conn->proc.pid > 0) {
		int status;
		if (conn->proc.pidfd >= 0)
			pidfd_kill(conn->proc.pidfd, SIGKILL);
		else
			kill(conn->proc.pid, SIGKILL);
		proc_wait(&conn->proc, -1, &status);
	}
	strv_free(take_ptr(conn->tls_dirs));
}

static int ended(struct registry_conn *conn, struct err *err)
{
	int status = 0;

	if (conn->proc.pid > 0 && proc_wait(&conn->proc, 1000, &status) == 0 && status != 0)
		return err_set_kind(
		    err,
		    err_errno(err, EPIPE, PROGRAM " ended with status %d", proc_exit_code(status)),
		    ERR_CORRUPT);
	return err_errno(err, EPIPE, "asking " PROGRAM);
}

/* ---- requests ---- */

static int message_send(struct registry_conn *conn, struct registry_request *req, int fd,
			struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (req->id == 0)
		req->id = ++conn->last_id;
	json_write(&registry_request_desc, req, 0, &text);
	if (text.len > REGISTRY_MESSAGE_MAX)
		return err_fail(err, ERR_LIMIT, "asking " PROGRAM ": the request has %zu bytes",
				text.len);
	ssize_t r = fd_send(conn->fd, text.data, text.len, &fd, fd >= 0);
	if (r == -EPIPE || r == -ECONNRESET)
		return ended(conn, err);
	return r < 0 ? err_errno(err, (int)-r, "asking " PROGRAM) : 0;
}

static int doc_make(struct err *err)
{
	int fd = memfd_create("registry", MFD_CLOEXEC);

	return fd < 0 ? err_errno(err, errno, "making a file in memory") : fd;
}

static int tls_send(struct registry_conn *conn, char *dir, struct err *err)
{
	struct registry_tls tls = { NULL };
	cleanup_buf struct buf text = BUF_INIT;
	struct registry_request req = { .op = REGISTRY_TLS, .text = dir };

	if (strv_has(conn->tls_dirs, dir))
		return 0;
	int r = registry_tls_read(dir, &tls, err);
	if (r < 0)
		return r;
	json_write(&registry_tls_desc, &tls, 0, &text);
	json_free(&registry_tls_desc, &tls);
	cleanup_fd int fd = doc_make(err);
	if (fd < 0)
		return fd;
	r = io_write(fd, text.data, text.len);
	if (r < 0)
		return err_errno(err, -r, "writing certificates");
	r = message_send(conn, &req, fd, err);
	if (r == 0)
		strv_add(&conn->tls_dirs, dir);
	return r;
}

int registry_send(struct registry_conn *conn, struct registry_request *req, int fd, struct err *err)
{
	for (size_t i = 0; i < req->endpoints.n; i++) {
		char *dir = req->endpoints.items[i].tls_dir;
		int r = dir ? tls_send(conn, dir, err) : 0;
		if (r < 0)
			return r;
	}
	return message_send(conn, req, fd, err);
}

/* ---- answers ---- */

/* Nothing in here may steer a terminal. */
static void answer_mask(struct registry_answer *a)
{
	char *const texts[] = { a->error.message, a->error.hint, a->error.code, a->endpoint,
				a->digest,        a->media_type, a->subject,    a->notice };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i])
			str_mask_controls(texts[i], "");
}

/* Bytes that are there, 0 after the timeout. */
static ssize_t message_receive(struct registry_conn *conn, int timeout_ms, char *text, size_t len)
{
	struct pollfd p[] = {
		{ .fd = conn->fd, .events = POLLIN },
		{ .fd = conn->cancel_fd > 0 ? conn->cancel_fd : -1, .events = POLLIN },
	};
	size_t n_fds = 0;
	int none;

	int r = poll(p, ARRAY_SIZE(p), timeout_ms);
	if (r <= 0)
		return r < 0 ? -errno : 0;
	if (!p[0].revents)
		return -ECANCELED;
	/* It has no fd to give: one that comes all the same is closed. */
	ssize_t n = fd_recv(conn->fd, text, len, &none, &n_fds);
	return n == 0 ? -EPIPE : n;
}

int registry_next(struct registry_conn *conn, int timeout_ms, struct registry_answer *ret,
		  struct err *err)
{
	cleanup_free char *text = xmalloc(REGISTRY_MESSAGE_MAX);
	int64_t end = time_monotonic_ns() + (int64_t)timeout_ms * 1000000;
	struct registry_answer answer = { 0 };
	ssize_t n;

	do {
		int64_t left = timeout_ms < 0 ? -1 : (end - time_monotonic_ns()) / 1000000;
		if (timeout_ms >= 0 && left < 0)
			left = 0;
		n = message_receive(conn, (int)left, text, REGISTRY_MESSAGE_MAX);
	} while (n == -EINTR);
	if (n == 0)
		return 0;
	if (n == -EPIPE || n == -ECONNRESET)
		return ended(conn, err);
	if (n < 0)
		return err_errno(err, (int)-n, "waiting for " PROGRAM);
	int r =
	    json_parse(&registry_answer_desc, &answer, text, (size_t)n, "answer of " PROGRAM, err);
	if (r < 0)
		return r;
	answer_mask(&answer);
	*ret = answer;
	return 1;
}

void registry_answer_done(struct registry_answer *answer)
{
	json_free(&registry_answer_desc, answer);
}

int registry_answer_error(const struct registry_answer *answer, struct err *err)
{
	const struct registry_error *e = &answer->error;
	enum err_kind kind =
	    e->kind >= 0 && e->kind < ERR_KINDS ? (enum err_kind)e->kind : ERR_SYSTEM;

	int r = err_fail(err, kind, "%s", e->message ? e->message : PROGRAM " gave no reason");
	if (e->errnum > 0 && e->errnum < 4096) {
		r = -e->errnum;
		if (err)
			err->errnum = e->errnum;
	}
	return e->hint ? err_hint(err, r, "%s", e->hint) : r;
}

/* ---- one at a time ---- */

int registry_call(struct registry_conn *conn, struct registry_request *req, int fd,
		  struct registry_answer *ret, struct err *err)
{
	struct registry_answer answer = { 0 };

	int r = registry_send(conn, req, fd, err);
	if (r < 0)
		return r;
	for (;;) {
		r = registry_next(conn, -1, &answer, err);
		if (r < 0)
			return r;
		if (answer.id == req->id && !answer.partial)
			break;
		if (answer.notice && conn->notice)
			conn->notice(conn->notice_data, answer.notice);
		registry_answer_done(&answer);
	}
	r = answer.ok ? 0 : registry_answer_error(&answer, err);
	if (r == 0 && ret)
		*ret = answer;
	else
		registry_answer_done(&answer);
	return r;
}

int registry_fetch(struct registry_conn *conn, struct registry_request *req, struct buf *doc,
		   struct registry_answer *ret, struct err *err)
{
	struct registry_answer answer = { 0 };

	cleanup_fd int fd = doc_make(err);
	if (fd < 0)
		return fd;
	int r = registry_call(conn, req, fd, &answer, err);
	if (r < 0)
		return r;
	/* Its offset is where inro-registry has stopped writing. */
	if (lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		r = io_read_all(fd, doc, doc->len + REGISTRY_LIST_MAX + 1);
	if (r == 0 && ret)
		*ret = answer;
	else
		registry_answer_done(&answer);
	return r < 0 ? err_errno(err, -r, "reading the answer of " PROGRAM) : 0;
}
