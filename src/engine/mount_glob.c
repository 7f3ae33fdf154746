/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --mount type=glob, which is podman's: its patterns are matched name by name, also of names that
 * begin with a dot, and each match is a bind mount.
 */
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

#define MATCHES_MAX 1000 /* mounts of one container */

struct glob {
	char **here, **next; /* what matches the parts of the pattern so far, and one more */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(struct glob *g, const char *dir, const char *name, struct err *err)
{
	if (strv_len(g->next) >= MATCHES_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d files match", MATCHES_MAX);
	strv_take(&g->next, name ? path_join(dir, name) : xstrdup(dir));
	return 0;
}

/* What can't be read has no matches, as in a shell. */
static int list_dir(struct glob *g, const char *dir, const char *pattern, struct err *err)
{
	size_t from = strv_len(g->next), to;
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	while (d && r == 0 && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    fnmatch(pattern, e->d_name, 0) == 0)
			r = add(g, dir, e->d_name, err);
	if (d)
		closedir(d);
	to = strv_len(g->next);
	if (to > from)
		qsort(g->next + from, to - from, sizeof(*g->next), by_name);
	return r;
}

/* Where ".." leads to behind a link, which its name does not say. */
static int add_parent(struct glob *g, const char *dir, struct err *err)
{
	char link[FD_PATH_MAX], place[PATH_MAX];
	cleanup_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : readlink(fd_proc_path(fd, link), place, sizeof(place) - 1);

	if (n < 0)
		return err_errno(err, errno, "finding out where %s is", dir);
	while (n > 1 && place[n - 1] != '/')
		n--;
	place[n > 1 ? n - 1 : n] = '\0';
	return n ? add(g, place, NULL, err) : 0;
}

static int step(struct glob *g, const char *part, struct err *err)
{
	bool plain = !strpbrk(part, "*?[\\");
	int r = 0;

	for (size_t i = 0; r == 0 && g->here && g->here[i]; i++) {
		const char *dir = g->here[i];
		cleanup_free char *path = path_join(dir, part);
		struct stat st;

		if (str_eq(part, ".."))
			r = add_parent(g, dir, err);
		else if (!plain)
			r = list_dir(g, dir, part, err);
		else if (lstat(path, &st) == 0)
			r = add(g, dir, part, err);
	}
	strv_free(g->here);
	g->here = take_ptr(g->next);
	return r;
}

static char *target_of(const struct mount_request *m, const char *path)
{
	return m->target ? path_join(m->target, strrchr(path, '/') + 1) : path_clean(path);
}

static void become_bind(const struct mount_request *m, const char *path, struct mount_request *ret)
{
	*ret = (struct mount_request){
		.kind = MOUNT_BIND,
		.source = path_clean(path),
		.options = strv_copy(m->options),
		.readonly = m->readonly,
		.idmap = m->idmap,
	};
	ret->target = target_of(m, path);
}

static int check_targets(const struct mount_request *m, char *const *paths, struct err *err)
{
	for (; paths && *paths; paths++) {
		cleanup_free char *target = target_of(m, *paths);
		cleanup_free char *clean = path_clean(target);

		if (str_eq(clean, "/"))
			return err_fail(err, ERR_USAGE, "the destination can't be \"/\"");
	}
	return 0;
}

int mount_glob(const struct mount_request *m, struct mount_request **ret, size_t *ret_n,
	       struct err *err)
{
	cleanup_free char *cwd = m->source[0] == '/' ? xstrdup("/") : getcwd(NULL, 0);
	cleanup_strv char **parts = strv_split(m->source, '/');
	struct glob g = { 0 };
	size_t n;
	int r = 0;

	if (!cwd)
		return err_errno(err, errno, "finding the current directory");
	strv_add(&g.here, cwd);
	for (size_t i = 0; r == 0 && parts[i]; i++)
		if (parts[i][0] && !str_eq(parts[i], "."))
			r = step(&g, parts[i], err);
	n = strv_len(g.here);
	if (r == 0 && !n)
		r = err_fail(err, ERR_INVALID, "no file paths matching glob \"%s\"", m->source);
	if (r == 0)
		r = check_targets(m, g.here, err);
	if (r == 0) {
		*ret = xcalloc(n, sizeof(**ret));
		for (size_t i = 0; i < n; i++)
			become_bind(m, g.here[i], &(*ret)[i]);
		*ret_n = n;
	}
	strv_free(g.here);
	return r < 0 ? err_wrap(err, r, "mount of %s", m->source) : 0;
}
