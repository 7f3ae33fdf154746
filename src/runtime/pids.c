/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/pids.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup.h"
#include "sys/procfs.h"

#define PS_BYTES_MAX (64u << 20)
#define PS_IDS_MAX   8192 /* an argument takes 128 KiB */

void pids_done(struct pids *pids)
{
	free(pids->items);
	*pids = (struct pids){ 0 };
}

static int compare(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static void add_pid(struct pids *pids, pid_t pid)
{
	pids->items = xrealloc(pids->items, (pids->n + 1) * sizeof(*pids->items));
	pids->items[pids->n++] = pid;
}

void pids_take_new(struct pids *pids, struct pids *seen)
{
	size_t n = 0;

	for (size_t i = 0; i < pids->n; i++)
		if (!seen->n ||
		    !bsearch(&pids->items[i], seen->items, seen->n, sizeof(pid_t), compare))
			pids->items[n++] = pids->items[i];
	pids->n = n;
	for (size_t i = 0; i < n; i++)
		add_pid(seen, pids->items[i]);
	if (n)
		qsort(seen->items, seen->n, sizeof(pid_t), compare);
}

/* Whose pid namespace is the one of path, as far as this user may look. */
static int find_in_namespace(pid_t first, struct pids *ret, struct err *err)
{
	char path[64];
	struct stat own, st;
	struct dirent *e;
	uint64_t start;
	DIR *dir;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", first);
	if (stat(path, &own) < 0) {
		int r = errno;

		/* It has ended. */
		if (procfs_stat(first, NULL, &start) == -ESRCH)
			return 0;
		return err_errno(err, r, "looking at the container's pid namespace");
	}
	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == own.st_ino)
		return err_fail(err, ERR_UNSUPPORTED,
				"the container has no cgroup and no pid namespace of its own");
	dir = opendir("/proc");
	if (!dir)
		return err_errno(err, errno, "opening /proc");
	while ((e = readdir(dir))) {
		if (str_parse_int(e->d_name, &pid) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
		if (stat(path, &st) == 0 && st.st_ino == own.st_ino)
			add_pid(ret, pid);
	}
	closedir(dir);
	return 0;
}

int container_pids(const struct runtime *rt, const char *id, struct pids *ret, struct err *err)
{
	CLEANUP(container_state_free) struct container_state st = { 0 };
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	int r = container_state_read(rt, id, &st, err);

	if (r >= 0)
		r = cgroup_open(st.cgroup_paths, &cg, err);
	if (r < 0)
		return r;
	if (cg.n)
		r = cgroup_pids(&cg, &ret->items, &ret->n, err);
	else if (st.pid)
		r = find_in_namespace(st.pid, ret, err);
	if (r >= 0 && ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare);
	return r;
}

/* Column number field of a line, from 0, as a number; -1: none. */
static int column(const char *line, int field)
{
	cleanup_free char *word = NULL;
	size_t len;
	int n;

	line += strspn(line, " \t");
	while (field-- > 0) {
		line += strcspn(line, " \t");
		line += strspn(line, " \t");
	}
	len = strcspn(line, " \t");
	word = xstrndup(line, len);
	return str_parse_int(word, &n) < 0 ? -1 : n;
}

static int pid_column(const char *header)
{
	cleanup_strv char **words = strv_split(header, ' ');
	int field = 0;

	for (size_t i = 0; words[i]; i++) {
		if (str_eq(words[i], "PID"))
			return field;
		field += words[i][0] != '\0';
	}
	return -1;
}

static int filter(const struct pids *pids, const char *text, struct buf *out, struct err *err)
{
	cleanup_strv char **lines = strv_split(text, '\n');
	int field = pid_column(lines[0]);

	if (field < 0)
		return err_fail(err, ERR_USAGE, "couldn't find PID field in ps output");
	buf_addf(out, "%s\n", lines[0]);
	for (size_t i = 1; lines[i]; i++) {
		pid_t pid = lines[i][0] ? column(lines[i], field) : -1;

		if (pid > 0 && bsearch(&pid, pids->items, pids->n, sizeof(pid), compare))
			buf_addf(out, "%s\n", lines[i]);
	}
	return 0;
}

/* ps(1) with its options, and the ids of those to be shown: most options choose by terminal or user
 * otherwise. pids NULL: without them. Its exit status, or -errno. */
static int run_ps(char *const *args, const struct pids *pids, struct buf *out, struct err *err)
{
	static const char *const places[] = { "/bin/ps", "/usr/bin/ps" };
	cleanup_fd int null = pids ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -EBADF;
	const struct proc_fd fds[] = { { null, STDERR_FILENO } };
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	cleanup_buf struct buf ids = BUF_INIT;
	cleanup_strv char **argv = NULL;

	strv_add(&argv, "ps");
	strv_extend(&argv, args);
	if (!strv_len(args))
		strv_add(&argv, "-ef");
	for (size_t i = 0; pids && i < pids->n; i++)
		buf_addf(&ids, "%s%d", i ? "," : "-q", (int)pids->items[i]);
	if (pids)
		strv_add(&argv, buf_str(&ids));
	if (null >= 0) {
		spawn.fds = fds;
		spawn.n_fds = ARRAY_SIZE(fds);
	}
	spawn.argv = argv;
	spawn.path = access(places[0], X_OK) == 0 ? places[0] : places[1];
	return proc_run(&spawn, NULL, out, PS_BYTES_MAX, -1, err);
}

int container_ps(const struct pids *pids, char *const *args, struct buf *out, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	int r = run_ps(args, pids->n && pids->n <= PS_IDS_MAX ? pids : NULL, &text, err);

	/* There are options that do not go with ids (f), and busybox's knows none. */
	if (r > 0) {
		buf_reset(&text);
		r = run_ps(args, NULL, &text, err);
	}
	if (r < 0)
		return r;
	if (r > 0)
		return err_fail(err, ERR_USAGE, "ps: exit status %d", r);
	return filter(pids, buf_str(&text), out, err);
}
