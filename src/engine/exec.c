/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/env.h"
#include "engine/execs.h"
#include "engine/life.h"
#include "engine/live.h"
#include "runtime/detach_keys.h"
#include "runtime/selfexe.h"
#include "sys/cap.h"

#define FIRST_FD     3 /* that --preserve-fds counts from */
#define PRESERVE_MAX (1 << 20)

static int check_options(const struct exec_options *o, struct err *err)
{
	struct detach_keys keys;
	int r = detach_keys_parse(o->detach_keys, &keys, err);

	if (r < 0)
		return r;
	if (o->tty && o->interactive && !o->detach && !isatty(STDIN_FILENO))
		return err_fail(err, ERR_USAGE, "the input device is not a TTY");
	if (o->workdir && o->workdir[0] != '/')
		return err_fail(
		    err, ERR_USAGE,
		    "the working directory '%s' is invalid, it needs to be an absolute path",
		    o->workdir);
	if (o->preserve_fds < 0 || o->preserve_fds > PRESERVE_MAX)
		return err_fail(err, ERR_USAGE, "--preserve-fds: expected a number from 0 to %d",
				PRESERVE_MAX);
	return 0;
}

static int check_state(struct engine *eng, const struct record *rec, struct err *err)
{
	int status = live_status(eng, rec);

	if (status == CONTAINER_PAUSED)
		return err_hint(
		    err,
		    err_fail(err, ERR_CONFLICT,
			     "container %s is paused, unpause the container before exec",
			     rec->name),
		    "inro unpause %s", rec->name);
	return status == CONTAINER_RUNNING ? 0 : live_check(eng, rec, err);
}

/* All that this process could give. In a user namespace of its own a container's root has them all;
 * the runtime says so where that is not true. */
static void add_caps(struct engine *eng, char ***argv)
{
	struct cap_sets sets = { 0 };
	uint64_t caps = (UINT64_C(2) << cap_last()) - 1;

	if (!eng->rootless && cap_get(&sets) == 0)
		caps = sets.bounding & sets.permitted;
	for (int i = 0; i < CAP_COUNT_MAX; i++)
		if ((caps & UINT64_C(1) << i) && cap_name(i))
			strv_addf(argv, "--cap=%s", cap_name(i));
}

/* What all may read of a process are its arguments: so variables don't go there. *ret_fd stays open
 * on exec, and is none of those that the user wants to hand on. */
static int put_env(const struct exec_options *o, int *ret_fd, struct err *err)
{
	cleanup_strv char **env = NULL;
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int fd = -EBADF;
	int r = env_gather(o->env_file, o->env, &env, err);

	if (r < 0 || !strv_len(env))
		return r;
	for (size_t i = 0; env[i]; i++)
		buf_add(&text, env[i], strlen(env[i]) + 1);
	fd = memfd_create("env", MFD_CLOEXEC);
	r = fd < 0 ? -errno : io_write(fd, buf_str(&text), text.len);
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = fcntl(fd, F_DUPFD, FIRST_FD + o->preserve_fds);
	if (r == 0 && *ret_fd < 0)
		r = -errno;
	return r < 0 ? err_errno(err, -r, "handing the environment on") : 0;
}

/* How it ends is told by what is written there. Without it nobody is told. */
static int open_record(struct engine *eng, const struct record *rec, const struct exec_options *o,
		       char *const *command)
{
	cleanup_fd int fd = execs_begin(eng, rec, command);

	return fd < 0 ? fd : fcntl(fd, F_DUPFD, FIRST_FD + o->preserve_fds);
}

static char **runtime_argv(struct engine *eng, const struct record *rec,
			   const struct exec_options *o, int env_fd, int record_fd,
			   char *const *command)
{
	char **argv = NULL;

	strv_add(&argv, "inro-runtime");
	strv_addf(&argv, "--root=%s", eng->runtime.root);
	strv_addf(&argv, "--rootless=%s", eng->rootless ? "true" : "false");
	if (eng->debug)
		strv_add(&argv, "--debug");
	strv_add(&argv, "exec");
	strv_add(&argv, "--engine");
	if (o->detach)
		strv_add(&argv, "--detach");
	if (o->tty)
		strv_add(&argv, "--tty");
	if (o->tty && o->interactive && !o->detach)
		strv_addf(&argv, "--detach-keys=%s",
			  o->detach_keys ? o->detach_keys : DETACH_KEYS_DEFAULT);
	if (o->user)
		strv_addf(&argv, "--user=%s", o->user);
	if (o->workdir)
		strv_addf(&argv, "--cwd=%s", o->workdir);
	if (o->preserve_fds)
		strv_addf(&argv, "--preserve-fds=%d", o->preserve_fds);
	if (env_fd >= 0)
		strv_addf(&argv, "--env-fd=%d", env_fd);
	if (record_fd >= 0)
		strv_addf(&argv, "--record-fd=%d", record_fd);
	if (o->privileged)
		add_caps(eng, &argv);
	strv_add(&argv, rec->id);
	strv_extend(&argv, command);
	return argv;
}

static int close_input(struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return err_errno(err, errno, "opening /dev/null");
	return 0;
}

int engine_exec(struct engine *eng, const char *word, const struct exec_options *o,
		char *const *command, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_strv char **argv = NULL;
	cleanup_free char *path = NULL;
	cleanup_fd int env_fd = -EBADF;
	cleanup_fd int record_fd = -EBADF;
	int r;

	r = check_options(o, err);
	if (r == 0)
		r = life_find(eng, word, &rec, err);
	if (r == 0)
		r = check_state(eng, &rec, err);
	if (r == 0)
		r = engine_program(eng, "inro-runtime", &path, err);
	if (r == 0)
		r = put_env(o, &env_fd, err);
	if (r == 0 && !o->interactive)
		r = close_input(err);
	if (r < 0)
		return r;
	/* The runtime would hand on what systemd has given to us. */
	unsetenv("LISTEN_FDS");
	record_fd = open_record(eng, &rec, o, command);
	argv = runtime_argv(eng, &rec, o, env_fd, record_fd, command);
	selfexe_exec(path, argv, FIRST_FD + o->preserve_fds);
	execv(path, argv);
	return err_errno(err, errno, "executing %s", path);
}
