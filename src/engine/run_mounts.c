/* SPDX-License-Identifier: Apache-2.0 */
/* What is mounted in a new container besides what every one has. */
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/run_internal.h"
#include "engine/volume_mounts.h"
#include "engine/volumes.h"

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

typedef int (*mount_parser)(const char *text, struct mount_request *ret, struct err *err);

static int parse_list(struct run *run, char *const *words, mount_parser parse, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		struct mount_request m = { 0 };

		r = parse(words[i], &m, err);
		if (r < 0)
			return r;
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

/* VOLUME of the image, where nothing else is mounted. */
static int take_image(struct run *run, struct err *err)
{
	const struct oci_config *c = run->config.config;
	int r = 0;

	for (size_t i = 0; r == 0 && c && i < c->volumes.n; i++) {
		cleanup_mount_request struct mount_request m = { 0 };

		r = volume_parse(c->volumes.items[i].key, &m, err);
		if (r < 0)
			return err_wrap(err, r, "volume \"%s\" of the image",
					c->volumes.items[i].key);
		if (m.kind != MOUNT_VOLUME || m.source || is_taken(run, m.target))
			continue;
		*mount_add(run) = m;
		m = (struct mount_request){ 0 };
	}
	return r;
}

static int resolve_volume(struct run *run, struct mount_request *m, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = 0;

	/* One of another container's is resolved. */
	if (m->kind != MOUNT_VOLUME || m->host_path)
		return 0;
	if (!m->source) {
		r = hex_random_id(id);
		if (r < 0)
			return err_errno(err, -r, "choosing a name for a volume");
		m->source = xstrdup(id);
		m->anonymous = true;
		json_map_set(&m->labels, VOLUME_ANONYMOUS, "");
	}
	return volume_resolve(run->eng, m, err);
}

static int check_idmap(const struct run *run, const struct mount_request *m, struct err *err)
{
	if (!m->idmap || !run->eng->rootless)
		return 0;
	return err_hint(
	    err,
	    err_fail(err, ERR_UNSUPPORTED, "mount at %s: ids are mapped by root alone", m->target),
	    "what is yours belongs to root in the container already");
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
