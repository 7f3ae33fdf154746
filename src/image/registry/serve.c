/* SPDX-License-Identifier: Apache-2.0 */
/* Requests from the engine to the threads that serve them. */
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/registry/job.h"

#define STACK_SIZE (512u << 10)

/* ---- threads ---- */

static struct job *next_job(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->idle_threads++;
	while (!s->queue)
		pthread_cond_wait(&s->work, &s->lock);
	struct job *job = s->queue;
	s->queue = job->next;
	if (!s->queue)
		s->queue_end = &s->queue;
	s->idle_threads--;
	pthread_mutex_unlock(&s->lock);
	return job;
}

static void *thread_main(void *arg)
{
	struct session *s = arg;

	for (;;) {
		struct job *job = next_job(s);
		job_run(job);
		job_free(job);
	}
	return NULL;
}

static int thread_start(struct session *s)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int r = pthread_create(&thread, &attr, thread_main, s);
	pthread_attr_destroy(&attr);
	return -r;
}

static int job_queue(struct session *s, struct job *job, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&s->lock);
	*s->queue_end = job;
	s->queue_end = &job->next;
	size_t waiting = 0;
	for (const struct job *j = s->queue; j; j = j->next)
		waiting++;
	bool more = waiting > s->idle_threads && s->threads < REGISTRY_PARALLEL;
	if (more && (r = thread_start(s)) == 0)
		s->threads++;
	/* Without another thread the ones that are there get to it. */
	if (r < 0 && s->threads > 0)
		r = 0;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	return r < 0 ? err_errno(err, -r, "starting a thread") : 0;
}

/* ---- the socket ---- */

static int serve_one(struct session *s, const char *text, size_t len, int *fd, struct err *err)
{
	struct registry_request req = { 0 };

	int r = json_parse(&registry_request_desc, &req, text, len, "request", err);
	if (r < 0)
		return r;
	if (req.op == REGISTRY_TLS) {
		r = session_add_tls(s, req.text, *fd, err);
		json_free(&registry_request_desc, &req);
		return r;
	}
	return job_queue(s, job_new(s, &req, take_fd(*fd)), err);
}

int session_serve(struct session *s, struct err *err)
{
	cleanup_free char *text = xmalloc(REGISTRY_MESSAGE_MAX);

	for (;;) {
		int fd = -EBADF;
		size_t n_fds = 1;
		ssize_t n = fd_recv(s->sock, text, REGISTRY_MESSAGE_MAX, &fd, &n_fds);
		if (n == 0 || n == -ECONNRESET)
			return 0;
		if (n < 0)
			return err_errno(err, (int)-n, "reading requests");
		int r = serve_one(s, text, (size_t)n, &fd, err);
		fd_close(n_fds ? fd : -EBADF);
		if (r < 0)
			return r;
	}
}
