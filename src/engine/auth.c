/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/auth.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/credhelper.h"

/* ---- paths ---- */

static const char *env_dir(const char *name)
{
	const char *v = getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

/* The file that --authfile or the environment names, or NULL. */
static const char *path_named(const char *authfile)
{
	const char *env = getenv("REGISTRY_AUTH_FILE");

	if (authfile)
		return authfile;
	return env && *env ? env : NULL;
}

static char *path_run(void)
{
	const char *dir = env_dir("XDG_RUNTIME_DIR");

	if (dir)
		return path_join(dir, "containers/auth.json");
	return xasprintf("/run/containers/%u/auth.json", (unsigned int)geteuid());
}

static char *path_write(const char *authfile)
{
	const char *named = path_named(authfile);

	return named ? xstrdup(named) : path_run();
}

static char **paths_read(const char *authfile)
{
	const char *named = path_named(authfile), *home = env_dir("HOME"), *dir;
	char **paths = NULL;

	if (named) {
		strv_add(&paths, named);
		return paths;
	}
	strv_take(&paths, path_run());
	dir = env_dir("XDG_CONFIG_HOME");
	if (dir)
		strv_take(&paths, path_join(dir, "containers/auth.json"));
	else if (home)
		strv_take(&paths, path_join(home, ".config/containers/auth.json"));
	dir = env_dir("DOCKER_CONFIG");
	if (dir)
		strv_take(&paths, path_join(dir, "config.json"));
	else if (home)
		strv_take(&paths, path_join(home, ".docker/config.json"));
	return paths;
}

/* ---- files ---- */

/* What is not there or holds nothing is an empty file. */
static int file_read(int dir_fd, const char *name, const char *shown, struct auth_file *ret,
		     struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	*ret = (struct auth_file){ 0 };
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return err_errno(err, errno, "opening %s", shown);
	r = io_read_all(fd, &text, AUTH_FILE_MAX);
	if (r == -EFBIG)
		return err_fail(err, ERR_LIMIT, "%s: larger than %u bytes", shown, AUTH_FILE_MAX);
	if (r < 0)
		return err_errno(err, -r, "reading %s", shown);
	if (strspn(buf_str(&text), " \t\r\n") == text.len)
		return 0;
	r = auth_file_parse(text.data, text.len, shown, ret, err);
	explicit_bzero(text.data, text.len);
	return r;
}

/* 1, 0, or -errno. A helper that isn't installed has nothing. */
static int ask_helper(const char *helper, const char *host, const char *path,
		      struct registry_auth *ret, struct err *err)
{
	int r = credhelper_get(helper, auth_server_name(host), ret, err);

	if (r == 0 && !str_eq(host, auth_server_name(host)))
		r = credhelper_get(helper, host, ret, err);
	if (r == -ENOENT) {
		log_warn("%s names the credential helper %s, which is not installed", path, helper);
		return 0;
	}
	return r;
}

static int find_in(const struct auth_file *file, const char *path, const char *name,
		   struct registry_auth *ret, struct err *err)
{
	cleanup_free char *host = xstrndup(name, strcspn(name, "/"));
	const char *helper = auth_file_helper(file, host);
	int r = 0;

	if (helper)
		r = ask_helper(helper, host, path, ret, err);
	if (r == 0)
		r = auth_file_find(file, name, path, ret, err);
	if (r == 0 && !helper && file->store && *file->store)
		r = ask_helper(file->store, host, path, ret, err);
	return r;
}

int auth_find(const char *authfile, const char *name, struct registry_auth *ret, char **ret_where,
	      struct err *err)
{
	cleanup_strv char **paths = paths_read(authfile);

	for (size_t i = 0; paths[i]; i++) {
		cleanup_auth_file struct auth_file file = { 0 };
		int r = file_read(AT_FDCWD, paths[i], paths[i], &file, err);

		if (r == 0)
			r = find_in(&file, paths[i], name, ret, err);
		if (r < 0)
			return err_wrap(err, r, "finding credentials for %s", name);
		if (r > 0) {
			if (ret_where)
				*ret_where = xstrdup(paths[i]);
			return 1;
		}
	}
	return 0;
}

/* ---- changing ---- */

/* The file that login and logout change, its directory locked against others who do. */
struct change {
	char *path;
	const char *name; /* in the directory */
	int dir_fd;
	struct auth_file file;
};

static void change_done(struct change *c)
{
	auth_file_done(&c->file);
	fd_close(c->dir_fd);
	free(c->path);
}
#define cleanup_change CLEANUP(change_done)

static int change_begin(const char *authfile, bool make, struct change *c, struct err *err)
{
	cleanup_free char *dir = NULL;
	char *slash;
	int r;

	*c = (struct change){ .path = path_write(authfile), .dir_fd = -EBADF };
	slash = strrchr(c->path, '/');
	c->name = slash ? slash + 1 : c->path;
	dir = slash ? xstrndup(c->path, slash == c->path ? 1 : (size_t)(slash - c->path))
		    : xstrdup(".");
	if (make) {
		cleanup_fd int made = path_mkdirs(dir, 0700, err);
		if (made < 0)
			return err_hint(err, made,
					"set XDG_RUNTIME_DIR, or give --authfile or "
					"REGISTRY_AUTH_FILE another place");
	}
	c->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0 && errno == ENOENT && !make)
		return 0;
	if (c->dir_fd < 0)
		return err_errno(err, errno, "opening directory %s", dir);
	if (NO_EINTR(flock(c->dir_fd, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking directory %s", dir);
	r = file_read(c->dir_fd, c->name, c->path, &c->file, err);
	return r;
}

static int change_write(const struct change *c, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	auth_file_write(&c->file, &text);
	r = io_replace_file(c->dir_fd, c->name, text.data, text.len, 0600, true, err);
	explicit_bzero(text.data, text.len);
	return r < 0 ? err_wrap(err, r, "writing %s", c->path) : 0;
}

int auth_store(const char *authfile, const char *name, const struct registry_auth *auth,
	       bool docker, char **ret_path, struct err *err)
{
	cleanup_free char *host = xstrndup(name, strcspn(name, "/"));
	cleanup_change struct change c;
	const char *helper;
	int r;

	if (docker && strchr(name, '/'))
		return err_fail(err, ERR_USAGE,
				"credentials for a path can't be kept in docker's format: give the "
				"registry alone, or --authfile");
	r = change_begin(authfile, true, &c, err);
	if (r < 0)
		return r;
	helper = auth_file_helper(&c.file, host);
	if (!helper && c.file.store && *c.file.store)
		helper = c.file.store;
	if (helper) {
		r = credhelper_store(helper, auth_server_name(host), auth, err);
	} else {
		auth_file_set(&c.file, docker ? auth_server_name(name) : name, auth);
		r = change_write(&c, err);
	}
	if (r == 0 && ret_path)
		*ret_path = xstrdup(c.path);
	return r;
}

/* 1: it had some. */
static int erase_helped(const struct change *c, const char *name, struct err *err)
{
	cleanup_free char *host = xstrndup(name, strcspn(name, "/"));
	struct registry_auth had = { 0 };
	const char *helper = auth_file_helper(&c->file, host);
	int r;

	if (!helper)
		helper = c->file.store;
	if (!helper || !*helper)
		return 0;
	r = credhelper_get(helper, auth_server_name(host), &had, err);
	registry_auth_done(&had);
	if (r <= 0)
		return r;
	r = credhelper_erase(helper, auth_server_name(host), err);
	return r < 0 ? r : 1;
}

int auth_remove(const char *authfile, const char *name, struct err *err)
{
	cleanup_change struct change c;
	int erased, r;

	r = change_begin(authfile, false, &c, err);
	if (r < 0 || c.dir_fd < 0)
		return r;
	erased = erase_helped(&c, name, err);
	if (erased < 0)
		return erased;
	if (!auth_file_remove(&c.file, name))
		return erased;
	r = change_write(&c, err);
	return r < 0 ? r : 1;
}

int auth_remove_all(const char *authfile, struct err *err)
{
	cleanup_change struct change c;
	int n, r;

	r = change_begin(authfile, false, &c, err);
	if (r < 0 || c.dir_fd < 0)
		return r;
	n = (int)c.file.auths.n;
	for (size_t i = 0; i < c.file.helpers.n; i++) {
		r = erase_helped(&c, c.file.helpers.items[i].key, err);
		if (r < 0)
			return r;
		n += r;
	}
	json_map_done(&c.file.auths);
	if (n == 0)
		return 0;
	r = change_write(&c, err);
	return r < 0 ? r : n;
}
