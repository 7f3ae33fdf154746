/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of logs: a directory of their own, and a writer that is not open yet. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/path.h"
#include "base/str.h"
#include "monitor/logfile.h"

struct fixture {
	char *name;
	int dir;
	struct logfile l;
};

static int setup(void **state)
{
	struct fixture *fx = xcalloc(1, sizeof(*fx));
	char id[HEX_ID_LEN + 1];

	if (hex_random_id(id) < 0)
		return -1;
	fx->name = xasprintf("/tmp/inro-test-%s", id);
	if (mkdir(fx->name, 0700) < 0)
		return -1;
	fx->dir = open(fx->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fx->l.fd = -EBADF;
	*state = fx;
	return fx->dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	logfile_close(&fx->l);
	path_remove_tree(tmp, fx->name + strlen("/tmp/"), NULL);
	fd_close(fx->dir);
	free(fx->name);
	free(fx);
	return 0;
}
