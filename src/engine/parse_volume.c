/* SPDX-License-Identifier: Apache-2.0 */
/* --opt of `volume create`, volume-opt of --mount: docker's local driver. */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

static int bind_opts(struct mount_request *m, const char *device, char *const *words,
		     struct err *err)
{
	/* What a mount has by itself, whatever is mounted: the rest is the filesystem's. */
	static const char *const passed[] = { "nosuid",      "suid",          "nodev",
					      "dev",         "noexec",        "exec",
					      "noatime",     "atime",         "nodiratime",
					      "diratime",    "relatime",      "norelatime",
					      "strictatime", "nostrictatime", "nosymfollow",
					      "symfollow",   "defaults" };
	cleanup_strv char **more = NULL;
	const char *propagation = NULL;
	bool nonrecursive = true;

	if (!device || device[0] != '/')
		return err_fail(err, ERR_USAGE,
				"missing device in volume options: expected device=/DIRECTORY");
	for (size_t i = 0; words && words[i]; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(passed) && !str_eq(passed[k], words[i]))
			k++;
		if (k < ARRAY_SIZE(passed))
			strv_add(&more, words[i]);
		else if (str_eq(words[i], "ro") || str_eq(words[i], "rw"))
			m->readonly = words[i][1] == 'o';
		else if (str_eq(words[i], "bind") || str_eq(words[i], "rbind"))
			nonrecursive = words[i][0] == 'b';
		else if (mount_is_propagation(words[i]))
			propagation = words[i];
		else
			return err_fail(err, ERR_UNSUPPORTED,
					"volume option o=%s is not implemented for a bind mount",
					words[i]);
	}
	m->kind = MOUNT_BIND;
	m->source = path_clean(device);
	mount_bind_options(m, nonrecursive, propagation);
	strv_extend(&m->options, more);
	return 0;
}

static int tmpfs_opts(struct mount_request *m, const char *words, struct err *err)
{
	cleanup_free char *text = xasprintf("/volume%s%s", words ? ":" : "", words ? words : "");

	return tmpfs_parse(text, m, err);
}

int volume_opts_parse(const struct json_map *opts, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_VOLUME };
	const char *type = json_map_get(opts, "type"), *device = json_map_get(opts, "device");
	const char *o = json_map_get(opts, "o");
	cleanup_strv char **words = o && o[0] ? strv_split(o, ',') : NULL;
	bool bind = strv_has(words, "bind") || strv_has(words, "rbind") || str_eq(type, "bind");
	int r = 0;

	for (size_t i = 0; i < opts->n; i++)
		if (!str_eq(opts->items[i].key, "type") && !str_eq(opts->items[i].key, "device") &&
		    !str_eq(opts->items[i].key, "o"))
			return err_fail(err, ERR_USAGE, "invalid option: \"%s\"",
					opts->items[i].key);
	if (opts->n && !type && !device)
		return err_fail(err, ERR_USAGE, "missing required option: \"type\"");
	if (bind)
		r = bind_opts(&m, device, words, err);
	else if (str_eq(type, "tmpfs"))
		r = tmpfs_opts(&m, o, err);
	else if (opts->n)
		r = err_hint(err,
			     err_fail(err, ERR_UNSUPPORTED,
				      "volumes of type \"%s\" are not implemented: nothing is "
				      "mounted on the host",
				      type ? type : ""),
			     "mount it yourself, and use type=none,o=bind,device=/DIRECTORY");
	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}
