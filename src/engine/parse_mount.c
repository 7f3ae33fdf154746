/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

void mount_request_done(struct mount_request *m)
{
	free(m->source);
	free(m->target);
	strv_free(m->options);
	*m = (struct mount_request){ 0 };
}

static int set_target(struct mount_request *m, const char *target, const char *text,
		      struct err *err)
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

static int set_source(struct mount_request *m, const char *source, const char *text,
		      struct err *err)
{
	if (!source[0])
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": the source is empty", text);
	if (source[0] != '/' && !str_starts(source, "./") && !str_starts(source, "../") &&
	    !str_eq(source, ".") && !str_eq(source, "..")) {
		if (strchr(source, '/'))
			return err_hint(err,
					err_fail(err, ERR_USAGE,
						 "invalid mount \"%s\": \"%s\" is a relative path",
						 text, source),
					"write ./%s, or an absolute path", source);
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "invalid mount \"%s\": named volumes (\"%s\") are not "
					 "implemented yet",
					 text, source),
				"for a directory of the host write ./%s, or an absolute path",
				source);
	}
	free(m->source);
	m->source = xstrdup(source);
	return 0;
}

static const char *const propagations[] = { "shared",     "rshared",     "slave",
					    "rslave",     "private",     "rprivate",
					    "unbindable", "runbindable", NULL };

struct bind_flags {
	bool readonly, nonrecursive;
	const char *propagation;
};

static void bind_options(struct mount_request *m, const struct bind_flags *f)
{
	strv_add(&m->options, f->nonrecursive ? "bind" : "rbind");
	/* docker's read-only covers the mounts below as well, where the kernel can. */
	if (f->readonly)
		strv_add(&m->options, f->nonrecursive ? "ro" : "rro");
	strv_add(&m->options, f->propagation ? f->propagation : "rprivate");
}

static bool in_list(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (str_eq(*list, word))
			return true;
	return false;
}

static int volume_options(struct mount_request *m, const char *words, const char *text,
			  struct err *err)
{
	cleanup_strv char **list = words ? strv_split(words, ',') : NULL;
	static const char *const ignored[] = { "z",         "Z",          "rw",     "cached",
					       "delegated", "consistent", "nocopy", NULL };
	struct bind_flags f = { 0 };
	size_t i;

	for (i = 0; list && list[i]; i++) {
		if (str_eq(list[i], "ro"))
			f.readonly = true;
		else if (in_list(propagations, list[i]))
			f.propagation = list[i];
		else if (!in_list(ignored, list[i]))
			return err_fail(err, ERR_USAGE,
					"invalid volume \"%s\": unknown option \"%s\"", text,
					list[i]);
	}
	bind_options(m, &f);
	return 0;
}

int volume_parse(const char *text, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_BIND, .make_source = true };
	cleanup_strv char **parts = strv_split(text, ':');
	size_t n = strv_len(parts);
	int r;

	if (n == 1)
		return err_fail(err, ERR_UNSUPPORTED,
				"invalid volume \"%s\": anonymous volumes are not implemented yet",
				text);
	if (n > 3)
		return err_fail(err, ERR_USAGE,
				"invalid volume \"%s\": expected SOURCE:TARGET[:OPTIONS]", text);
	r = set_source(&m, parts[0], text, err);
	if (r == 0)
		r = set_target(&m, parts[1], text, err);
	if (r == 0)
		r = volume_options(&m, n == 3 ? parts[2] : NULL, text, err);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}

static int tmpfs_options(struct mount_request *m, const char *words, const char *text,
			 struct err *err)
{
	static const char *const flags[] = {
		"ro",       "rw",         "nosuid",      "suid",          "nodev",
		"dev",      "noexec",     "exec",        "sync",          "async",
		"dirsync",  "noatime",    "atime",       "nodiratime",    "diratime",
		"relatime", "norelatime", "strictatime", "nostrictatime", NULL
	};
	static const char *const keys[] = { "size",      "mode",      "uid", "gid",
					    "nr_inodes", "nr_blocks", NULL };
	cleanup_strv char **list = words && words[0] ? strv_split(words, ',') : NULL;
	size_t i;

	strv_add(&m->options, "nosuid");
	strv_add(&m->options, "nodev");
	strv_add(&m->options, "noexec");
	for (i = 0; list && list[i]; i++) {
		const char *eq = strchr(list[i], '=');
		cleanup_free char *key =
		    xstrndup(list[i], eq ? (size_t)(eq - list[i]) : strlen(list[i]));

		if (eq ? !in_list(keys, key) : !in_list(flags, key) && !in_list(propagations, key))
			return err_fail(err, ERR_USAGE,
					"invalid tmpfs \"%s\": unknown option \"%s\"", text,
					list[i]);
		strv_add(&m->options, list[i]);
	}
	return 0;
}

int tmpfs_parse(const char *text, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_TMPFS };
	const char *colon = strchr(text, ':');
	cleanup_free char *target = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
	int r;

	r = set_target(&m, target, text, err);
	if (r == 0)
		r = tmpfs_options(&m, colon ? colon + 1 : NULL, text, err);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}

/* --mount before its kind is known. */
struct mount_words {
	char *type, *source, *target;
	struct bind_flags bind;
	char *tmpfs_size, *tmpfs_mode;
};

static int mount_flag(const char *value, bool *ret, const char *text, struct err *err)
{
	if (!value) {
		*ret = true;
		return 0;
	}
	if (str_parse_bool(value, ret) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": \"%s\" is neither true nor false", text,
				value);
	return 0;
}

static int mount_word(struct mount_words *w, char *word, const char *text, struct err *err)
{
	char *value = strchr(word, '=');
	const struct {
		const char *name;
		char **dst;
	} strings[] = {
		{ "type", &w->type },
		{ "source", &w->source },
		{ "src", &w->source },
		{ "target", &w->target },
		{ "dst", &w->target },
		{ "destination", &w->target },
		{ "tmpfs-size", &w->tmpfs_size },
		{ "tmpfs-mode", &w->tmpfs_mode },
	};
	size_t i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		if (!str_eq(word, strings[i].name))
			continue;
		if (!value || !value[0])
			return err_fail(err, ERR_USAGE, "invalid mount \"%s\": %s needs a value",
					text, word);
		*strings[i].dst = value;
		return 0;
	}
	if (str_eq(word, "readonly") || str_eq(word, "ro"))
		return mount_flag(value, &w->bind.readonly, text, err);
	if (str_eq(word, "bind-nonrecursive"))
		return mount_flag(value, &w->bind.nonrecursive, text, err);
	if (str_eq(word, "bind-propagation") && value && in_list(propagations, value)) {
		w->bind.propagation = value;
		return 0;
	}
	if (str_eq(word, "consistency"))
		return 0;
	return err_fail(err, ERR_USAGE, "invalid mount \"%s\": unknown key or value \"%s\"", text,
			word);
}

static int mount_tmpfs_words(struct mount_request *m, const struct mount_words *w, const char *text,
			     struct err *err)
{
	uint64_t size;
	uint32_t mode;

	m->kind = MOUNT_TMPFS;
	if (w->source)
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": a tmpfs has no source",
				text);
	strv_add(&m->options, "nosuid");
	strv_add(&m->options, "nodev");
	strv_add(&m->options, "noexec");
	if (w->bind.readonly)
		strv_add(&m->options, "ro");
	if (w->tmpfs_size) {
		if (str_parse_bytes(w->tmpfs_size, &size) < 0)
			return err_fail(err, ERR_USAGE, "invalid mount \"%s\": bad size", text);
		strv_addf(&m->options, "size=%llu", (unsigned long long)size);
	}
	if (w->tmpfs_mode) {
		if (str_parse_mode(w->tmpfs_mode, &mode) < 0)
			return err_fail(err, ERR_USAGE, "invalid mount \"%s\": bad mode", text);
		strv_addf(&m->options, "mode=%o", mode);
	}
	return 0;
}

static int mount_kind_words(struct mount_request *m, const struct mount_words *w, const char *text,
			    struct err *err)
{
	int r;

	if (!w->type || str_eq(w->type, "volume"))
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "invalid mount \"%s\": volumes are not implemented yet",
					 text),
				"use type=bind or type=tmpfs");
	if (str_eq(w->type, "tmpfs"))
		return mount_tmpfs_words(m, w, text, err);
	if (!str_eq(w->type, "bind"))
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": unknown type \"%s\"", text,
				w->type);
	if (w->tmpfs_size || w->tmpfs_mode)
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": tmpfs options on another type", text);
	r = set_source(m, w->source ? w->source : "", text, err);
	if (r == 0)
		bind_options(m, &w->bind);
	return r;
}

int mount_parse(const char *text, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_BIND };
	cleanup_strv char **words = strv_split(text, ',');
	struct mount_words w = { 0 };
	size_t i;
	int r;

	for (i = 0; words[i]; i++) {
		r = mount_word(&w, words[i], text, err);
		if (r < 0)
			return r;
	}
	if (!w.target)
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": target is required", text);
	r = mount_kind_words(&m, &w, text, err);
	if (r == 0)
		r = set_target(&m, w.target, text, err);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}
