/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/auto_update.h"

#include <unistd.h>

#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/asked.h"
#include "engine/containers_query.h"
#include "engine/images.h"
#include "engine/manifest.h"
#include "engine/pull.h"
#include "image/sha256.h"

#define OUTPUT_MAX 65536

const char *const auto_update_state_names[] = { "false", "true", "pending", "failed",
						"rolled back" };

struct updater {
	struct engine *eng;
	const struct auto_update_options *opts;
	struct auto_updates *all;
	char **asked, **newer, **broken; /* names of images: asked for, replaced, not to be had */
	int failures;
};

void auto_updates_done(struct auto_updates *u)
{
	for (size_t i = 0; i < u->n; i++)
		record_done(&u->items[i].rec);
	free(u->items);
	*u = (struct auto_updates){ 0 };
}

static void fail(struct updater *u, const struct err *err)
{
	u->opts->failed(err);
	u->failures++;
}

/* --- containers --- */

/* Has the user named the service? What a label of the image's says is no reason to restart anything
 * of the machine. */
static int check_unit(struct updater *u, const struct record *rec, const char *unit,
		      struct err *err)
{
	cleanup_free char *want = xasprintf(AUTO_UPDATE_UNIT "=%s", unit);
	cleanup_asked struct asked made = { 0 };
	int r = asked_read(u->eng, rec->id, &made, err);

	if (r < 0)
		return r;
	if (strv_has(made.options.label, want))
		return 0;
	return err_fail(err, ERR_INVALID,
			"container %s: its label " AUTO_UPDATE_UNIT " is its image's: give it one "
			"of its own",
			rec->name);
}

/* Takes the record over when it wants updates. */
static void take(struct updater *u, struct record *rec)
{
	const char *policy = json_map_get(&rec->labels, AUTO_UPDATE_LABEL);
	const char *unit = json_map_get(&rec->labels, AUTO_UPDATE_UNIT);
	struct err err = ERR_INIT;

	if (!policy || !*policy || str_eq(policy, "disabled"))
		return;
	if (!str_eq(policy, "registry") && !str_eq(policy, "image") && !str_eq(policy, "local")) {
		err_fail(
		    &err, ERR_INVALID,
		    "container %s: invalid auto-update policy \"%s\": expected registry, local "
		    "or disabled",
		    rec->name, policy);
	} else if (!unit || !*unit || *unit == '-') {
		err_fail(&err, ERR_INVALID,
			 "container %s: it has no label " AUTO_UPDATE_UNIT
			 " that names its service",
			 rec->name);
	} else if (str_starts(rec->image_name, "sha256:") || rec->options.rootfs ||
		   str_eq(rec->image, "host")) {
		err_fail(&err, ERR_INVALID,
			 "container %s: its image was given by an id, which stays what it is",
			 rec->name);
	} else if (check_unit(u, rec, unit, &err) == 0) {
		struct auto_updates *all = u->all;

		all->items = xrealloc(all->items, (all->n + 1) * sizeof(*all->items));
		all->items[all->n++] = (struct auto_update){
			.rec = *rec, .policy = str_eq(policy, "local") ? "local" : "registry"
		};
		*rec = (struct record){ 0 };
		all->items[all->n - 1].unit =
		    json_map_get(&all->items[all->n - 1].rec.labels, AUTO_UPDATE_UNIT);
		return;
	}
	fail(u, &err);
}

static int find(struct updater *u, struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	char *filters[] = { (char *)"label=" AUTO_UPDATE_LABEL, NULL };
	const struct containers_query query = { .filters = filters };
	int r = containers_query(u->eng, &query, &records, err);

	/* The oldest first. */
	for (size_t i = records.n; r == 0 && i-- > 0;)
		if (records.items[i].status == RECORD_RUNNING)
			take(u, &records.items[i]);
	return r;
}

/* --- images --- */

/* Has the registry another one under that name? 0, 1, or -errno. */
static int is_newer(struct updater *u, const char *name, struct err *err)
{
	cleanup_free char *word = xasprintf("docker://%s", name);
	cleanup_image_row struct image_row row = { 0 };
	cleanup_buf struct buf doc = BUF_INIT;
	char digest[SHA256_TEXT_MAX];
	int r = manifest_read(u->eng, word, &u->opts->access, &doc, err);

	if (r == 0)
		r = images_find_whole(u->eng, name, &row, err);
	if (r < 0)
		return r;
	sha256_text(doc.data, doc.len, digest);
	for (size_t i = 0; row.repo_digests && row.repo_digests[i]; i++)
		if (str_ends(row.repo_digests[i], digest))
			return 0;
	return 1;
}

/* Each name once. */
static void ask(struct updater *u, const char *name)
{
	const struct pull_options pull = { .access = u->opts->access };
	cleanup_free char *id = NULL;
	struct err err = ERR_INIT;
	int r;

	if (strv_has(u->asked, name))
		return;
	strv_add(&u->asked, name);
	r = is_newer(u, name, &err);
	if (r == 1) {
		strv_add(&u->newer, name);
		r = u->opts->dry_run ? 0 : engine_pull(u->eng, name, &pull, &id, &err);
	}
	if (r < 0) {
		err_wrap(&err, r, "looking for a newer image %s", name);
		strv_add(&u->broken, name);
		fail(u, &err);
	}
}

/* Is its image not what the name stands for? */
static bool is_stale(struct updater *u, const struct auto_update *a)
{
	const char *name = a->rec.image_name;
	cleanup_image_row struct image_row row = { 0 };
	struct err err = ERR_INIT;
	int r;

	if (str_eq(a->policy, "registry")) {
		ask(u, name);
		if (strv_has(u->broken, name))
			return false;
		if (u->opts->dry_run && strv_has(u->newer, name))
			return true;
	}
	r = images_find(u->eng, name, &row, &err);
	if (r < 0) {
		err_wrap(&err, r, "container %s", a->rec.name);
		fail(u, &err);
		return false;
	}
	return !str_eq(row.id, a->rec.image);
}

/* --- services --- */

static int find_systemctl(char **ret, struct err *err)
{
	const char *path = getenv("PATH");
	cleanup_strv char **dirs = strv_split(path ? path : "/usr/bin:/bin", ':');

	for (size_t i = 0; dirs[i]; i++) {
		cleanup_free char *file = path_join(dirs[i], "systemctl");

		if (dirs[i][0] == '/' && access(file, X_OK) == 0) {
			*ret = take_ptr(file);
			return 0;
		}
	}
	return err_fail(err, ERR_NOT_FOUND, "systemctl is not installed");
}

static int restart(struct updater *u, const char *unit, struct err *err)
{
	cleanup_free char *path = NULL;
	const char *argv[] = { "systemctl", u->eng->rootless ? "--user" : "--system",
			       "restart",   "--",
			       unit,        NULL };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r = find_systemctl(&path, err);

	if (r < 0)
		return r;
	spec.path = path;
	spec.argv = (char **)(uintptr_t)argv;
	r = proc_run(&spec, NULL, &out, OUTPUT_MAX, -1, err);
	if (r > 0)
		r = err_fail(err, ERR_SYSTEM, "restarting %s: systemctl ended with status %d", unit,
			     r);
	return r;
}

/* The names lead to what the unit's containers have run. */
static int give_back(struct updater *u, const char *unit, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->all->n; i++) {
		const struct auto_update *a = &u->all->items[i];

		if (a->state == AUTO_UPDATE_PENDING && str_eq(a->unit, unit))
			r = images_tag(u->eng, a->rec.image, a->rec.image_name, err);
	}
	return r;
}

static void set_state(struct updater *u, const char *unit, int state)
{
	for (size_t i = 0; i < u->all->n; i++)
		if (u->all->items[i].state == AUTO_UPDATE_PENDING &&
		    str_eq(u->all->items[i].unit, unit))
			u->all->items[i].state = state;
}

static void update_unit(struct updater *u, const char *unit)
{
	int state = AUTO_UPDATE_DONE;
	struct err err = ERR_INIT;

	if (restart(u, unit, &err) < 0) {
		state = AUTO_UPDATE_FAILED;
		fail(u, &err);
		err = (struct err)ERR_INIT;
		if (!u->opts->no_rollback) {
			state = AUTO_UPDATE_ROLLED_BACK;
			if (give_back(u, unit, &err) < 0 || restart(u, unit, &err) < 0) {
				state = AUTO_UPDATE_FAILED;
				err_wrap(&err, -EIO, "going back to the image before");
				fail(u, &err);
			}
		}
	}
	set_state(u, unit, state);
}

int engine_auto_update(struct engine *eng, const struct auto_update_options *opts,
		       struct auto_updates *ret, struct err *err)
{
	struct auto_updates all = { 0 };
	struct updater u = { .eng = eng, .opts = opts, .all = &all };
	int r = find(&u, err);

	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (is_stale(&u, &all.items[i]))
			all.items[i].state = AUTO_UPDATE_PENDING;
	for (size_t i = 0; r == 0 && !opts->dry_run && i < all.n; i++)
		if (all.items[i].state == AUTO_UPDATE_PENDING)
			update_unit(&u, all.items[i].unit);
	strv_free(u.asked);
	strv_free(u.newer);
	strv_free(u.broken);
	if (r < 0) {
		auto_updates_done(&all);
		return r;
	}
	*ret = all;
	return u.failures;
}
