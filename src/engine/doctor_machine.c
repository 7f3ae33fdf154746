/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's view of this machine. */
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/timeutil.h"
#include "engine/doctor.h"
#include "engine/record.h"
#include "image/own_name.h"
#include "sys/landlock.h"

/* With arguments that no call can do anything with: a fault is another answer than "no such call".
 */
static bool has_call(long nr)
{
	return syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L) >= 0 || errno != ENOSYS;
}

/* The message of what keeps the store from being used; NULL: nothing does. */
static char *try_store(struct engine *eng)
{
	struct err err = ERR_INIT;
	cleanup_fd int fd = -EBADF;
	int r = engine_dirs(eng, &err);

	if (r == 0)
		r = engine_db(eng, &err);
	if (r < 0)
		return xstrdup(err.msg);
	fd = openat(eng->containers_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR)
		return xasprintf("making a file: %s", strerror(errno));
	return NULL;
}

static char *missing_program(struct engine *eng)
{
	static const char *const names[] = { "inro-runtime", "inro-monitor", "inro-layer",
					     "inro-registry", "inro-init" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = NULL;
		struct err err = ERR_INIT;

		if (engine_program(eng, names[i], &path, &err) < 0)
			return xstrdup(names[i]);
	}
	return NULL;
}

static size_t count_policies(struct engine *eng)
{
	cleanup_record_list struct record_list list = { 0 };
	size_t n = 0;

	if (!eng->db || record_list(eng, NULL, &list, NULL) < 0)
		return 0;
	for (size_t i = 0; i < list.n; i++)
		n += list.items[i].options.restart > RESTART_NO;
	return n;
}

static struct doctor_space measure(const char *path, int fd)
{
	struct doctor_space s = { .path = path };
	struct statvfs st;

	if (fd < 0 || fstatvfs(fd, &st) < 0)
		return s;
	s.free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	s.bytes = (uint64_t)st.f_blocks * st.f_frsize;
	s.free_inodes = st.f_favail;
	s.inodes = st.f_files;
	return s;
}

void engine_doctor(struct engine *eng, struct doctor_report *ret)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *problem = try_store(eng);
	cleanup_free char *missing = missing_program(eng);
	cleanup_free char *user = own_name(getuid());
	struct doctor d = {
		.root = root,
		.rootless = eng->rootless,
		.uid = getuid(),
		.user = user,
		.has_call = has_call,
		.landlock_abi = landlock_abi(),
		.now_ns = time_now_ns(),
		.store = measure(eng->root, eng->root_fd),
		.store_problem = problem,
		.runtime_dir = runtime_dir && runtime_dir[0] ? runtime_dir : NULL,
		.home = getenv("HOME"),
		.n_policies = count_policies(eng),
		.missing_program = missing,
	};

	doctor_net_look(eng, &d.net);
	doctor_examine(&d, ret);
	doctor_net_done(&d.net);
}
