/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nft_load.h"

#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/proc.h"

#define TIMEOUT_MS 30000
#define SAID_MAX   512

/* Not by $PATH, which is the user's. */
static const char *const programs[] = { "/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft",
					"/usr/bin/nft" };

static int run(const char *path, const struct buf *text, int said, struct err *err)
{
	char *const argv[] = { (char[]){ "nft" }, (char[]){ "-f" }, (char[]){ "-" }, NULL };
	char *const env[] = { (char[]){ "LC_ALL=C" }, NULL };
	const struct proc_fd fds[] = { { .fd = said, .target = STDOUT_FILENO },
				       { .fd = said, .target = STDERR_FILENO } };
	struct proc_spawn spec = PROC_SPAWN_INIT;

	spec.path = path;
	spec.argv = argv;
	spec.envp = env;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	return proc_run(&spec, text, NULL, 0, TIMEOUT_MS, err);
}

/* Its first line, which names the rule's place in the text and the reason. */
static int fail(int said, int status, struct err *err)
{
	char line[SAID_MAX];
	ssize_t n = NO_EINTR(pread(said, line, sizeof(line) - 1, 0));

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!line[0])
		snprintf(line, sizeof(line), "it ended with status %d", status);
	return err_fail(err, ERR_SYSTEM, "nft: %s", line);
}

int nft_load(const struct buf *text, struct err *err)
{
	cleanup_fd int said = memfd_create("nft", MFD_CLOEXEC);
	int r = -ENOENT;

	if (said < 0)
		return err_errno(err, errno, "making a file for what nft says");
	for (size_t i = 0; i < ARRAY_SIZE(programs) && r == -ENOENT; i++)
		r = run(programs[i], text, said, err);
	if (r == -ENOENT)
		return err_hint(err, err_fail(err, ERR_UNSUPPORTED, "there is no program nft"),
				"install nftables");
	return r > 0 ? fail(said, r, err) : r;
}
