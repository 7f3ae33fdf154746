/* SPDX-License-Identifier: Apache-2.0 */
/* The image that a container is made of: found, pulled, loaded, or fetched again. */
#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/copy.h"
#include "engine/lists.h"
#include "engine/pull.h"
#include "engine/rootfs_dir.h"
#include "engine/run_internal.h"

static int pull_image(struct run *run, const char *word, struct err *err)
{
	const struct pull_options options = {
		.platform = run->opts->platform,
		.events = run->opts->pull_events,
	};
	cleanup_free char *id = NULL;
	int r;

	r = engine_pull(run->eng, word, &options, &id, err);
	/* By its id: for the word may mean another platform's, too. */
	return r < 0 ? r : images_find(run->eng, id, &run->image, err);
}

/* podman's: "dir:/PATH", "oci-archive:./FILE" and the like, which are no references. */
static bool is_path_word(const char *word)
{
	const char *colon = strchr(word, ':');

	if (str_starts(word, "docker-daemon:") || str_starts(word, "containers-storage:"))
		return true;
	return colon && (colon[1] == '/' || colon[1] == '.') && !str_starts(colon, "://");
}

static int load_image(struct run *run, const char *word, struct err *err)
{
	const struct transport_name to = { .kind = TRANSPORT_STORE };
	const struct copy_options copy = { .platform = run->opts->platform, .out_fd = -EBADF };
	cleanup_copy_result struct copy_result result = { 0 };
	cleanup_transport struct transport_name from = { 0 };
	int r = transport_parse(word, &from, err);

	if (r == 0 && !from.path)
		r = err_fail(err, ERR_INVALID, "invalid image: %s", word);
	if (r == 0)
		r = engine_copy(run->eng, &from, &to, &copy, &result, err);
	return r < 0 ? r : images_find(run->eng, result.id, &run->image, err);
}

/* -ENOENT: it is here, but for another platform than --platform. */
static int check_platform(struct run *run, struct err *err)
{
	struct oci_platform want = { 0 };
	int r = 0;

	if (run->opts->platform)
		r = oci_platform_parse(run->opts->platform, &want, err);
	if (r == 0 && want.os &&
	    !(str_eq(want.os, run->image.os) &&
	      str_eq(want.architecture, run->image.architecture) &&
	      (!want.variant || str_eq(want.variant, run->image.variant)))) {
		r = err_fail(err, ERR_NOT_FOUND, "No such image for platform %s",
			     run->opts->platform);
		image_row_done(&run->image);
	}
	oci_platform_done(&want);
	return r;
}

/* Of a list made here, its image for the platform. */
static int find_here(struct run *run, const char *word, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r = images_find(run->eng, word, &row, err);

	if (r == 0 && row.kind == IMAGE_KIND_LIST) {
		r = lists_image(run->eng, &row, run->opts->platform, &run->image, err);
		if (r == 0)
			images_used(run->eng, &row);
		/* a registry need not have the list: what is missing here is not looked for there
		 */
		return r == -ENOENT ? err_set_kind(err, -EINVAL, ERR_CONFLICT) : r;
	}
	if (r == 0 && row.kind == IMAGE_KIND_ARTIFACT)
		r = err_fail(err, ERR_UNSUPPORTED, "%s is an artifact, not an image", word);
	if (r < 0)
		return r;
	run->image = row;
	row = (struct image_row){ 0 };
	return check_platform(run, err);
}

static int find_or_pull(struct run *run, const char *word, struct err *err)
{
	const char *when = run->opts->pull;
	int r;

	if (is_path_word(word))
		return load_image(run, word, err);
	if (str_eq(when, "always"))
		return pull_image(run, word, err);
	r = find_here(run, word, err);
	if (r != -ENOENT)
		return r;
	if (str_eq(when, "never"))
		return err_hint(err, r, "get it with `inro pull`, or leave --pull never out");
	if (run->opts->on_missing)
		run->opts->on_missing(word);
	return pull_image(run, word, err);
}

static int find_rootfs(struct run *run, const char *word, struct err *err)
{
	struct record_options *o = &run->rec.options;
	char *path = NULL;
	int r = rootfs_dir_parse(word, o, err);

	if (r == 0 && o->rootfs_idmap && run->eng->rootless)
		r = err_fail(err, ERR_UNSUPPORTED, "--rootfs %s: ids are mapped by root alone",
			     word);
	if (r == 0)
		r = run_path_from_cwd(o->rootfs, &path, err);
	if (r < 0)
		return r;
	/* Who makes another one like it is in another directory. */
	free(run->rec.image_name);
	run->rec.image_name = xasprintf("%s%s", path, word + strlen(o->rootfs));
	free(o->rootfs);
	o->rootfs = path;
	run->rec.image = xstrdup("");
	return 0;
}

int run_find_image(struct run *run, const char *word, struct err *err)
{
	int r;

	run->rec.image_name = xstrdup(word);
	if (run->opts->infra) {
		run->rec.image = xstrdup("");
		return 0;
	}
	if (run->opts->rootfs)
		return find_rootfs(run, word, err);
	if (str_eq(word, IMAGE_HOST)) {
		run->host_image = true;
		run->rec.image = xstrdup(IMAGE_HOST);
		return 0;
	}
	r = find_or_pull(run, word, err);
	if (r == 0)
		r = engine_store(run->eng, err);
	if (r < 0)
		return r;
	r = image_read_config(&run->eng->store, run->image.id, &run->config, err);
	if (r == 0)
		run->rec.image = xstrdup(run->image.id);
	else
		run->incomplete = err->kind == ERR_CORRUPT || err->kind == ERR_NOT_FOUND;
	return r;
}

int engine_run_image(struct engine *eng, const struct run_options *opts, const char *word,
		     char **ret_id, struct err *err)
{
	struct run run = { .eng = eng, .opts = opts, .cid_fd = -EBADF };
	int r = run_find_image(&run, word, err);

	if (r == 0)
		*ret_id = take_ptr(run.rec.image);
	run_input_done(&run);
	return r;
}

/* By digest, from the repositories that it is known to be in: what is tagged there now may be
 * another image, and one that was loaded may be called like a stranger's. */
int run_fetch_again(struct run *run, int r, struct err *err)
{
	const struct image_row *image = &run->image;
	cleanup_strv char **digests = NULL;
	cleanup_free char *platform =
	    xasprintf("%s/%s%s%s", image->os ? image->os : "linux",
		      image->architecture ? image->architecture : "", image->variant ? "/" : "",
		      image->variant ? image->variant : "");
	const struct pull_options options = {
		.platform = image->architecture ? platform : NULL,
		.events = run->opts->pull_events,
	};

	if (!run->incomplete || str_eq(run->opts->pull, "never") ||
	    images_repo_digests(run->eng, image->id, &digests, NULL) < 0)
		return r;
	for (size_t i = 0; digests && digests[i]; i++) {
		cleanup_free char *id = NULL;
		struct err own = ERR_INIT;

		/* The container's signals, which wait for it to be there, are for the pull. */
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		log_warn("%s: getting it again from %s", err->msg, digests[i]);
		if (engine_pull(run->eng, digests[i], &options, &id, &own) < 0)
			log_warn("%s", own.msg);
		else if (str_eq(id, image->id))
			return 0;
	}
	return r;
}
