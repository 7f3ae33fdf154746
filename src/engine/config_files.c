/* SPDX-License-Identifier: Apache-2.0 */
/* Where settings are read from. */
#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "engine/engine.h"

#define SYSTEM_DIR  "/etc/inro"
#define FILE_NAME   "inro.conf"
#define DROP_IN_DIR "inro.conf.d"
#define FILES_MAX   1000

static int read_file(struct config *config, int dir_fd, const char *name, const char *shown,
		     bool required, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0 && errno == ENOENT && !required)
		return 0;
	if (fd < 0)
		return err_errno(err, errno, "reading settings: opening %s", shown);
	r = io_read_all(fd, &text, INI_BYTES_MAX);
	if (r == -EFBIG)
		return err_fail(err, ERR_LIMIT, "%s: larger than %u bytes", shown, INI_BYTES_MAX);
	if (r < 0)
		return err_errno(err, -r, "reading settings: reading %s", shown);
	return config_add(config, buf_str(&text), text.len, shown, err);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names that end in ".conf", sorted. Returns the directory's fd, -ENOENT, or another -errno. */
static int list_drop_ins(const char *path, char ***ret, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *dir;
	int copy;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	copy = fd < 0 ? -1 : fd_dup(fd, 3);
	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		int r = err_errno(err, errno, "reading settings: opening %s", path);
		fd_close(copy);
		return r;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && str_ends(entry->d_name, ".conf"))
			strv_add(ret, entry->d_name);
	}
	closedir(dir);
	if (*ret)
		qsort(*ret, strv_len(*ret), sizeof(**ret), compare_names);
	return take_fd(fd);
}

static int read_dir(struct config *config, const char *dir, struct err *err)
{
	cleanup_free char *file = path_join(dir, FILE_NAME);
	cleanup_free char *drop_in_dir = path_join(dir, DROP_IN_DIR);
	cleanup_strv char **names = NULL;
	cleanup_fd int fd = -EBADF;
	int r;

	r = read_file(config, AT_FDCWD, file, file, false, err);
	if (r < 0)
		return r;
	fd = list_drop_ins(drop_in_dir, &names, err);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	if (strv_len(names) > FILES_MAX)
		return err_fail(err, ERR_LIMIT, "%s: more than %d files", drop_in_dir, FILES_MAX);
	for (size_t i = 0; names && names[i]; i++) {
		cleanup_free char *shown = path_join(drop_in_dir, names[i]);

		r = read_file(config, fd, names[i], shown, true, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static char *user_dir(void)
{
	const char *dir = getenv("XDG_CONFIG_HOME");

	if (dir && dir[0] == '/')
		return path_join(dir, "inro");
	dir = getenv("HOME");
	return dir && dir[0] == '/' ? path_join(dir, ".config/inro") : NULL;
}

static int read_all(const struct engine *eng, struct config *config, struct err *err)
{
	const char *only = eng->config_file ? eng->config_file : getenv("INRO_CONFIG");
	cleanup_free char *user = eng->rootless ? user_dir() : NULL;
	int r;

	if (only)
		return *only ? read_file(config, AT_FDCWD, only, only, true, err) : 0;
	r = read_dir(config, SYSTEM_DIR, err);
	if (r == 0 && user)
		r = read_dir(config, user, err);
	return r;
}

int config_get(struct engine *eng, const struct config **ret, struct err *err)
{
	struct config *config;
	int r;

	if (!eng->config) {
		config = xcalloc(1, sizeof(*config));
		r = read_all(eng, config, err);
		if (r < 0) {
			config_free(config);
			return r;
		}
		config_finish(config);
		eng->config = config;
	}
	*ret = eng->config;
	return 0;
}

int config_set_retries(struct engine *eng, int64_t retries, struct err *err)
{
	const struct config *config;

	if (retries < 0 || retries > CONFIG_RETRIES_MAX)
		return err_fail(err, ERR_USAGE, "expected 0 to %d tries, got %lld",
				CONFIG_RETRIES_MAX, (long long)retries);
	int r = config_get(eng, &config, err);
	if (r == 0)
		eng->config->transfer.retries = retries;
	return r;
}

int config_set_retry_delay(struct engine *eng, int64_t ms, struct err *err)
{
	const struct config *config;

	if (ms < 0 || ms > CONFIG_RETRY_DELAY_MAX_MS)
		return err_fail(err, ERR_USAGE,
				"expected a pause of at most an hour between tries");
	int r = config_get(eng, &config, err);
	if (r == 0)
		eng->config->transfer.retry_delay_ms = ms;
	return r;
}
