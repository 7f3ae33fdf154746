/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/cni.h"
#include "net/cni_internal.h"
#include "net/netspec.h"

#define FILES_MAX   1024
#define PLUGINS_MAX 64

/* From old to new. */
static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0", "1.1.0" };

static const struct json_field plugin_fields[] = {
	JSON_FIELD(struct cni_plugin, members, NULL, JSON_RAW_MAP),
};
const struct json_desc cni_plugin_desc = JSON_DESC(struct cni_plugin, plugin_fields);

static const struct json_field head_fields[] = {
	JSON_FIELD(struct cni_plugin_head, type, "type", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct cni_plugin_head, version, "cniVersion", JSON_STR),
	JSON_FIELD(struct cni_plugin_head, name, "name", JSON_STR),
	JSON_FIELD(struct cni_plugin_head, capabilities, "capabilities", JSON_RAW_MAP),
};
static const struct json_desc head_desc = JSON_DESC(struct cni_plugin_head, head_fields);

static const struct json_field list_fields[] = {
	JSON_FIELD(struct cni_list, version, "cniVersion", JSON_STR),
	JSON_FIELD(struct cni_list, versions, "cniVersions", JSON_STRV),
	JSON_FIELD(struct cni_list, name, "name", JSON_STR),
	JSON_FIELD(struct cni_list, disable_check, "disableCheck", JSON_BOOL),
	JSON_FIELD(struct cni_list, plugins, "plugins", JSON_ARRAY, .desc = &cni_plugin_desc),
};
const struct json_desc cni_list_desc = JSON_DESC(struct cni_list, list_fields);

void cni_list_done(struct cni_list *list)
{
	json_free(&cni_list_desc, list);
}

void cni_plugin_head_done(struct cni_plugin_head *head)
{
	json_free(&head_desc, head);
}

int cni_plugin_head(const struct cni_plugin *plugin, struct cni_plugin_head *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	*ret = (struct cni_plugin_head){ 0 };
	json_write(&cni_plugin_desc, plugin, 0, &text);
	return json_parse(&head_desc, ret, buf_str(&text), text.len, "plugin", err);
}

static bool is_version(const char *version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (str_eq(version, versions[i]))
			return true;
	return false;
}

/* The newest that both have (1.1.0: cniVersions, of which cniVersion may be one more). */
static void choose_version(struct cni_list *list)
{
	for (size_t i = ARRAY_SIZE(versions); i-- > 0;)
		if (str_eq(list->version, versions[i]) || strv_has(list->versions, versions[i])) {
			free(list->version);
			list->version = xstrdup(versions[i]);
			break;
		}
	strv_free(take_ptr(list->versions));
}

static int check_list(const struct cni_list *list, const char *what, struct err *err)
{
	if (!list->name || !netspec_is_name(list->name))
		return err_fail(err, ERR_INVALID, "%s: name: expected letters, digits, \"_.-\"",
				what);
	if (!is_version(list->version))
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED, "%s: cniVersion %s is not supported",
					 what, list->version ? list->version : "(none)"),
				"0.3.1, 0.4.0, 1.0.0 and 1.1.0 are");
	if (list->plugins.n == 0 || list->plugins.n > PLUGINS_MAX)
		return err_fail(err, ERR_INVALID, "%s: expected 1 to %u plugins", what,
				PLUGINS_MAX);
	for (size_t i = 0; i < list->plugins.n; i++) {
		CLEANUP(cni_plugin_head_done) struct cni_plugin_head head = { 0 };
		int r = cni_plugin_head(&list->plugins.items[i], &head, err);

		if (r < 0)
			return err_wrap(err, r, "%s: plugins[%zu]", what, i);
		/* it becomes the name of a program in one of a few directories */
		if (!netspec_is_name(head.type))
			return err_fail(err, ERR_INVALID, "%s: plugins[%zu]: invalid type \"%s\"",
					what, i, head.type);
	}
	return 0;
}

/* One plugin, which has the name and the version that a list has. */
static int parse_single(const char *text, size_t len, const char *what, struct cni_list *list,
			struct err *err)
{
	CLEANUP(cni_plugin_head_done) struct cni_plugin_head head = { 0 };
	struct cni_plugin *plugin = xcalloc(1, sizeof(*plugin));
	int r;

	list->plugins.items = plugin;
	list->plugins.n = 1;
	r = json_parse(&cni_plugin_desc, plugin, text, len, what, err);
	if (r < 0)
		return r;
	r = cni_plugin_head(plugin, &head, err);
	if (r < 0)
		return err_wrap(err, r, "%s", what);
	list->name = take_ptr(head.name);
	list->version = take_ptr(head.version);
	return 0;
}

int cni_list_parse(const char *text, size_t len, bool single, const char *what,
		   struct cni_list *ret, struct err *err)
{
	cleanup_cni_list struct cni_list list = { 0 };
	int r = single ? parse_single(text, len, what, &list, err)
		       : json_parse(&cni_list_desc, &list, text, len, what, err);

	if (r == 0) {
		choose_version(&list);
		r = check_list(&list, what, err);
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct cni_list){ 0 };
	return 0;
}

bool cni_list_takes(const struct cni_list *list, const char *capability)
{
	for (size_t i = 0; i < list->plugins.n; i++) {
		CLEANUP(cni_plugin_head_done) struct cni_plugin_head head = { 0 };

		if (cni_plugin_head(&list->plugins.items[i], &head, NULL) == 0 &&
		    str_eq(json_map_get(&head.capabilities, capability), "true"))
			return true;
	}
	return false;
}

/* ---- the directory ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_list(const char *name)
{
	return str_ends(name, ".conflist");
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static char **files_of(DIR *dir)
{
	struct dirent *entry;
	char **names = NULL;
	size_t n = 0;

	while (n < FILES_MAX && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] == '.' ||
		    !(is_list(name) || str_ends(name, ".conf") || str_ends(name, ".json")))
			continue;
		strv_add(&names, name);
		n++;
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	return names;
}

static int read_list(const char *dir, int dirfd, const char *name, struct cni_list *ret,
		     struct err *err)
{
	cleanup_free char *path = path_join(dir, name);
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(dirfd, name, &text, CNI_BYTES_MAX, err);

	if (r < 0)
		return err_wrap(err, r, "%s", path);
	return cni_list_parse(buf_str(&text), text.len, !is_list(name), path, ret, err);
}

int cni_list_find(const char *path, const char *name, struct cni_list *ret, struct err *err)
{
	CLEANUP(dir_cleanup) DIR *dir = opendir(path);
	cleanup_strv char **files = dir ? files_of(dir) : NULL;
	struct err bad = ERR_INIT;
	int r = 0;

	if (!dir && errno != ENOENT)
		return err_errno(err, errno, "reading %s", path);
	for (char **file = files; file && *file; file++) {
		struct cni_list list = { 0 };
		struct err e = ERR_INIT;
		int one = read_list(path, dirfd(dir), *file, &list, &e);

		if (one == 0 && str_eq(list.name, name)) {
			*ret = list;
			return 0;
		}
		if (one == 0)
			cni_list_done(&list);
		else if (r == 0) {
			bad = e;
			r = one;
		}
	}
	if (r < 0 && err)
		*err = bad;
	if (r < 0)
		return err_wrap(err, r, "no CNI network %s was found in %s, and one file is wrong",
				name, path);
	return err_hint(err, err_fail(err, ERR_NOT_FOUND, "no such CNI network: %s", name),
			"its list of plugins belongs into %s", path);
}
