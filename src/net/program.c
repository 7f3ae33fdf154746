/* SPDX-License-Identifier: Apache-2.0 */
#include "net/program.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/proc.h"

#define TIMEOUT_MS 30000
#define SAID_MAX   (64 << 10)

static int run(const char *path, char *const *argv, const struct buf *in, int said, int null,
	       struct err *err)
{
	char *const env[] = { (char[]){ "LC_ALL=C" }, NULL };
	const struct proc_fd fds[] = { { .fd = said, .target = STDOUT_FILENO },
				       { .fd = said, .target = STDERR_FILENO },
				       { .fd = null, .target = STDIN_FILENO } };
	struct proc_spawn spec = PROC_SPAWN_INIT;

	spec.path = path;
	spec.argv = argv;
	spec.envp = env;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds) - (in ? 1 : 0);
	return proc_run(&spec, in, NULL, 0, TIMEOUT_MS, err);
}

int net_program_run(const struct net_program *p, char *const *argv, const struct buf *in,
		    struct buf *said, struct err *err)
{
	cleanup_fd int file = memfd_create(p->name, MFD_CLOEXEC);
	cleanup_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r = -ENOENT;

	if (file < 0 || null < 0)
		return err_errno(err, errno, "making files for %s", p->name);
	for (size_t i = 0; p->paths[i] && r == -ENOENT; i++)
		r = run(p->paths[i], argv, in, file, null, err);
	if (r == -ENOENT)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED, "there is no program %s", p->name),
				"install it (Debian: apt-get install %s); without a network: "
				"--network none, or [network] default = none in inro.conf(5)",
				p->package);
	if (r < 0)
		return r;
	char *text = xmalloc(SAID_MAX);
	ssize_t n = NO_EINTR(pread(file, text, SAID_MAX, 0));
	buf_add(said, text, n > 0 ? (size_t)n : 0);
	free(text);
	return r;
}
