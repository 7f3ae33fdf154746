/* SPDX-License-Identifier: Apache-2.0 */
/* system reset: everything goes. What can't is reported, and does not keep the rest. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/select.h"
#include "cli/cli.h"
#include "engine/containers_query.h"
#include "engine/images_query.h"
#include "engine/network_devices.h"
#include "engine/network_query.h"
#include "engine/pod_verbs.h"
#include "engine/remove.h"
#include "engine/secrets.h"
#include "engine/volumes.h"

struct reset_options {
	bool force;
};

static const struct opt opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct reset_options, force),
	  .help = "do not ask" },
};

/* Of one thing that was there a moment ago. 1: it stays. */
static int outcome(int r, const struct err *err)
{
	if (r == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	cli_report(err);
	return 1;
}

static int reset_pods(struct engine *eng, struct err *err)
{
	const struct pod_end_how how = { .kind = POD_END_REMOVE, .force = true };
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_free struct pod_end **ends = NULL;
	size_t begun = 0, ahead = 0; /* pods, and containers of these that are not removed yet */
	int status = 0, r = pods_query(eng, NULL, &views, err);

	if (r < 0)
		return r;
	ends = xcalloc(views.n + 1, sizeof(void *));
	for (size_t i = 0; i < views.n; i++) {
		struct err one = ERR_INIT;

		for (; begun < views.n && (begun == i || ahead < CLI_AT_ONCE); begun++) {
			ends[begun] = pod_end_begin(eng, &views.items[begun], &how);
			ahead += views.items[begun].n;
		}
		status |= outcome(pod_end_finish(eng, ends[i], &one), &one);
		pod_end_free(ends[i]);
		ahead -= views.items[i].n;
	}
	return status;
}

static int reset_containers(struct engine *eng, struct err *err)
{
	const struct containers_query query = { .all = true };
	cleanup_record_list struct record_list list = { 0 };
	cleanup_strv char **killed = NULL;
	int status = 0, r = containers_query(eng, &query, &list, err);
	size_t begun = 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		const char *id = list.items[i].id;
		struct err one = ERR_INIT;

		for (; begun < list.n && begun < i + CLI_AT_ONCE; begun++) {
			char *other = engine_remove_begin(eng, list.items[begun].id);

			strv_take(&killed, other ? other : xstrdup(""));
		}
		r = killed[i][0] ? engine_remove_killed(eng, id, true, &one)
				 : engine_remove(eng, id, true, true, &one);
		status |= outcome(r, &one);
	}
	return status;
}

static int reset_networks(struct engine *eng, struct err *err)
{
	struct err one = ERR_INIT, lent = ERR_INIT;
	int status = outcome(networks_reset(eng, &one), &one);

	return outcome(net_devices_sweep(eng, &lent), &lent) | status;
}

static int reset_volumes(struct engine *eng, struct err *err)
{
	cleanup_volume_list struct volume_list list = { 0 };
	int status = 0, r = volumes_list(eng, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		struct err one = ERR_INIT;

		status |= outcome(volume_remove(eng, list.items[i].name, &one), &one);
	}
	return status;
}

static int reset_images(struct engine *eng, struct err *err)
{
	const struct images_query query = { .ids_only = true, .artifacts = true };
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_strv char **lines = NULL;
	int status = 0, r = images_query(eng, &query, &rows, err);
	uint64_t freed;

	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.n; i++) {
		struct err one = ERR_INIT;

		r = images_remove_whole(eng, rows.items[i].id, true, &lines, &one);
		status |= outcome(r, &one);
	}
	r = images_prune(eng, true, NULL, &lines, &freed, err); /* broken downloads */
	return r < 0 ? r : status;
}

static int reset_secrets(struct engine *eng, struct err *err)
{
	cleanup_secret_list struct secret_list list = { 0 };
	int status = 0, r = secret_list(eng, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		struct err one = ERR_INIT;

		status |= outcome(secret_remove(eng, list.items[i].id, &one), &one);
	}
	return status;
}

static const struct {
	const char *what;
	int (*reset)(struct engine *eng,
		     struct err *err); /* 1: something stays, and was reported */
} steps[] = {
	{ "pods", reset_pods },
	{ "containers, also those that run", reset_containers },
	{ "networks", reset_networks },
	{ "volumes", reset_volumes },
	{ "images and artifacts", reset_images },
	{ "secrets", reset_secrets },
};

static bool confirmed(void)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_adds(&text, "WARNING! This will remove:\n");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		buf_addf(&text, "  - all %s\n", steps[i].what);
	return cli_confirmed(buf_str(&text));
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct reset_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int status = 0, r;

	if (!o->force && !confirmed())
		return 0;
	r = cli_engine(globals, &eng, err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++) {
		r = steps[i].reset(&eng, err);
		status |= r > 0;
	}
	return r < 0 ? r : status;
}

const struct cmd cmd_system_reset = {
	.name = "reset",
	.args = "[OPTIONS]",
	.summary = "Remove all pods, containers, networks, volumes, images and secrets",
	.details = "What other users have, settings and credentials stay.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct reset_options),
	.run = run,
};
