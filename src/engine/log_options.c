/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log_options.h"

#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "runtime/journal.h"

const char *const log_driver_names[] = { "k8s-file", "json-file",   "none",
					 "journald", "passthrough", NULL };
#define EXPECTED "expected k8s-file, json-file, journald, passthrough or none"

#define ID_SHOWN 12

struct words {
	const char *value;
	const struct json_map *labels;
	struct record_options *ret;
};

static int parse_size(const struct words *w, struct err *err)
{
	uint64_t size = 0;

	if (str_eq(w->value, "-1")) {
		w->ret->log_max_size = INT64_MAX;
		return 0;
	}
	if (str_parse_bytes(w->value, &size) < 0 || size == 0 || size > INT64_MAX)
		return err_fail(
		    err, ERR_USAGE,
		    "invalid log option \"max-size=%s\": expected a size such as 10m, or "
		    "-1",
		    w->value);
	w->ret->log_max_size = size;
	return 0;
}

static int parse_files(const struct words *w, struct err *err)
{
	uint32_t n = 0;

	if (str_parse_u32(w->value, &n) < 0 || n == 0 || n > LOGLINE_FILES_MAX)
		return err_fail(
		    err, ERR_USAGE,
		    "invalid log option \"max-file=%s\": expected a number from 1 to %d", w->value,
		    LOGLINE_FILES_MAX);
	w->ret->log_max_files = n;
	return 0;
}

static int parse_mode(const struct words *w, struct err *err)
{
	w->ret->log_drop = str_eq(w->value, "non-blocking");
	if (w->ret->log_drop || str_eq(w->value, "blocking"))
		return 0;
	return err_fail(err, ERR_USAGE,
			"invalid log option \"mode=%s\": expected blocking or non-blocking",
			w->value);
}

/* docker's words in it: {{.Name}} and its like. */
static int expand_tag(const char *tag, const struct record *rec, struct buf *out, struct err *err)
{
	cleanup_free char *id = xstrndup(rec->id, ID_SHOWN);
	const char *full = rec->image ? rec->image : "";
	const char *hex = str_after(full, "sha256:");
	cleanup_free char *image = xstrndup(hex ? hex : full, ID_SHOWN);
	const struct {
		const char *word, *value;
	} words[] = {
		{ "{{.ID}}", id },
		{ "{{.FullID}}", rec->id },
		{ "{{.Name}}", rec->name },
		{ "{{.ImageID}}", image },
		{ "{{.ImageFullID}}", full },
		{ "{{.ImageName}}", rec->image_name },
		{ "{{.DaemonName}}", "inro" },
	};

	while (*tag) {
		const char *rest = NULL;

		for (size_t i = 0; !rest && i < ARRAY_SIZE(words); i++) {
			rest = str_after(tag, words[i].word);
			if (rest)
				buf_adds(out, words[i].value ? words[i].value : "");
		}
		if (!rest && str_starts(tag, "{{"))
			return err_fail(
			    err, ERR_USAGE,
			    "log option \"tag\": \"%s\" is none of {{.ID}}, {{.FullID}}, "
			    "{{.Name}}, {{.ImageID}}, {{.ImageFullID}}, {{.ImageName}} and "
			    "{{.DaemonName}}",
			    tag);
		if (!rest) {
			buf_addc(out, *tag);
			rest = tag + 1;
		}
		tag = rest;
	}
	return 0;
}

static void add_field(struct buf *out, const char *name, const char *value)
{
	cleanup_free char *line = xstrdup(value);

	str_mask_controls(line, "");
	buf_addf(out, "%s=%s\n", name, line);
}

static void add_label(const struct words *w, const char *name, const char *value, struct buf *attrs)
{
	cleanup_free char *field = NULL;

	if (w->ret->log_driver == LOGLINE_JOURNAL) {
		field = journal_field_name(name);
		if (field)
			add_field(attrs, field, value);
		return;
	}
	buf_addc(attrs, attrs->len ? ',' : '{');
	json_write_string(attrs, name);
	buf_addc(attrs, ':');
	json_write_string(attrs, value);
}

static int parse_labels(const struct words *w, struct err *err)
{
	cleanup_strv char **names = strv_split(w->value, ',');
	cleanup_buf struct buf attrs = BUF_INIT;

	if (w->ret->log_driver != LOGLINE_JSON && w->ret->log_driver != LOGLINE_JOURNAL)
		return err_fail(err, ERR_USAGE,
				"log option \"labels\" needs the log driver json-file or journald");
	for (size_t i = 0; names[i]; i++) {
		const char *value = json_map_get(w->labels, names[i]);

		if (value)
			add_label(w, names[i], value, &attrs);
	}
	if (!attrs.len)
		return 0;
	if (w->ret->log_driver == LOGLINE_JSON)
		buf_addc(&attrs, '}');
	if (attrs.len > LOGLINE_ATTRS_MAX)
		return err_fail(err, ERR_LIMIT, "labels of the log are longer than %u bytes",
				LOGLINE_ATTRS_MAX);
	free(w->ret->log_attrs);
	w->ret->log_attrs = buf_take(&attrs);
	return 0;
}

static int parse_tag(const struct words *w, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	const struct record none = { .id = (char *)"", .name = (char *)"" };

	if (w->ret->log_driver != LOGLINE_JOURNAL)
		return err_fail(err, ERR_USAGE, "log option \"tag\" needs the log driver journald");
	free(w->ret->log_tag);
	w->ret->log_tag = xstrdup(w->value);
	return expand_tag(w->value, &none, &out, err);
}

/* Of a file. */
static int check_file(const char *key, const struct words *w, struct err *err)
{
	int driver = w->ret->log_driver;

	if (driver == LOGLINE_CRI || driver == LOGLINE_JSON)
		return 0;
	return err_fail(err, ERR_USAGE, "log option \"%.*s\" needs a log driver that writes files",
			(int)strlen(key) - 1, key);
}

static const struct {
	const char *key; /* with "=" */
	int (*parse)(const struct words *w, struct err *err);
	bool of_file;
} options[] = {
	{ "max-size=", parse_size, true }, { "max-file=", parse_files, true },
	{ "mode=", parse_mode, false },    { "labels=", parse_labels, false },
	{ "tag=", parse_tag, false },
};

static int parse_option(const char *word, struct words *w, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		int r = 0;

		w->value = str_after(word, options[i].key);
		if (!w->value)
			continue;
		if (options[i].of_file)
			r = check_file(options[i].key, w, err);
		return r < 0 ? r : options[i].parse(w, err);
	}
	return err_fail(
	    err, ERR_UNSUPPORTED,
	    "log option \"%s\" is not supported: expected max-size=, max-file=, mode=, labels= or "
	    "tag=",
	    word);
}

static int find_driver(const char *word, struct err *err)
{
	for (int i = 0; log_driver_names[i]; i++)
		if (str_eq(word, log_driver_names[i]))
			return i;
	return err_fail(err, ERR_UNSUPPORTED, "log driver \"%s\" is not supported: " EXPECTED,
			word);
}

int log_driver_check(const char *word, struct err *err)
{
	int r = find_driver(word, err);

	if (r == LOGLINE_PASSTHROUGH)
		return err_fail(err, ERR_INVALID,
				"passthrough can be asked for with --log-driver only");
	return r < 0 ? r : 0;
}

static void take_configured(const struct config *config, int driver, struct record_options *ret)
{
	ret->log_driver = driver;
	ret->log_max_size = config->log.max_size ? config->log.max_size : INT64_MAX;
	ret->log_max_files = (uint32_t)config->log.max_files;
}

/* driver NULL: also that. */
static int take_settings(struct engine *eng, const char *driver, struct record_options *ret,
			 struct err *err)
{
	cleanup_config struct config built_in = { 0 };
	const struct config *config;
	struct err own = ERR_INIT;
	int r;

	if (config_get(eng, &config, &own) < 0) {
		log_warn("%s", own.msg);
		config_finish(&built_in);
		config = &built_in;
	}
	r = find_driver(driver ? driver : config->log.driver, err);
	if (r >= 0)
		take_configured(config, r, ret);
	return r < 0 ? r : 0;
}

int log_options_parse(struct engine *eng, const char *driver, char *const *words,
		      const struct json_map *labels, struct record_options *ret, struct err *err)
{
	struct words w = { .labels = labels, .ret = ret };
	int r = take_settings(eng, driver, ret, err);

	for (size_t k = 0; r == 0 && words && words[k]; k++)
		r = parse_option(words[k], &w, err);
	return r;
}

int log_passthrough_check(struct err *err)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (isatty(fd))
			return err_fail(
			    err, ERR_USAGE,
			    "the '--log-driver passthrough' option cannot be used on a TTY");
	return 0;
}

int log_journal_fields(const struct record *rec, struct buf *out, struct err *err)
{
	const struct record_options *o = &rec->options;
	cleanup_buf struct buf tag = BUF_INIT;
	cleanup_free char *id = xstrndup(rec->id, ID_SHOWN);
	int r = expand_tag(o->log_tag ? o->log_tag : "{{.ID}}", rec, &tag, err);

	if (r < 0)
		return r;
	add_field(out, "CONTAINER_ID", id);
	add_field(out, "CONTAINER_ID_FULL", rec->id);
	add_field(out, "CONTAINER_NAME", rec->name);
	add_field(out, "CONTAINER_TAG", buf_str(&tag));
	add_field(out, "IMAGE_NAME", rec->image_name ? rec->image_name : "");
	add_field(out, "SYSLOG_IDENTIFIER", buf_str(&tag));
	buf_adds(out, o->log_attrs ? o->log_attrs : "");
	if (out->len >= LOGLINE_ATTRS_MAX)
		return err_fail(err, ERR_LIMIT,
				"tag and labels of the log are longer than %u bytes",
				LOGLINE_ATTRS_MAX);
	return 0;
}
