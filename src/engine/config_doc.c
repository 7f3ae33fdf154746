/* SPDX-License-Identifier: Apache-2.0 */
/* What the manual and the example file say about the settings. */
#include "base/opt.h"
#include "base/str.h"
#include "engine/config.h"

#define EXAMPLE_WIDTH 78

static void write_kind(const struct config_setting *s, struct buf *out)
{
	if (s->kind == CONFIG_LIST)
		buf_adds(out, " May be given several times.");
	if (s->initial) {
		buf_adds(out, " Default: ");
		opt_man_text(out, s->initial);
		buf_addc(out, '.');
	}
}

void config_write_man(struct buf *out)
{
	const char *section = "";

	for (size_t i = 0; i < config_n_settings; i++) {
		const struct config_setting *s = &config_settings[i];

		if (!str_eq(section, s->section)) {
			section = s->section;
			/* scdoc lets roff see quotes and escapes in a heading */
			buf_addf(out, "## [%s%s]\n\n", section,
				 str_eq(section, CONFIG_REGISTRY) ? " NAME" : "");
		}
		buf_adds(out, "*");
		opt_man_text(out, s->key);
		buf_addf(out, "%s* = ", s->kind == CONFIG_MAP ? "NAME" : "");
		opt_man_text(out, s->arg);
		buf_adds(out, "\n\t");
		opt_man_text(out, s->help);
		write_kind(s, out);
		buf_adds(out, "\n\n");
	}
}

/* As comment lines of bounded width. */
static void write_comment(const char *text, struct buf *out)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");

		if (column && column + 1 + n > EXAMPLE_WIDTH) {
			buf_addc(out, '\n');
			column = 0;
		}
		buf_adds(out, column ? " " : "# ");
		buf_add(out, text, n);
		column += (column ? 1 : 2) + n;
		text += n + (text[n] == ' ');
	}
	buf_addc(out, '\n');
}

void config_write_example(struct buf *out)
{
	const char *section = "";

	buf_adds(out,
		 "# Settings of inro: see inro.conf(5). This is an example, in which everything "
		 "is\n# commented out and what has a default shows it. inro reads "
		 "/etc/inro/inro.conf.\n");
	for (size_t i = 0; i < config_n_settings; i++) {
		const struct config_setting *s = &config_settings[i];

		if (!str_eq(section, s->section)) {
			section = s->section;
			buf_addf(out, "\n#[%s%s]\n", section,
				 str_eq(section, CONFIG_REGISTRY) ? " \"docker.io\"" : "");
		}
		buf_addc(out, '\n');
		write_comment(s->help, out);
		buf_addf(out, "#%s%s = %s\n", s->key, s->kind == CONFIG_MAP ? "NAME" : "",
			 s->initial ? s->initial : s->arg);
	}
}
