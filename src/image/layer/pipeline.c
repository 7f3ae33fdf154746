/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pipeline.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "image/layer/compress.h"
#include "image/layer/confine.h"
#include "image/layer/stage.h"
#include "sys/clone.h"
#include "sys/prctl.h"

#define PIPE_SIZE (1 << 20)

struct pipeline {
	const struct pipeline_options *options;
	struct evp_md_ctx_st *hash; /* made before the fence is up */
	int partial_fd;
	int in; /* what the next stage reads */
};

struct stage {
	int result_fd;
	enum { ALWAYS, UNLESS_PLAIN, TO_COMPRESS } when;
	int (*run)(const struct pipeline *pl, int out, struct stage_result *ret, struct err *err);
};

static int run_hash(const struct pipeline *pl, int partial_fd, int out, struct stage_result *ret,
		    struct err *err)
{
	const struct stage_hash stage = {
		.ctx = pl->hash, .partial_fd = partial_fd, .in_fd = pl->in, .out_fd = out
	};
	return stage_hash(&stage, ret, err);
}

static int run_hash_in(const struct pipeline *pl, int out, struct stage_result *ret,
		       struct err *err)
{
	return run_hash(pl, pl->partial_fd, out, ret, err);
}

static int run_decompress(const struct pipeline *pl, int out, struct stage_result *ret,
			  struct err *err)
{
	return stage_decompress(pl->in, out, &pl->options->limits, err);
}

static int run_hash_out(const struct pipeline *pl, int out, struct stage_result *ret,
			struct err *err)
{
	return run_hash(pl, -EBADF, out, ret, err);
}

static int run_compress(const struct pipeline *pl, int out, struct stage_result *ret,
			struct err *err)
{
	return stage_compress(pl->in, out, pl->options->compress, pl->options->level, err);
}

static const struct stage stages[] = {
	{ LAYER_FD_HASH_IN, ALWAYS, run_hash_in },
	{ LAYER_FD_DECOMPRESS, UNLESS_PLAIN, run_decompress },
	{ LAYER_FD_HASH_OUT, UNLESS_PLAIN, run_hash_out },
	{ LAYER_FD_COMPRESS, TO_COMPRESS, run_compress },
};

static bool is_wanted(const struct stage *stage, const struct pipeline_options *options)
{
	return stage->when == ALWAYS || (stage->when == UNLESS_PLAIN && !options->plain) ||
	       (stage->when == TO_COMPRESS && options->compress);
}

/* What may be written to the partial file is what there is room for, behind what it has. */
static uint64_t max_file(const struct pipeline *pl)
{
	uint64_t max = pl->options->limits.max_bytes;
	struct stat st;

	if (pl->partial_fd < 0 || fstat(pl->partial_fd, &st) < 0)
		return max;
	return max > UINT64_MAX - (uint64_t)st.st_size ? max : max + (uint64_t)st.st_size;
}

static _Noreturn void stage_main(const struct pipeline *pl, const struct stage *stage, int out,
				 pid_t parent)
{
	const int keep[] = { pl->in, out, stage->result_fd,
			     stage->run == run_hash_in ? pl->partial_fd : -EBADF, STDERR_FILENO };
	struct stage_result result = { .bytes = 0 };
	struct err err = ERR_INIT;

	int r = fd_close_from(0, keep, ARRAY_SIZE(keep));
	if (r < 0)
		err_errno(&err, -r, "closing file descriptors");
	if (r == 0)
		r = confine_stage(parent, max_file(pl), &err);
	if (r == 0)
		r = stage->run(pl, out, &result, &err);
	/* It is the next one that has something to say. */
	if (r == -EPIPE)
		_exit(1);
	if (r < 0)
		io_write(stage->result_fd, &err, sizeof(err));
	else
		io_write(stage->result_fd, &result, sizeof(result));
	_exit(r < 0);
}

static int stage_start(struct pipeline *pl, const struct stage *stage, struct err *err)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	int pipe_fds[2], pidfd = -EBADF;
	pid_t parent = getpid();

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	cleanup_fd int next = pipe_fds[0];
	cleanup_fd int out = pipe_fds[1];
	/* Is the user's share of pipe buffers used up, a small one will do. */
	fcntl(out, F_SETPIPE_SZ, PIPE_SIZE);
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid < 0)
		return err_errno(err, (int)-pid, "starting a stage");
	if (pid == 0)
		stage_main(pl, stage, out, parent);
	fd_close(pidfd);
	fd_close(pl->in);
	fd_close(stage->result_fd);
	pl->in = take_fd(next);
	return 0;
}

int pipeline_start(const struct pipeline_options *options, struct err *err)
{
	struct pipeline pl = { .options = options, .hash = hash_new(), .in = STDIN_FILENO };
	int r = 0;

	pl.partial_fd = fcntl(LAYER_FD_PARTIAL, F_GETFD) < 0 ? -EBADF : LAYER_FD_PARTIAL;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(stages); i++)
		if (is_wanted(&stages[i], options))
			r = stage_start(&pl, &stages[i], err);
	hash_free(pl.hash);
	fd_close(pl.partial_fd);
	return r < 0 ? r : pl.in;
}

void pipeline_wait(void)
{
	while (NO_EINTR(waitpid(-1, NULL, 0)) > 0)
		;
}
