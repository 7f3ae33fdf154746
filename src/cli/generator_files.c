/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/generator.h"

#define DEPTH_MAX 8

struct loader {
	struct units *set;
	struct generator_log *log;
	char **dirs;   /* those looked into, for drop-ins */
	char **masked; /* names that /dev/null stands for */
};

static void complain(struct loader *l, const struct err *err)
{
	l->log->say(l->log->ctx, err);
	l->log->n++;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in it, sorted. One that is not there is empty. */
static void list(const char *dir, char ***names)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			strv_add(names, e->d_name);
	if (d)
		closedir(d);
	if (*names)
		qsort(*names, strv_len(*names), sizeof(**names), by_name);
}

static int read_into(struct unit_file *file, const char *path, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, path, &text, UNIT_BYTES_MAX, err);

	return r < 0 ? r : unit_file_parse(file, buf_str(&text), text.len, path, err);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* --- drop-ins --- */

static bool has_name(char *const *paths, const char *name)
{
	for (size_t i = 0; paths && paths[i]; i++)
		if (str_eq(strrchr(paths[i], '/') + 1, name))
			return true;
	return false;
}

static int by_last(const void *a, const void *b)
{
	return strcmp(strrchr(*(char *const *)a, '/'), strrchr(*(char *const *)b, '/'));
}

/* Of files of one name that in the most particular directory counts. */
static void find_dropins(const struct loader *l, const char *name, char ***paths)
{
	cleanup_strv char **places = NULL;

	units_dropin_dirs(name, &places);
	for (size_t i = strv_len(places); i-- > 0;) {
		for (size_t k = 0; l->dirs && l->dirs[k]; k++) {
			cleanup_free char *dir = path_join(l->dirs[k], places[i]);
			cleanup_strv char **names = NULL;

			list(dir, &names);
			for (size_t n = 0; names && names[n]; n++)
				if (str_ends(names[n], ".conf") && !has_name(*paths, names[n]))
					strv_take(paths, path_join(dir, names[n]));
		}
	}
	if (*paths)
		qsort(*paths, strv_len(*paths), sizeof(**paths), by_last);
}

static void add_dropins(struct loader *l, struct units_unit *u)
{
	cleanup_strv char **paths = NULL;

	find_dropins(l, u->name, &paths);
	for (size_t i = 0; paths && paths[i]; i++) {
		struct err err = ERR_INIT;

		if (is_file(paths[i]) && read_into(&u->file, paths[i], &err) < 0)
			complain(l, &err);
	}
}

/* --- files --- */

static void take(struct loader *l, const char *name, const char *path, const struct stat *st)
{
	cleanup_unit_file struct unit_file file = { 0 };
	struct err err = ERR_INIT;

	if (units_find(l->set, name) || strv_has(l->masked, name))
		return;
	if (S_ISCHR(st->st_mode) || st->st_size == 0) { /* as systemd has it */
		strv_add(&l->masked, name);
		return;
	}
	if (l->set->n >= UNITS_MAX) {
		err_fail(&err, ERR_LIMIT, "%s: more than %d files", path, UNITS_MAX);
		complain(l, &err);
	} else if (read_into(&file, path, &err) < 0) {
		/* One that comes later in the search must not stand in for it. */
		strv_add(&l->masked, name);
		complain(l, &err);
	} else {
		units_add(l->set, name, path, &file);
	}
}

static void look(struct loader *l, const char *dir, int depth)
{
	cleanup_strv char **names = NULL;

	if (strv_has(l->dirs, dir))
		return;
	strv_add(&l->dirs, dir);
	list(dir, &names);
	for (size_t i = 0; names && names[i]; i++) {
		cleanup_free char *path = path_join(dir, names[i]);
		struct stat st;

		if (stat(path, &st) < 0)
			continue;
		if (!S_ISDIR(st.st_mode)) {
			if (units_kind_of(names[i]) && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
				take(l, names[i], path, &st);
			continue;
		}
		/* Drop-ins; users' files; other users' files. */
		if (str_ends(names[i], ".d") || str_ends(path, "/systemd/users") ||
		    (str_ends(dir, "/systemd/users") &&
		     strspn(names[i], "0123456789") == strlen(names[i])) ||
		    depth >= DEPTH_MAX)
			continue;
		look(l, path, depth + 1);
	}
}

void generator_load(struct units *set, char *const *dirs, struct generator_log *log)
{
	struct loader l = { .set = set, .log = log };

	for (size_t i = 0; dirs && dirs[i]; i++)
		look(&l, dirs[i], 0);
	for (size_t i = 0; i < set->n; i++)
		add_dropins(&l, &set->items[i]);
	strv_free(l.dirs);
	strv_free(l.masked);
}
