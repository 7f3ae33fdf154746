/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --tmpfs, --volumes-from, and what --mount (parse_mount_words.c) shares with them. */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

#define VOLUME_NAME_MAX 254 /* it is a directory's, with one letter in front at times */

const char *const mount_kind_names[] = { "bind",  "tmpfs", "volume", "devpts",
					 "image", "ramfs", "glob",   NULL };

void mount_request_done(struct mount_request *m)
{
	free(m->source);
	free(m->target);
	free(m->mode);
	free(m->host_path);
	free(m->subpath);
	strv_free(m->options);
	json_map_done(&m->labels);
	json_map_done(&m->driver_opts);
	*m = (struct mount_request){ 0 };
}

int mount_set_target(struct mount_request *m, const char *target, const char *text, struct err *err)
{
	free(m->target);
	m->target = NULL;
	if (target[0] != '/')
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": the path in the container must be absolute: "
				"\"%s\"",
				text, target);
	m->target = path_clean(target);
	if (str_eq(m->target, "/"))
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": the destination can't be \"/\"", text);
	return 0;
}

static bool is_path(const char *source)
{
	return source[0] == '/' || str_starts(source, "./") || str_starts(source, "../") ||
	       str_eq(source, ".") || str_eq(source, "..");
}

int mount_set_source(struct mount_request *m, const char *source, const char *text, struct err *err)
{
	if (!source[0])
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": the source is empty", text);
	if (!is_path(source))
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "invalid mount \"%s\": \"%s\" is a relative path", text,
					 source),
				"write ./%s, or an absolute path", source);
	free(m->source);
	m->source = xstrdup(source);
	return 0;
}

int volume_name_check(const char *name, struct err *err)
{
	static const char first[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(name);

	if (len > VOLUME_NAME_MAX)
		return err_fail(err, ERR_USAGE, "a volume's name has at most %d letters",
				VOLUME_NAME_MAX);
	if (len && strchr(first, name[0]) && strspn(name, first) == len)
		return 0;
	if (len && strchr(first, name[0])) {
		const char *p = name;

		while (*p && (strchr(first, *p) || strchr("_.-", *p)))
			p++;
		if (!*p)
			return 0;
	}
	return err_hint(err,
			err_fail(err, ERR_USAGE,
				 "\"%s\" includes invalid characters for a local volume name, only "
				 "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed",
				 name),
			"for a directory of the host write ./%s, or an absolute path", name);
}

static const char *const propagations[] = { "shared",     "rshared",     "slave",
					    "rslave",     "private",     "rprivate",
					    "unbindable", "runbindable", NULL };

static bool in_list(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (str_eq(*list, word))
			return true;
	return false;
}

bool mount_is_propagation(const char *word)
{
	return in_list(propagations, word);
}

void mount_bind_options(struct mount_request *m, bool nonrecursive, const char *propagation)
{
	strv_add(&m->options, nonrecursive ? "bind" : "rbind");
	/* docker's read-only covers the mounts below as well, where the kernel can. */
	if (m->readonly)
		strv_add(&m->options, nonrecursive ? "ro" : "rro");
	strv_add(&m->options, propagation ? propagation : "rprivate");
}

/* ---- -v ---- */

/* Words of -v that are kept as they are, for the spec but for the last two. */
static const char *const passed[] = { "nosuid", "suid",  "nodev", "dev", "noexec",
				      "exec",   MOUNT_O, MOUNT_U, NULL };
/* Labels of SELinux (there is no policy for it here), and hints of other systems. */
static const char *const ignored[] = { "z", "Z", "rw", "cached", "delegated", "consistent", NULL };

static bool is_overlay_dir(const char *word)
{
	return str_starts(word, "upperdir=/") || str_starts(word, "workdir=/");
}

static int check_overlay(char *const *words, const char *text, struct err *err)
{
	size_t dirs = 0;

	for (size_t i = 0; words && words[i]; i++)
		dirs += is_overlay_dir(words[i]);
	if (!dirs || (dirs == 2 && strv_has(words, MOUNT_O)))
		return 0;
	return err_fail(err, ERR_USAGE,
			"invalid volume \"%s\": upperdir and workdir belong together, and to \"O\"",
			text);
}

static int volume_options(struct mount_request *m, const char *words, const char *text,
			  struct err *err)
{
	cleanup_strv char **list = words ? strv_split(words, ',') : NULL;
	cleanup_strv char **more = NULL;
	const char *propagation = NULL;
	bool nonrecursive = false;

	for (size_t i = 0; list && list[i]; i++) {
		const char *word = list[i];

		if (str_eq(word, "ro") || str_eq(word, "rw"))
			m->readonly = word[1] == 'o';
		else if (in_list(propagations, word))
			propagation = word;
		else if (str_eq(word, "nocopy") || str_eq(word, "copy"))
			m->nocopy = word[0] == 'n';
		else if (str_eq(word, "bind") || str_eq(word, "rbind"))
			nonrecursive = word[0] == 'b';
		else if (str_eq(word, "idmap"))
			m->idmap = true;
		else if (in_list(passed, word) || is_overlay_dir(word))
			strv_add(&more, word);
		else if (!in_list(ignored, word))
			return err_fail(err, ERR_USAGE,
					"invalid volume \"%s\": unknown option \"%s\"", text, word);
	}
	if (words)
		m->mode = xstrdup(words);
	mount_bind_options(m, nonrecursive, propagation);
	strv_extend(&m->options, more);
	return check_overlay(more, text, err);
}

static int volume_parts(struct mount_request *m, char *const *parts, const char *text,
			struct err *err)
{
	size_t n = strv_len(parts);
	int r;

	if (n > 3)
		return err_fail(err, ERR_USAGE,
				"invalid volume \"%s\": expected SOURCE:TARGET[:OPTIONS]", text);
	if (n == 1) {
		m->kind = MOUNT_VOLUME;
		r = mount_set_target(m, parts[0], text, err);
	} else if (parts[0][0] && !is_path(parts[0]) && !strchr(parts[0], '/')) {
		m->kind = MOUNT_VOLUME;
		m->source = xstrdup(parts[0]);
		r = volume_name_check(parts[0], err);
		if (r == 0)
			r = mount_set_target(m, parts[1], text, err);
	} else {
		r = mount_set_source(m, parts[0], text, err);
		if (r == 0)
			r = mount_set_target(m, parts[1], text, err);
	}
	return r < 0 ? r : volume_options(m, n == 3 ? parts[2] : NULL, text, err);
}

int volume_parse(const char *text, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_BIND, .make_source = true };
	cleanup_strv char **parts = strv_split(text, ':');
	int r = volume_parts(&m, parts, text, err);

	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}

/* ---- --volumes-from ---- */

int volumes_from_parse(const char *text, char **ret_container, bool *ret_readonly, struct err *err)
{
	const char *colon = strchr(text, ':');
	cleanup_strv char **list = colon ? strv_split(colon + 1, ',') : NULL;
	bool readonly = false;

	for (size_t i = 0; list && list[i]; i++) {
		if (str_eq(list[i], "ro"))
			readonly = true;
		else if (!str_eq(list[i], "rw") && !str_eq(list[i], "z"))
			return err_fail(err, ERR_USAGE,
					"invalid --volumes-from \"%s\": unknown option \"%s\"",
					text, list[i]);
	}
	if (!text[0] || colon == text)
		return err_fail(err, ERR_USAGE,
				"invalid --volumes-from \"%s\": expected CONTAINER[:ro]", text);
	*ret_container = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
	*ret_readonly = readonly;
	return 0;
}

/* ---- --tmpfs ---- */

static int tmpfs_options(struct mount_request *m, const char *words, const char *text,
			 struct err *err)
{
	static const char *const flags[] = {
		"ro",       "rw",         "nosuid",      "suid",          "nodev",
		"dev",      "noexec",     "exec",        "sync",          "async",
		"dirsync",  "noatime",    "atime",       "nodiratime",    "diratime",
		"relatime", "norelatime", "strictatime", "nostrictatime", "tmpcopyup",
		"noswap",   NULL
	};
	static const char *const keys[] = { "size",      "mode",      "uid",  "gid",
					    "nr_inodes", "nr_blocks", "mpol", NULL };
	cleanup_strv char **list = words && words[0] ? strv_split(words, ',') : NULL;
	size_t i;

	strv_add(&m->options, "nosuid");
	strv_add(&m->options, "nodev");
	strv_add(&m->options, "noexec");
	for (i = 0; list && list[i]; i++) {
		const char *eq = strchr(list[i], '=');
		cleanup_free char *key =
		    xstrndup(list[i], eq ? (size_t)(eq - list[i]) : strlen(list[i]));

		/* podman's */
		if (str_eq(list[i], "U") || str_eq(list[i], "chown") ||
		    str_eq(list[i], "notmpcopyup")) {
			m->chown = m->chown || list[i][0] != 'n';
			continue;
		}
		if (eq ? !in_list(keys, key) : !in_list(flags, key) && !in_list(propagations, key))
			return err_fail(err, ERR_USAGE,
					"invalid tmpfs \"%s\": unknown option \"%s\"", text,
					list[i]);
		strv_add(&m->options, list[i]);
		if (str_eq(list[i], "ro") || str_eq(list[i], "rw"))
			m->readonly = str_eq(list[i], "ro");
	}
	return 0;
}

int tmpfs_parse(const char *text, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_TMPFS };
	const char *colon = strchr(text, ':');
	cleanup_free char *target = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
	int r;

	r = mount_set_target(&m, target, text, err);
	if (r == 0)
		r = tmpfs_options(&m, colon ? colon + 1 : NULL, text, err);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}
