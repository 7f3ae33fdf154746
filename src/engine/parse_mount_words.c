/* SPDX-License-Identifier: Apache-2.0 */
/* --mount KEY=VALUE,...: docker's words, and podman's beside them. */
#include <limits.h>

#include "base/csv.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

/* --mount before its kind is known. */
struct mount_words {
	char *type, *source, *target;
	char *propagation, *recursive, *driver, *tmpfs_size, *tmpfs_mode;
	bool readonly, nonrecursive, nocopy, idmap, create_source, chown, copyup, no_copyup, noswap;
	char **passed;
	struct json_map labels, driver_opts;
	char *subpath, *docker_subpath; /* podman's may begin with a slash */
	char *upperdir, *workdir;
	bool rw;
	unsigned int of; /* types that the words belong to */
};
enum {
	OF_BIND = 1 << MOUNT_BIND, /* and of MOUNT_GLOB */
	OF_TMPFS = 1 << MOUNT_TMPFS,
	OF_VOLUME = 1 << MOUNT_VOLUME,
	OF_IMAGE = 1 << MOUNT_IMAGE,
	OF_RAMFS = 1 << MOUNT_RAMFS,
	OF_ANY_FILES = OF_BIND | OF_VOLUME | OF_TMPFS | OF_RAMFS
};

enum word_kind { WORD_STR, WORD_FLAG, WORD_NOT, WORD_MAP, WORD_PASSED, WORD_IGNORED };
static const struct mount_key {
	const char *name;
	enum word_kind kind;
	size_t offset;
	unsigned int of; /* 0: any */
} keys[] = {
#define WORD(field) offsetof(struct mount_words, field)
	{ "type", WORD_STR, WORD(type), 0 },
	{ "source", WORD_STR, WORD(source), 0 },
	{ "src", WORD_STR, WORD(source), 0 },
	{ "target", WORD_STR, WORD(target), 0 },
	{ "dst", WORD_STR, WORD(target), 0 },
	{ "dest", WORD_STR, WORD(target), 0 },
	{ "destination", WORD_STR, WORD(target), 0 },
	{ "readonly", WORD_FLAG, WORD(readonly), 0 },
	{ "ro", WORD_FLAG, WORD(readonly), 0 },
	{ "rw", WORD_NOT, WORD(readonly), 0 },
	{ "readwrite", WORD_NOT, WORD(readonly), OF_IMAGE },
	{ "consistency", WORD_IGNORED, 0, 0 },
	{ "relabel", WORD_IGNORED, 0, 0 },
	{ "upperdir", WORD_STR, WORD(upperdir), OF_BIND },
	{ "workdir", WORD_STR, WORD(workdir), OF_BIND },
	{ "bind-propagation", WORD_STR, WORD(propagation), OF_BIND },
	{ "bind-nonrecursive", WORD_FLAG, WORD(nonrecursive), OF_BIND },
	{ "bind-recursive", WORD_STR, WORD(recursive), OF_BIND },
	{ "bind-create-src", WORD_FLAG, WORD(create_source), OF_BIND },
	{ "idmap", WORD_FLAG, WORD(idmap), OF_BIND | OF_VOLUME },
	{ "nosuid", WORD_PASSED, 0, OF_ANY_FILES },
	{ "suid", WORD_PASSED, 0, OF_ANY_FILES },
	{ "nodev", WORD_PASSED, 0, OF_ANY_FILES },
	{ "dev", WORD_PASSED, 0, OF_ANY_FILES },
	{ "noexec", WORD_PASSED, 0, OF_ANY_FILES },
	{ "exec", WORD_PASSED, 0, OF_ANY_FILES },
	{ "U", WORD_FLAG, WORD(chown), OF_BIND | OF_VOLUME | OF_TMPFS },
	{ "chown", WORD_FLAG, WORD(chown), OF_BIND | OF_VOLUME | OF_TMPFS },
	{ "volume-nocopy", WORD_FLAG, WORD(nocopy), OF_VOLUME },
	{ "nocopy", WORD_FLAG, WORD(nocopy), OF_VOLUME },
	{ "volume-driver", WORD_STR, WORD(driver), OF_VOLUME },
	{ "volume-label", WORD_MAP, WORD(labels), OF_VOLUME },
	{ "volume-opt", WORD_MAP, WORD(driver_opts), OF_VOLUME },
	{ "volume-subpath", WORD_STR, WORD(docker_subpath), OF_VOLUME },
	{ "image-subpath", WORD_STR, WORD(docker_subpath), OF_IMAGE },
	{ "subpath", WORD_STR, WORD(subpath), OF_VOLUME | OF_IMAGE },
	{ "tmpfs-size", WORD_STR, WORD(tmpfs_size), OF_TMPFS },
	{ "tmpfs-mode", WORD_STR, WORD(tmpfs_mode), OF_TMPFS },
	{ "tmpcopyup", WORD_FLAG, WORD(copyup), OF_TMPFS },
	{ "notmpcopyup", WORD_FLAG, WORD(no_copyup), OF_TMPFS },
	{ "noswap", WORD_FLAG, WORD(noswap), OF_TMPFS },
#undef WORD
};

static int flag_word(const char *value, bool *ret, const char *text, struct err *err)
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

static int map_word(struct json_map *map, char *value, const char *text, struct err *err)
{
	char *eq = value ? strchr(value, '=') : NULL;

	if (!value || !value[0] || eq == value)
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": expected NAME=VALUE", text);
	if (eq)
		*eq++ = '\0';
	json_map_set(map, value, eq ? eq : "");
	return 0;
}

static int key_apply(struct mount_words *w, const struct mount_key *key, char *value,
		     const char *text, struct err *err)
{
	void *field = (char *)w + key->offset;
	int r = 0;

	if (key->of)
		w->of &= key->of;
	switch (key->kind) {
	case WORD_STR:
		if (!value || !value[0])
			return err_fail(err, ERR_USAGE, "invalid mount \"%s\": %s needs a value",
					text, key->name);
		*(char **)field = value;
		break;
	case WORD_FLAG:
	case WORD_NOT:
		r = flag_word(value, field, text, err);
		if (r == 0 && key->kind == WORD_NOT)
			w->rw = *(bool *)field, *(bool *)field = !*(bool *)field;
		break;
	case WORD_MAP:
		r = map_word(field, value, text, err);
		break;
	case WORD_PASSED:
		if (value)
			return err_fail(err, ERR_USAGE, "invalid mount \"%s\": %s takes no value",
					text, key->name);
		strv_add(&w->passed, key->name);
		break;
	case WORD_IGNORED:
		break;
	}
	return r;
}

static int mount_word(struct mount_words *w, char *word, const char *text, struct err *err)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(word, keys[i].name))
			return key_apply(w, &keys[i], value, text, err);
	return err_fail(err, ERR_USAGE, "invalid mount \"%s\": unknown key or value \"%s\"", text,
			word);
}

static int tmpfs_words(struct mount_request *m, const struct mount_words *w, const char *text,
		       struct err *err)
{
	uint64_t size;
	uint32_t mode;

	if (w->source)
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": a %s has no source", text,
				mount_kind_names[m->kind]);
	strv_add(&m->options, "nosuid");
	strv_add(&m->options, "nodev");
	strv_add(&m->options, "noexec");
	strv_extend(&m->options, w->passed);
	if (w->readonly)
		strv_add(&m->options, "ro");
	if (w->copyup && !w->no_copyup)
		strv_add(&m->options, "tmpcopyup");
	if (w->noswap)
		strv_add(&m->options, "noswap");
	m->chown = w->chown;
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

static int bind_words(struct mount_request *m, const struct mount_words *w, const char *text,
		      struct err *err)
{
	static const char *const words[] = { "enabled", "disabled", "writable", "readonly" };
	size_t how = 0;

	while (w->recursive && how < ARRAY_SIZE(words) && !str_eq(words[how], w->recursive))
		how++;
	if (how == ARRAY_SIZE(words))
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": bind-recursive is enabled, disabled, "
				"writable or readonly",
				text);
	if (w->propagation && !mount_is_propagation(w->propagation))
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": unknown propagation \"%s\"",
				text, w->propagation);
	mount_bind_options(m, w->nonrecursive || how == 1, w->propagation);
	strv_extend(&m->options, w->passed);
	if (w->chown)
		strv_add(&m->options, MOUNT_U);
	m->make_source = w->create_source;
	/* "writable": only the mount itself is read-only. */
	for (size_t i = 0; how == 2 && m->options[i]; i++)
		if (str_eq(m->options[i], "rro"))
			m->options[i][1] = 'o', m->options[i][2] = '\0';
	return mount_set_source(m, w->source ? w->source : "", text, err);
}

/* -v's "O": a bind mount whose changes go elsewhere, to directories of the container's own unless
 * others are given. */
static int overlay_words(struct mount_request *m, const struct mount_words *w, const char *text,
			 struct err *err)
{
	bool overlay = str_eq(w->type, "overlay");

	if (!overlay && !w->upperdir && !w->workdir)
		return 0;
	if (!overlay || !w->upperdir != !w->workdir ||
	    (w->upperdir && (w->upperdir[0] != '/' || w->workdir[0] != '/')))
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": upperdir and workdir belong together, to "
				"type=overlay, and begin with a slash",
				text);
	strv_add(&m->options, MOUNT_O);
	if (w->upperdir) {
		strv_addf(&m->options, "upperdir=%s", w->upperdir);
		strv_addf(&m->options, "workdir=%s", w->workdir);
	}
	return 0;
}

static int subpath_set(struct mount_request *m, const struct mount_words *w, const char *text,
		       struct err *err)
{
	const char *path = w->subpath ? w->subpath + strspn(w->subpath, "/") : w->docker_subpath;
	cleanup_strv char **parts = path ? strv_split(path, '/') : NULL;

	if (!path)
		return 0;
	if (path[0] == '/' || strv_has(parts, ".."))
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": subpath must be a relative path within the "
				"%s",
				text, mount_kind_names[m->kind]);
	m->subpath = path_clean(path);
	return 0;
}

static int volume_words(struct mount_request *m, struct mount_words *w, const char *text,
			struct err *err)
{
	if (w->driver && !str_eq(w->driver, "local"))
		return err_fail(err, ERR_UNSUPPORTED,
				"invalid mount \"%s\": volume driver \"%s\": there is local alone",
				text, w->driver);
	if (w->source && volume_name_check(w->source, err) < 0)
		return -EINVAL;
	m->source = w->source ? xstrdup(w->source) : NULL;
	if (subpath_set(m, w, text, err) < 0)
		return -EINVAL;
	/* It has to be there. */
	m->nocopy = w->nocopy || m->subpath;
	m->labels = w->labels;
	m->driver_opts = w->driver_opts;
	w->labels = w->driver_opts = (struct json_map){ 0 };
	mount_bind_options(m, false, NULL);
	strv_extend(&m->options, w->passed);
	if (w->chown)
		strv_add(&m->options, MOUNT_U);
	return 0;
}

/* podman's are read-only unless told, docker's always. */
static int image_words(struct mount_request *m, const struct mount_words *w, const char *text,
		       struct err *err)
{
	if (!w->source)
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": which image?", text);
	m->source = xstrdup(w->source);
	m->readonly = !w->rw;
	return subpath_set(m, w, text, err);
}

static int kind_words(struct mount_request *m, struct mount_words *w, const char *text,
		      struct err *err)
{
	static const struct {
		const char *name;
		enum mount_kind kind;
	} kinds[] = { { "volume", MOUNT_VOLUME }, { "bind", MOUNT_BIND },
		      { "tmpfs", MOUNT_TMPFS },   { "image", MOUNT_IMAGE },
		      { "ramfs", MOUNT_RAMFS },   { "glob", MOUNT_GLOB },
		      { "overlay", MOUNT_BIND },  { "devpts", MOUNT_DEVPTS } };
	const char *type = w->type ? w->type : "volume";
	size_t i = 0;

	while (i < ARRAY_SIZE(kinds) && !str_eq(kinds[i].name, type))
		i++;
	if (i == ARRAY_SIZE(kinds))
		return err_fail(err, ERR_USAGE, "invalid mount \"%s\": unknown type \"%s\"", text,
				type);
	m->kind = kinds[i].kind;
	m->readonly = w->readonly;
	m->idmap = w->idmap;
	if (!(w->of & 1u << (m->kind == MOUNT_GLOB ? MOUNT_BIND : m->kind)))
		return err_fail(err, ERR_USAGE,
				"invalid mount \"%s\": options of another type than %s", text,
				type);
	switch (m->kind) {
	case MOUNT_VOLUME:
		return volume_words(m, w, text, err);
	case MOUNT_TMPFS:
	case MOUNT_RAMFS:
		return tmpfs_words(m, w, text, err);
	case MOUNT_IMAGE:
		return image_words(m, w, text, err);
	case MOUNT_DEVPTS:
		m->options = strv_split("nosuid,noexec,newinstance,ptmxmode=0666,mode=0620", ',');
		return 0;
	case MOUNT_BIND:
	case MOUNT_GLOB:
		break;
	}
	int r = bind_words(m, w, text, err);

	return r < 0 ? r : overlay_words(m, w, text, err);
}

/* Where the matches go: without a target each to its own path. */
static int glob_target(struct mount_request *m, const char *target, const char *text,
		       struct err *err)
{
	if (target && target[0] != '/')
		return mount_set_target(m, target, text, err);
	m->target = target ? path_clean(target) : NULL;
	m->make_source = false;
	return 0;
}

static int words_parse(struct mount_words *w, char **words, struct mount_request *m,
		       const char *text, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && words[i]; i++)
		r = mount_word(w, words[i], text, err);
	if (r == 0 && !w->target && !str_eq(w->type, "glob"))
		r = err_fail(err, ERR_USAGE, "invalid mount \"%s\": target is required", text);
	if (r == 0)
		r = kind_words(m, w, text, err);
	if (r < 0)
		return r;
	return m->kind == MOUNT_GLOB ? glob_target(m, w->target, text, err)
				     : mount_set_target(m, w->target, text, err);
}

int mount_parse(const char *text, struct mount_request *ret, struct err *err)
{
	cleanup_mount_request struct mount_request m = { .kind = MOUNT_BIND };
	cleanup_strv char **words = NULL;
	struct mount_words w = { .of = UINT_MAX };
	int r = csv_parse(text, &words, err);

	if (r == 0)
		r = words_parse(&w, words, &m, text, err);
	json_map_done(&w.labels);
	json_map_done(&w.driver_opts);
	strv_free(w.passed);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct mount_request){ 0 };
	return 0;
}
