/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/doctor.h"

#include "base/str.h"
#include "cli/cli.h"
#include "cli/format.h"

struct doctor_options {
	char *format;
};

static const char *const formats[] = { "json", "text", NULL };

static const struct opt opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct doctor_options, format),
	  .arg = "json|text",
	  .choices = formats,
	  .help = "how to print what was found (default text)" },
};

static void write_text(const struct doctor_report *report, struct buf *out)
{
	for (size_t i = 0; i < report->items.n; i++) {
		const struct doctor_finding *f = &report->items.items[i];

		buf_addf(out, "%-4s  %s: %s\n", doctor_verdict_names[f->verdict], f->check,
			 f->text);
		if (f->cure)
			buf_addf(out, "      -> %s\n", f->cure);
	}
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct doctor_options *o = options;
	cleanup_doctor_report struct doctor_report report = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int status = 0;
	int r = cli_engine(globals, &eng, err);

	if (r < 0)
		return r;
	engine_doctor(&eng, &report);
	if (str_eq(o->format, "json"))
		json_write(&doctor_report_desc, &report, JSON_PRETTY | JSON_NEWLINE, &out);
	else
		write_text(&report, &out);
	for (size_t i = 0; i < report.items.n; i++)
		if (report.items.items[i].verdict == DOCTOR_FAIL)
			status = 1;
	r = cli_print(&out, err);
	return r < 0 ? r : status;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.args = "[OPTIONS]",
	.summary = "Look whether this machine has what containers need",
	.details = "Prints a line for each thing that is looked at, \"ok\", \"warn\" or \"fail\", "
		   "and below it "
		   "what mends a fault. Nothing is changed.\n\nExits with 1 when something fails.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct doctor_options),
	.run = run,
};
