/* SPDX-License-Identifier: Apache-2.0 */
/* --mount-add and --mount-rm: of the configuration, and of what runs. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/parse.h"
#include "engine/spec.h"
#include "engine/update_internal.h"
#include "engine/volume_mounts.h"
#include "runtime/live.h"

/* ---- the configuration ---- */

static void mount_free(struct spec_mount *m)
{
	free(m->destination);
	free(m->type);
	free(m->source);
	strv_free(m->options);
	free(m->uid_mappings.items);
	free(m->gid_mappings.items);
	*m = (struct spec_mount){ 0 };
}

void update_mounts_done(struct update_mounts *um)
{
	for (size_t i = 0; i < um->n_removed; i++)
		mount_free(&um->removed[i]);
	free(um->removed);
	for (size_t i = 0; i < um->n_added; i++)
		mount_request_done(&um->added[i]);
	free(um->added);
	free(um->recorded);
	strv_free(um->overlays);
	*um = (struct update_mounts){ 0 };
}

static int take_out(struct update_mounts *um, struct spec *spec, const char *target,
		    const char *bundle, struct err *err)
{
	cleanup_free char *clean = path_clean(target);
	size_t at = spec->mounts.n;

	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct spec_mount *m = &spec->mounts.items[i];
		const char *below = path_below(m->destination, clean);

		if (below && *below)
			return err_fail(err, ERR_CONFLICT,
					"--mount-rm %s: %s is mounted below it, remove that first",
					clean, m->destination);
		if (below)
			at = i;
	}
	if (at == spec->mounts.n || !spec_mount_is_users(&spec->mounts.items[at], bundle))
		return err_fail(err, ERR_NOT_FOUND,
				"--mount-rm %s: no volume, bind mount or tmpfs of the container's",
				clean);
	um->removed = xrealloc(um->removed, (um->n_removed + 1) * sizeof(*um->removed));
	um->removed[um->n_removed++] = spec->mounts.items[at];
	spec->mounts.n--;
	memmove(&spec->mounts.items[at], &spec->mounts.items[at + 1],
		(spec->mounts.n - at) * sizeof(*spec->mounts.items));
	return 0;
}

static int parse(const char *text, struct mount_request *ret, struct err *err)
{
	return update_is_mount_word(text) ? mount_parse(text, ret, err)
					  : volume_parse(text, ret, err);
}

static int find_source(struct mount_request *m, struct err *err)
{
	cleanup_free char *cwd = NULL;
	cleanup_free char *joined = NULL;

	if (m->source[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_errno(err, errno, "finding the current directory");
		joined = path_join(cwd, m->source);
		free(m->source);
		m->source = path_clean(joined);
	}
	if (access(m->source, F_OK) == 0)
		return 0;
	return err_fail(err, ERR_INVALID, "bind source path does not exist: %s", m->source);
}

static int check_kind(const struct engine *eng, const struct mount_request *m, const char *text,
		      struct err *err)
{
	if (m->kind == MOUNT_DEVPTS)
		return err_fail(err, ERR_UNSUPPORTED,
				"--mount-add %s: a devpts can't be added to what runs", text);
	if (m->idmap && eng->rootless)
		return err_fail(err, ERR_UNSUPPORTED,
				"--mount-add %s: ids are mapped by root alone", text);
	return 0;
}

static int resolve(struct engine *eng, const char *mapping, struct mount_request *m,
		   struct err *err)
{
	if (m->kind == MOUNT_BIND)
		return find_source(m, err);
	if (m->kind == MOUNT_VOLUME)
		return volume_resolve(eng, m, err);
	return m->kind == MOUNT_IMAGE ? mount_image_resolve(eng, mapping, m, err) : 0;
}

/* A directory that no other mount of the container has, nor had. */
static const char *choose_overlay(struct update_mounts *um)
{
	for (size_t n = 0;; n++) {
		cleanup_free char *dir = overlay_dir(um->bundle, n);

		if (access(dir, F_OK) == 0 || strv_has(um->overlays, dir))
			continue;
		strv_add(&um->overlays, dir);
		return um->overlays[strv_len(um->overlays) - 1];
	}
}

static int put_one(struct engine *eng, struct update_mounts *um, struct spec *spec,
		   struct mount_request *m, const char *text, struct err *err)
{
	struct spec_mount_how how = { 0 };
	int r = check_kind(eng, m, text, err);

	if (r == 0)
		r = resolve(eng, um->mapping, m, err);
	for (size_t i = 0; r == 0 && i < spec->mounts.n; i++)
		if (path_below(spec->mounts.items[i].destination, m->target))
			r = err_fail(err, ERR_EXISTS,
				     "--mount-add %s: it would cover the mount at %s", text,
				     spec->mounts.items[i].destination);
	if (r < 0)
		return r;
	how.mapped = !eng->rootless && spec->linux_->uid_mappings.n;
	if (spec->process) {
		how.uid = spec->process->user.uid;
		how.gid = spec->process->user.gid;
	}
	if (overlay_is_wanted(m))
		how.overlay_dir = choose_overlay(um);
	spec_add_mount(spec, m, &how);
	return 0;
}

static struct mount_request *add_request(struct update_mounts *um)
{
	um->added = xrealloc(um->added, (um->n_added + 1) * sizeof(*um->added));
	um->added[um->n_added] = (struct mount_request){ 0 };
	return &um->added[um->n_added++];
}

static int put_in(struct engine *eng, struct update_mounts *um, struct spec *spec, const char *text,
		  struct err *err)
{
	cleanup_mount_request struct mount_request m = { 0 };
	cleanup_free struct mount_request *matches = NULL;
	size_t first = um->n_added, n = 0;
	int r = parse(text, &m, err);

	if (r == 0 && m.kind == MOUNT_GLOB)
		r = mount_glob(&m, &matches, &n, err);
	else if (r == 0)
		*add_request(um) = m, m = (struct mount_request){ 0 };
	for (size_t i = 0; i < n; i++)
		*add_request(um) = matches[i];
	for (size_t i = first; r == 0 && i < um->n_added; i++)
		r = put_one(eng, um, spec, &um->added[i], text, err);
	return r;
}

int update_mounts_plan(struct engine *eng, const struct update_options *o, const char *mapping,
		       const char *bundle, struct spec *spec, struct update_mounts *ret,
		       struct err *err)
{
	int r = 0;

	ret->bundle = bundle;
	ret->mapping = mapping;
	for (size_t i = 0; r == 0 && o->mount_rm && o->mount_rm[i]; i++)
		r = take_out(ret, spec, o->mount_rm[i], bundle, err);
	ret->first_added = spec->mounts.n;
	for (size_t i = 0; r == 0 && o->mount_add && o->mount_add[i]; i++)
		r = put_in(eng, ret, spec, o->mount_add[i], err);
	return r;
}

/* ---- the record ---- */

static bool has_source(const struct spec_mount *m)
{
	return !str_eq(m->type, "tmpfs") && !str_eq(m->type, "ramfs");
}

static bool is_of(const struct record_mount *r, const struct spec_mount *m)
{
	const char *from = r->type == MOUNT_BIND ? r->source : r->host_path;

	return str_eq(r->target, m->destination) && (from != NULL) == has_source(m) &&
	       (!from || str_eq(from, m->source));
}

static bool is_mounted(const struct record_mount *r, const struct spec *spec)
{
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (is_of(r, &spec->mounts.items[i]))
			return true;
	return r->type == MOUNT_DEVPTS;
}

/* A volume that is mounted nowhere else in the container may be removed from now on. */
static int drop_uses(struct engine *eng, const struct record *rec, const struct record_options *now,
		     struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rec->options.mounts.n; i++) {
		const struct record_mount *m = &rec->options.mounts.items[i];
		bool used = m->type != MOUNT_VOLUME;

		for (size_t k = 0; k < now->mounts.n; k++)
			used |= now->mounts.items[k].type == MOUNT_VOLUME &&
				str_eq(now->mounts.items[k].source, m->source);
		if (!used)
			r = db_exec(eng->db, err,
				    "DELETE FROM volume_uses WHERE container = ? AND volume = ?",
				    "ss", rec->id, m->source);
	}
	return r < 0 ? r : 0;
}

int update_mounts_record(struct engine *eng, const struct record *rec,
			 const struct record_options *options, const struct spec *spec,
			 struct err *err)
{
	const struct record_mount *old = options->mounts.items;
	size_t n_old = options->mounts.n;
	cleanup_free struct record_mount *list = xcalloc(n_old + 1, sizeof(*list));
	struct record_options now = *options;
	int r;

	now.mounts.items = list;
	now.mounts.n = 0;
	for (size_t i = 0; i < n_old; i++)
		if (is_mounted(&old[i], spec))
			list[now.mounts.n++] = old[i];
	if (now.mounts.n == n_old)
		return 0;
	r = record_set_options(eng, rec->id, &now, err);
	return r < 0 ? r : drop_uses(eng, rec, &now, err);
}

/* ---- what runs ---- */

/* What is mounted before number n: an addition may cover none of that. */
static struct spec first_mounts(const struct spec *spec, size_t n)
{
	struct spec view = *spec;

	view.mounts.n = n;
	return view;
}

static int add(struct engine *eng, const char *id, const struct spec *spec, size_t i,
	       struct err *err)
{
	struct spec view = first_mounts(spec, i);

	return container_mount_add(&eng->runtime, id, &view, &spec->mounts.items[i], err);
}

/* Backwards: what was added, then what was removed. */
static void undo(struct engine *eng, const char *id, const struct spec *spec,
		 const struct update_mounts *um, size_t n_removed, size_t n_added)
{
	struct spec view = first_mounts(spec, um->first_added);
	struct err err = ERR_INIT;
	int r = 0;

	while (n_added > 0 && r >= 0)
		r = container_mount_remove(&eng->runtime, id, spec,
					   &spec->mounts.items[um->first_added + --n_added], &err);
	while (n_removed > 0 && r >= 0)
		r = container_mount_add(&eng->runtime, id, &view, &um->removed[--n_removed], &err);
	/* With what has ended nothing is left to be taken back. */
	if (r < 0 && err.kind != ERR_NOT_FOUND && err.kind != ERR_CONFLICT)
		log_warn("taking back what was changed: %s", err.msg);
}

int update_mounts_apply(struct engine *eng, const char *id, const struct spec *spec,
			const struct update_mounts *um, struct err *err)
{
	size_t removed = 0, added = 0, n_added = spec->mounts.n - um->first_added;
	int r = 0;

	for (; r == 0 && removed < um->n_removed; removed += r == 0)
		r = container_mount_remove(&eng->runtime, id, spec, &um->removed[removed], err);
	for (; r == 0 && added < n_added; added += r == 0)
		r = add(eng, id, spec, um->first_added + added, err);
	if (r < 0)
		undo(eng, id, spec, um, removed, added);
	return r;
}

void update_mounts_revert(struct engine *eng, const char *id, const struct spec *spec,
			  const struct update_mounts *um)
{
	undo(eng, id, spec, um, um->n_removed, spec->mounts.n - um->first_added);
}

/* ---- after a change of who runs ---- */

static bool is_there(struct engine *eng, const char *id, const struct spec *spec,
		     const struct spec_mount *m)
{
	return container_mount_has(&eng->runtime, id, spec, m, NULL) > 0;
}

int update_mounts_ensure(struct engine *eng, const char *id, const struct spec *spec,
			 const struct update_mounts *um, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < um->n_removed; i++)
		if (is_there(eng, id, spec, &um->removed[i]))
			r = container_mount_remove(&eng->runtime, id, spec, &um->removed[i], err);
	for (size_t i = um->first_added; r == 0 && i < spec->mounts.n; i++)
		if (!is_there(eng, id, spec, &spec->mounts.items[i]))
			r = add(eng, id, spec, i, err);
	return r;
}
