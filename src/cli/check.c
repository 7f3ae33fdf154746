/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/check.h"
#include "oci/reference.h"

struct check_cli_options {
	bool force, quick, repair;
	char *format, *max;
};

static const struct opt opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct check_cli_options, force),
	  .help = "repair, and remove containers of damaged images and damaged containers, too" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct check_cli_options, format),
	  .arg = "FORMAT",
	  .help = "json, or a Go template" },
	{ .name = "max",
	  .short_name = 'm',
	  .kind = OPT_STR,
	  OPT_FIELD(struct check_cli_options, max),
	  .arg = "DURATION",
	  .help = "downloads that were broken off longer ago are leftovers (default: 24h)" },
	{ .name = "quick",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct check_cli_options, quick),
	  .help = "see what is there, but read nothing through" },
	{ .name = "repair",
	  .short_name = 'r',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct check_cli_options, repair),
	  .help = "make good what can be, remove other damaged images that no container has, and "
		  "leftovers" },
};

static int fill(const struct check_cli_options *o, struct check_options *ret, struct err *err)
{
	*ret = (struct check_options){ .quick = o->quick,
				       .repair = o->repair || o->force,
				       .force = o->force,
				       .max_ns = 24 * 3600 * INT64_C(1000000000) };
	if (o->max && time_parse_duration(o->max, &ret->max_ns) < 0)
		return err_fail(err, ERR_USAGE, "--max: expected a duration like 12h, got \"%s\"",
				o->max);
	return 0;
}

static void add_lines(struct buf *out, const char *title, char *const *lines)
{
	if (lines)
		buf_addf(out, "%s:\n", title);
	for (size_t i = 0; lines && lines[i]; i++)
		buf_addf(out, "\t%s\n", lines[i]);
}

/* "docker.io/library/box:1" as the user calls it. */
static char *shown_name(const struct check_item *item)
{
	cleanup_reference struct reference ref = { 0 };

	if (!item->names || reference_parse(item->names[0], &ref, NULL) < 0)
		return item->names ? xstrdup(item->names[0]) : NULL;
	return reference_familiar(&ref);
}

static void add_item(struct buf *out, const char *kind, const struct check_item *item)
{
	cleanup_free char *name = shown_name(item);
	cleanup_free char *title =
	    xasprintf("%s %s %s%s%s%s", item->certain ? "Damaged" : "Unchecked", kind, item->id,
		      name ? " (" : "", name ? name : "", name ? ")" : "");

	add_lines(out, title, item->problems);
	if (item->removed)
		buf_addf(out, "Deleted damaged %s: %s\n", kind, item->id);
}

static void add_advice(struct buf *out, const struct check_report *report)
{
	if (report->skipped)
		buf_adds(out, "Nothing can be made good on a file system that is read-only.\n");
	else if (report->images.n)
		buf_adds(out,
			 "`inro system check --repair` makes good what can be and removes "
			 "other damaged images, to be got again (`inro pull`, `inro load`).\n");
	else if (report->containers.n)
		buf_adds(out, "`inro system check --force` removes damaged containers.\n");
	else if (report->stopped)
		buf_adds(out, "Nothing else was looked at: what such a database says is no ground "
			      "to remove anything.\n");
	else
		buf_adds(out, "`inro system check --repair` makes good what can be.\n");
}

static void add_leftover(struct buf *out, const struct check_leftover *left)
{
	cleanup_free char *size = cli_size(left->size);

	buf_addf(out, "%s %s: %s, %s\n", left->removed ? "Deleted leftover" : "Leftover",
		 left->path, size, left->why);
}

static void add_report(struct buf *out, const struct check_report *report, bool repaired)
{
	add_lines(out, "Damaged database", report->database);
	add_lines(out, "Damaged networks", report->networks);
	add_lines(out, "Not checked", report->skipped);
	for (size_t i = 0; i < report->images.n; i++)
		add_item(out, "image", &report->images.items[i]);
	for (size_t i = 0; i < report->containers.n; i++)
		add_item(out, "container", &report->containers.items[i]);
	for (size_t i = 0; i < report->leftovers.n; i++)
		add_leftover(out, &report->leftovers.items[i]);
	if (!repaired && report->damaged)
		add_advice(out, report);
	buf_addf(out,
		 "Checked %" PRIu64 " images, %" PRIu64 " blobs, %" PRIu64 " layers, %" PRIu64
		 " containers: %s\n",
		 report->checked_images, report->checked_blobs, report->checked_layers,
		 report->checked_containers,
		 report->certain   ? "damage found"
		 : report->damaged ? "not all could be checked"
				   : "no damage");
}

static int print(const struct check_cli_options *o, const struct check_report *report,
		 bool repaired, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	int r = 0;

	if (o->format)
		r = cli_format_object(o->format, &check_report_desc, report, &out, err);
	else
		add_report(&out, report, repaired);
	/* Names of files, and what a broken database says. */
	if (!o->format)
		str_mask_controls(out.data, "\n\t");
	return r < 0 ? r : cli_print(&out, err);
}

/* What is still damaged, now that all has been done that was to be done. */
static int verdict(struct engine *eng, const struct check_options *done,
		   const struct check_report *report, struct err *err)
{
	cleanup_check_report struct check_report again = { .damaged = false };
	struct check_options now = *done;

	if (!report->damaged)
		return 0;
	if (!now.repair && !report->certain)
		return err_fail(err, ERR_SYSTEM, "not all of the local storage could be checked");
	if (!now.repair)
		return err_fail(err, ERR_CORRUPT, "damage detected in local storage");
	now.repair = now.force = false;
	int r = engine_check(eng, &now, &again, err);
	if (r < 0 || !again.damaged)
		return r;
	if (!again.certain)
		return err_fail(err, ERR_SYSTEM, "not all of the local storage could be checked");
	r = err_fail(err, ERR_CORRUPT,
		     "damage in local storage still present after repair attempt");
	return !again.images.n
		   ? r
		   : err_hint(err, r, "images that containers have are removed with --force only");
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct check_cli_options *o = options;
	cleanup_check_report struct check_report report = { .damaged = false };
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct check_options how;

	int r = fill(o, &how, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = engine_check(&eng, &how, &report, err);
	if (r == 0)
		r = print(o, &report, how.repair, err);
	return r < 0 ? r : verdict(&eng, &how, &report, err);
}

const struct cmd cmd_system_check = {
	.name = "check",
	.args = "[OPTIONS]",
	.summary = "Verify images, containers and the database, and repair",
	.details = "Hashes every blob, unpacks every layer once more and compares it with what is "
		   "there, looks whether the database and the disk agree, and names what is "
		   "damaged, the images that need it, and what belongs to nobody.\n\n"
		   "The exit status is 0 when nothing is damaged or all was made good, else 125.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct check_cli_options),
	.run = run,
};
