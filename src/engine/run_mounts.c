/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted in a new container besides what every one has. */
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/run_internal.h"
#include "engine/volume_mounts.h"

/* A source on this machine: made absolute, and made at all when -v asks for what is not there. */
static int resolve_source(struct mount_request *m, struct err *err)
{
	char *path = NULL;
	int fd, r;

	if (m->kind != MOUNT_BIND)
		return 0;
	r = run_path_from_cwd(m->source, &path, err);
	if (r < 0)
		return r;
	free(m->source);
	m->source = path;
	if (access(m->source, F_OK) == 0)
		return 0;
	if (!m->make_source)
		return err_fail(
		    err, ERR_INVALID,
		    "invalid mount config for type \"bind\": bind source path does not exist: "
		    "%s",
		    m->source);
	fd = path_mkdirs(m->source, 0755, err);
	if (fd < 0)
		return err_wrap(err, fd, "making the source of a volume");
	fd_close(fd);
	return 0;
}

static struct mount_request *mount_add(struct run *run)
{
	run->mounts = xrealloc(run->mounts, (run->n_mounts + 1) * sizeof(*run->mounts));
	run->mounts[run->n_mounts] = (struct mount_request){ 0 };
	return &run->mounts[run->n_mounts++];
}

static int add_matches(struct run *run, const struct mount_request *m, struct err *err)
{
	cleanup_free struct mount_request *list = NULL;
	size_t n = 0;
	int r = mount_glob(m, &list, &n, err);

	for (size_t i = 0; i < n; i++) {
		*mount_add(run) = list[i];
		if (r == 0)
			r = resolve_source(&run->mounts[run->n_mounts - 1], err);
	}
	return r;
}

typedef int (*mount_parser)(const char *text, struct mount_request *ret, struct err *err);

static int parse_list(struct run *run, char *const *words, mount_parser parse, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		struct mount_request m = { 0 };

		r = parse(words[i], &m, err);
		if (r < 0)
			return r;
		if (m.kind == MOUNT_GLOB) {
			r = add_matches(run, &m, err);
			mount_request_done(&m);
			continue;
		}
		*mount_add(run) = m;
		r = resolve_source(&run->mounts[run->n_mounts - 1], err);
	}
	return r;
}

static bool is_taken(const struct run *run, const char *target)
{
	for (size_t i = 0; i < run->n_mounts; i++)
		if (str_eq(run->mounts[i].target, target))
			return true;
	return false;
}

/* ---- those of other containers ---- */

static void take_mount(struct run *run, const struct record_mount *from, bool readonly)
{
	struct mount_request *m;

	if ((from->type != MOUNT_BIND && from->type != MOUNT_VOLUME) || !from->target ||
	    is_taken(run, from->target))
		return;
	m = mount_add(run);
	record_mount_request(from, m);
	/* It has the owner that the other one wants. */
	for (size_t i = 0; m->options && m->options[i]; i++)
		if (str_eq(m->options[i], MOUNT_U)) {
			free(m->options[i]);
			m->options[i] = xstrdup("rw");
		}
	if (readonly && !m->readonly)
		strv_add(&m->options, strv_has(m->options, "bind") ? "ro" : "rro");
	m->readonly = m->readonly || readonly;
}

static int take_from(struct run *run, const char *word, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_free char *name = NULL;
	bool readonly = false;
	int r = volumes_from_parse(word, &name, &readonly, err);

	if (r == 0)
		r = life_find(run->eng, name, &rec, err);
	for (size_t i = 0; r == 0 && i < rec.options.mounts.n; i++)
		take_mount(run, &rec.options.mounts.items[i], readonly);
	return r;
}

/* ---- volumes ---- */

enum image_volume { IMAGE_VOLUME_OWN, IMAGE_VOLUME_TMPFS, IMAGE_VOLUME_IGNORE };

/* podman's words. */
static int image_volume_parse(const char *word, struct err *err)
{
	static const struct {
		const char *name;
		enum image_volume what;
	} words[] = { { "bind", IMAGE_VOLUME_OWN },
		      { "anonymous", IMAGE_VOLUME_OWN },
		      { "tmpfs", IMAGE_VOLUME_TMPFS },
		      { "ignore", IMAGE_VOLUME_IGNORE } };

	for (size_t i = 0; word && i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i].name, word))
			return (int)words[i].what;
	return word
		   ? err_fail(err, ERR_USAGE,
			      "invalid --image-volume \"%s\": expected bind, tmpfs or ignore", word)
		   : IMAGE_VOLUME_OWN;
}

static void become_tmpfs(struct mount_request *m)
{
	m->kind = MOUNT_TMPFS;
	strv_free(m->options);
	m->options = strv_split("rprivate,nosuid,nodev,tmpcopyup", ',');
}

/* VOLUME of the image, where nothing else is mounted. */
static int take_image(struct run *run, struct err *err)
{
	const struct oci_config *c = run->config.config;
	int what = image_volume_parse(run->opts->image_volume, err), r = what < 0 ? what : 0;

	for (size_t i = 0; r == 0 && c && what != IMAGE_VOLUME_IGNORE && i < c->volumes.n; i++) {
		cleanup_mount_request struct mount_request m = { 0 };

		r = volume_parse(c->volumes.items[i].key, &m, err);
		if (r < 0)
			return err_wrap(err, r, "volume \"%s\" of the image",
					c->volumes.items[i].key);
		if (m.kind != MOUNT_VOLUME || m.source || is_taken(run, m.target))
			continue;
		if (what == IMAGE_VOLUME_TMPFS)
			become_tmpfs(&m);
		*mount_add(run) = m;
		m = (struct mount_request){ 0 };
	}
	return r;
}

static int resolve_volume(struct run *run, struct mount_request *m, struct err *err)
{
	if (m->kind == MOUNT_IMAGE)
		return mount_image_resolve(run->eng, run->rec.options.mapping, m, err);
	/* One of another container's is resolved. */
	return m->kind != MOUNT_VOLUME || m->host_path ? 0 : volume_resolve(run->eng, m, err);
}

static int check_idmap(const struct run *run, const struct mount_request *m, struct err *err)
{
	if (!m->idmap || !run->eng->rootless)
		return 0;
	return err_hint(
	    err,
	    err_fail(err, ERR_UNSUPPORTED, "mount at %s: ids are mapped by root alone", m->target),
	    run->rec.options.mapping ? "`U` gives what is in it to the container's user"
				     : "what is yours belongs to root in the container already");
}

int run_mounts(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	struct record_options *to = &run->rec.options;
	int r;

	r = parse_list(run, o->volume, volume_parse, err);
	if (r == 0)
		r = parse_list(run, o->mount, mount_parse, err);
	if (r == 0)
		r = parse_list(run, o->tmpfs, tmpfs_parse, err);
	for (size_t i = 0; r == 0 && o->volumes_from && o->volumes_from[i]; i++)
		r = take_from(run, o->volumes_from[i], err);
	if (r == 0)
		r = take_image(run, err);
	for (size_t i = 0; r == 0 && i < run->n_mounts; i++) {
		r = resolve_volume(run, &run->mounts[i], err);
		if (r == 0)
			r = check_idmap(run, &run->mounts[i], err);
	}
	if (r < 0 || !run->n_mounts)
		return r;
	to->mounts.items = xcalloc(run->n_mounts, sizeof(*to->mounts.items));
	for (size_t i = 0; i < run->n_mounts; i++)
		record_mount_fill(&run->mounts[i], &to->mounts.items[to->mounts.n++]);
	return 0;
}
