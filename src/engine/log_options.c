/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/log_options.h"

#include "base/str.h"
#include "base/strv.h"

const char *const log_driver_names[] = { "k8s-file", "json-file", "none", NULL };

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

static int parse_labels(const struct words *w, struct err *err)
{
	cleanup_strv char **names = strv_split(w->value, ',');
	cleanup_buf struct buf attrs = BUF_INIT;

	if (w->ret->log_driver != LOGLINE_JSON)
		return err_fail(err, ERR_USAGE,
				"log option \"labels\" needs the log driver json-file");
	for (size_t i = 0; names[i]; i++) {
		const char *value = json_map_get(w->labels, names[i]);

		if (!value)
			continue;
		buf_addc(&attrs, attrs.len ? ',' : '{');
		json_write_string(&attrs, names[i]);
		buf_addc(&attrs, ':');
		json_write_string(&attrs, value);
	}
	if (!attrs.len)
		return 0;
	buf_addc(&attrs, '}');
	if (attrs.len > LOGLINE_ATTRS_MAX)
		return err_fail(err, ERR_LIMIT, "labels of the log are longer than %u bytes",
				LOGLINE_ATTRS_MAX);
	free(w->ret->log_attrs);
	w->ret->log_attrs = buf_take(&attrs);
	return 0;
}

static const struct {
	const char *key; /* with "=" */
	int (*parse)(const struct words *w, struct err *err);
} options[] = {
	{ "max-size=", parse_size },
	{ "max-file=", parse_files },
	{ "mode=", parse_mode },
	{ "labels=", parse_labels },
};

static int parse_option(const char *word, struct words *w, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		w->value = str_after(word, options[i].key);
		if (w->value)
			return options[i].parse(w, err);
	}
	return err_fail(
	    err, ERR_UNSUPPORTED,
	    "log option \"%s\" is not supported: expected max-size=, max-file=, mode= or "
	    "labels=",
	    word);
}

int log_options_parse(const char *driver, char *const *words, const struct json_map *labels,
		      struct record_options *ret, struct err *err)
{
	struct words w = { .labels = labels, .ret = ret };
	int r = 0, i = 0;

	while (driver && log_driver_names[i] && !str_eq(driver, log_driver_names[i]))
		i++;
	if (!log_driver_names[i])
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "log driver \"%s\" is not supported: expected k8s-file, json-file or "
		    "none",
		    driver);
	ret->log_driver = i;
	ret->log_max_size = LOG_SIZE_DEFAULT;
	ret->log_max_files = LOG_FILES_DEFAULT;
	for (size_t k = 0; r == 0 && words && words[k]; k++)
		r = parse_option(words[k], &w, err);
	return r;
}
