/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/user.h"
#include "runtime/init.h"

/* For configurations without PATH in process.env, as crun has it. The program does not get it. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* With the runtime's rights, which may pass where the user's don't: a working directory in a
 * private home, say. What is wrong with it is found out by the second attempt. */
int process_cwd_early(struct init *in, struct err *err)
{
	in->in_cwd = chdir(in->spec->process->cwd) == 0;
	return 0;
}

/* A directory that leads out of the root (an fd of the host that leaked, CVE-2024-21626) shows as
 * unreachable. */
int process_cwd(struct init *in, struct err *err)
{
	const char *cwd = in->spec->process->cwd;
	char path[PATH_MAX];
	long n;

	if (!in->in_cwd && chdir(cwd) < 0)
		return err_errno(err, errno, "changing to process.cwd \"%s\"", cwd);
	/* The system call itself: libc's function may look for the path in other ways. */
	n = syscall(SYS_getcwd, path, sizeof(path));
	if (n < 0)
		return err_errno(err, errno, "checking process.cwd \"%s\"", cwd);
	if (path[0] != '/')
		return err_fail(err, ERR_DENIED,
				"process.cwd \"%s\" is outside of the container's root", cwd);
	return 0;
}

/* $HOME as login would set it, when the configuration does not say. */
static void add_home(struct init *in)
{
	CLEANUP(buf_done) struct buf passwd = BUF_INIT;
	cleanup_user struct user_result user = { 0 };
	struct user_files files = { 0 };
	cleanup_fd int root = -EBADF;
	cleanup_fd int fd = -EBADF;
	cleanup_free char *home = NULL;
	struct stat st;
	char uid[16];

	if (strv_env_get(in->env, "HOME"))
		return;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = path_open_in(root, "/etc/passwd", O_RDONLY | O_NONBLOCK, 0, NULL);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    io_read_all(fd, &passwd, USER_FILE_MAX) >= 0) {
		files.passwd = buf_str(&passwd);
		files.passwd_len = passwd.len;
	}
	snprintf(uid, sizeof(uid), "%u", in->spec->process->user.uid);
	if (user_resolve(uid, &files, &user, NULL) < 0)
		user.home = NULL;
	home = xasprintf("HOME=%s", user.home ? user.home : "/");
	strv_env_set(&in->env, home);
}

/* -ENOENT etc. where path is not a file that can be executed. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/*
 * docker, podman and containerd tell "not found" (127) and "can't be run" (126) apart by the words
 * in the runtime's log, some of them in this case only.
 */
static int program_error(const char *arg, int errnum, struct err *err)
{
	static const struct {
		int errnum;
		enum err_kind kind;
		const char *words;
	} known[] = {
		{ ENOENT, ERR_CMD_NOT_FOUND, "no such file or directory" },
		{ ENOTDIR, ERR_CMD_NOT_FOUND, "not a directory: no such file or directory" },
		{ EACCES, ERR_NOT_EXECUTABLE, "permission denied" },
		{ EISDIR, ERR_NOT_EXECUTABLE, "is a directory: permission denied" },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].errnum != errnum)
			continue;
		if (known[i].kind == ERR_CMD_NOT_FOUND)
			return err_fail(err, known[i].kind, "exec: \"%s\": stat %s: %s", arg, arg,
					known[i].words);
		return err_fail(err, known[i].kind, "exec: \"%s\": %s", arg, known[i].words);
	}
	r = err_errno(err, errnum, "exec: \"%s\"", arg);
	return err_set_kind(err, r, ERR_NOT_EXECUTABLE);
}

/* Looks along PATH. A file that may not be executed is remembered, as execvp(3) does. */
static int search_program(struct init *in, const char *arg, struct err *err)
{
	const char *path = strv_env_get(in->env, "PATH");
	cleanup_strv char **dirs = strv_split(path ? path : DEFAULT_PATH, ':');
	bool denied = false;

	for (size_t i = 0; dirs[i]; i++) {
		char *candidate = path_join(dirs[i][0] ? dirs[i] : ".", arg);
		int r = check_program(candidate);

		if (r == 0) {
			in->program = candidate;
			return 0;
		}
		denied |= r == -EACCES;
		free(candidate);
	}
	if (denied)
		return program_error(arg, EACCES, err);
	return err_fail(err, ERR_CMD_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH",
			arg);
}

/* At create, so that a wrong command is reported there. */
int process_program(struct init *in, struct err *err)
{
	const char *arg = in->spec->process->args[0];
	int r;

	in->env = strv_copy(in->spec->process->env);
	add_home(in);
	if (!strchr(arg, '/'))
		return arg[0] ? search_program(in, arg, err)
			      : err_fail(err, ERR_CMD_NOT_FOUND,
					 "exec: \"\": executable file not found in $PATH");
	r = check_program(arg);
	if (r < 0)
		return program_error(arg, -r, err);
	in->program = xstrdup(arg);
	return 0;
}
