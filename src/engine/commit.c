/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/commit.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/asked.h"
#include "engine/changes.h"
#include "engine/db.h"
#include "engine/diff.h"
#include "engine/events.h"
#include "engine/freeze.h"
#include "engine/images_trim.h"
#include "engine/parse.h"
#include "engine/spec.h"
#include "oci/reference.h"
#include "runtime/cancel.h"

static void replace(char **dst, const char *value)
{
	char *copy = xstrdup(value);

	free(*dst);
	*dst = copy;
}

/* ---- what the container was run with ---- */

/* The words that were executed, behind an entrypoint of the image's if they begin with it. */
static void take_command(struct oci_config *c, char *const *args)
{
	size_t n = strv_len(c->entrypoint);

	for (size_t i = 0; i < n; i++)
		if (!args[i] || !str_eq(args[i], c->entrypoint[i]))
			n = 0;
	if (!n) {
		strv_free(c->entrypoint);
		c->entrypoint = NULL;
	}
	strv_free(c->cmd);
	c->cmd = args[n] ? strv_copy(args + n) : NULL;
}

/* What every container gets is not the image's. */
static void take_env(struct oci_config *c, char *const *env)
{
	static const char *const own[] = { "HOSTNAME", "TERM", "container" };

	for (size_t i = 0; env && env[i]; i++) {
		cleanup_free char *name = xstrndup(env[i], strcspn(env[i], "="));
		bool skip = false;
		for (size_t k = 0; k < ARRAY_SIZE(own); k++)
			skip = skip || str_eq(name, own[k]);
		if (!skip || strv_env_get(c->env, name))
			strv_env_set(&c->env, env[i]);
	}
}

/* Without --init. */
static char **command_of(const struct spec_process *p)
{
	bool init = str_eq(p->args[0], SPEC_INIT) && strv_len(p->args) > SPEC_INIT_ARGS;

	return p->args + (init ? SPEC_INIT_ARGS : 0);
}

/* What it publishes, its image exposes, as with the others. */
static void take_ports(char *const *expose, char *const *publish, struct oci_config *c)
{
	struct port_publish p;

	for (char *const *w = expose; w && *w; w++)
		if (port_expose_parse(*w, &p, NULL) == 0)
			change_expose_ports(&p, c);
	for (char *const *w = publish; w && *w; w++)
		if (port_publish_parse(*w, &p, NULL) == 0)
			change_expose_ports(&p, c);
	if (c->exposed_ports.n >= OCI_KEYS_MAX)
		log_warn("the image exposes %d of the ports: it can have no more", OCI_KEYS_MAX);
}

static int take_settings(struct engine *eng, const struct container_tree *ct, struct oci_config *c,
			 struct err *err)
{
	const struct spec_process *p = ct->spec.process;
	cleanup_asked struct asked asked = { 0 };
	cleanup_strv char **env = NULL;
	int r;

	if (!p || !p->args)
		return err_fail(err, ERR_CORRUPT, "container %s has no command", ct->rec.name);
	take_command(c, command_of(p));
	r = asked_read(eng, ct->rec.id, &asked, err);
	if (r < 0)
		return r;
	env = strv_copy(p->env);
	secret_hide(asked.options.secret, env);
	take_env(c, env);
	if (p->cwd && (c->working_dir || !str_eq(p->cwd, "/")))
		replace(&c->working_dir, p->cwd);
	take_ports(asked.options.expose, asked.options.publish, c);
	for (size_t i = 0; i < ct->rec.labels.n; i++)
		json_map_set(&c->labels, ct->rec.labels.items[i].key,
			     ct->rec.labels.items[i].value);
	return 0;
}

static int make_config(struct engine *eng, const struct container_tree *ct,
		       const struct container_commit *opts, struct oci_image_config *config,
		       struct oci_history *history, struct err *err)
{
	char now[TIME_RFC3339_MAX];
	int64_t fixed = opts->timestamp >= 0 ? opts->timestamp : opts->newest;
	int r;

	time_rfc3339(fixed >= 0 ? fixed * INT64_C(1000000000) : time_now_ns(), now);
	if (!config->config)
		config->config = xcalloc(1, sizeof(*config->config));
	r = take_settings(eng, ct, config->config, err);
	for (size_t i = 0; r == 0 && opts->changes && opts->changes[i]; i++)
		r = change_apply(opts->changes[i], config->config, err);
	if (r < 0)
		return r;
	replace(&config->created, now);
	if (opts->author)
		replace(&config->author, opts->author);
	history->created = xstrdup(now);
	history->created_by = strv_join(command_of(ct->spec.process), " ");
	history->author = opts->author ? xstrdup(opts->author) : NULL;
	history->comment = opts->message ? xstrdup(opts->message) : NULL;
	return 0;
}

static void history_done(struct oci_history *history)
{
	free(history->created);
	free(history->created_by);
	free(history->author);
	free(history->comment);
}

/* ---- doing it ---- */

/* Unprivileged users may have no freezer on cgroup v1. */
static int freeze_as(struct engine *eng, const struct record *rec,
		     const struct container_commit *opts, struct freeze *ret, struct err *err)
{
	int r = opts->pause ? freeze_begin(eng, rec, ret, err) : 0;

	if (r == 0 || !opts->pause_or_not || err->kind != ERR_UNSUPPORTED)
		return r;
	log_warn("container %s can't be paused here: files that it writes meanwhile may be in the "
		 "image in part",
		 rec->name);
	*err = (struct err)ERR_INIT;
	return 0;
}

static int commit_paused(struct engine *eng, const struct container_tree *ct,
			 const struct container_commit *asked, const struct commit_options *opts,
			 struct image *ret, struct err *err)
{
	struct freeze freeze = FREEZE_INIT;
	int r = freeze_as(eng, &ct->rec, asked, &freeze, err);

	if (r == 0)
		r = image_commit(&eng->store, &ct->tree, opts, ret, err);
	freeze_end(&freeze);
	return r == -ECANCELED ? cancel_error(opts->cancel_fd, err) : r;
}

static int enter(struct engine *eng, const struct container_tree *ct,
		 const struct container_commit *opts, const struct image *image, struct err *err)
{
	const char *const words[] = { "comment",  opts->message ? opts->message : "",
				      "imageID",  image->id,
				      "imageRef", opts->name ? opts->name : "",
				      NULL };
	int r = db_begin(eng->db, err);

	if (r < 0)
		return r;
	r = images_enter_within(eng, IMAGE_KIND_IMAGE, image, 1, err);
	if (r == 0)
		r = event_container(eng, ct->rec.id, "commit", words, err);
	return db_end(eng->db, r, err);
}

static int commit_tree_as(struct engine *eng, const struct container_commit *opts,
			  const struct container_tree *ct, const char *name, char **ret_id,
			  struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	struct oci_history history = { 0 };
	struct commit_options how = { .base_manifest = ct->image.manifest,
				      .config = &config,
				      .history = &history,
				      .docker = opts->docker,
				      .timestamp = opts->timestamp,
				      .newest = opts->newest,
				      .cancel_fd = opts->cancel_fd };
	struct image image = { 0 };

	int r = image_read_config(&eng->store, ct->image.id, &config, err);
	if (r == 0)
		r = make_config(eng, ct, opts, &config, &history, err);
	if (r == 0)
		r = commit_paused(eng, ct, opts, &how, &image, err);
	history_done(&history);
	if (r == 0 && name)
		strv_add(&image.names, name);
	if (r == 0)
		r = enter(eng, ct, opts, &image, err);
	/* The container may be removed next: nobody could make it again. */
	r = images_added_safely(eng, r == 0 ? &image : NULL, r == 0, r, err);
	if (r == 0)
		*ret_id = xstrdup(image.id);
	image_done(&image);
	return r;
}

int container_commit(struct engine *eng, const struct container_commit *opts, char **ret_id,
		     struct err *err)
{
	cleanup_container_tree struct container_tree ct = { 0 };
	cleanup_free char *name = NULL;
	int64_t start_ns = time_now_ns();
	int r = 0;

	if (opts->name)
		r = reference_normalize(opts->name, &name, err);
	if (r == 0 && name && strchr(name, '@'))
		r = err_fail(err, ERR_USAGE, "a name with a digest can't be given: %s", opts->name);
	if (r < 0)
		return r;
	r = container_tree_open(eng, opts->container, &ct, err);
	if (r < 0)
		return r;
	r = commit_tree_as(eng, opts, &ct, name, ret_id, err);
	if (r == 0)
		images_keep_budget(eng, start_ns);
	return r < 0 ? err_wrap(err, r, "committing container %s", ct.rec.name) : 0;
}
