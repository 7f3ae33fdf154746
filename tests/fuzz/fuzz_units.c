/* SPDX-License-Identifier: Apache-2.0 */
/* Unit files and what is made of them: units/. */
#include "base/str.h"
#include "base/strv.h"
#include "units/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(const char *option, const char *value, struct err *err)
{
	return str_eq(option, "--publish") ? err_fail(err, ERR_UNSUPPORTED, "none") : 0;
}

static bool exists(const char *path)
{
	return *path == '/';
}

/* What is written is read as the same. */
static void check_round(const struct unit_file *u)
{
	cleanup_unit_file struct unit_file again = { 0 };
	cleanup_buf struct buf first = BUF_INIT, second = BUF_INIT;

	unit_file_write(u, &first);
	if (first.len > UNIT_BYTES_MAX)
		return;
	if (first.len && unit_file_parse(&again, first.data, first.len, "f", NULL) < 0)
		abort();
	unit_file_write(&again, &second);
	if (!str_eq(buf_str(&first), buf_str(&second)))
		abort();
}

static void check_words(const char *value)
{
	cleanup_strv char **words = NULL, **again = NULL;
	cleanup_buf struct buf line = BUF_INIT;

	if (unit_words(value, &words, NULL) < 0)
		return;
	unit_quote_all(&line, words);
	if (unit_words(buf_str(&line), &again, NULL) < 0 || strv_len(words) != strv_len(again))
		abort();
	for (size_t i = 0; words && words[i]; i++)
		if (!str_eq(words[i], again[i]))
			abort();
}

static void convert(const struct units *set, const struct units_unit *u)
{
	cleanup_unit_file struct unit_file out = { 0 };
	cleanup_free char *service = NULL;
	cleanup_strv char **links = NULL;
	struct err err = ERR_INIT;

	if (units_service(u, &service, &err) == 0 && units_links(u, service, &links, &err) == 0 &&
	    strv_len(links) % 2)
		abort();
	for (size_t i = 0; links && links[i]; i += 2)
		if (links[i][0] == '/' || str_starts(links[i], "..") || strstr(links[i], "/.."))
			abort();
	err.msg[0] = '\0';
	if (units_convert(set, u, &out, &err) == 0)
		check_round(&out);
	else if (!err.msg[0])
		abort();
}

/* The first line names the kind; a NUL begins the next file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a.container", "b@.volume", "c.image", "d@1.container",
					     "e.network",   "f.volume",  "g.pod" };
	const struct units_env env = { .inro = "/i", .check = check, .exists = exists };
	struct units set = { .env = &env };
	const char *at = (const char *)data, *end = at + size;

	for (size_t i = 0; i < ARRAY_SIZE(names) && at <= end && size; i++) {
		const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
		size_t n = (size_t)((nul ? nul : end) - at);
		cleanup_unit_file struct unit_file file = { 0 };
		struct err err = ERR_INIT;

		if (unit_file_parse(&file, at, n, "f", &err) < 0 && !err.msg[0])
			abort();
		check_round(&file);
		for (size_t s = 0; s < file.n; s++)
			for (size_t k = 0; k < file.sections[s].n; k++)
				check_words(file.sections[s].entries[k].value);
		units_add(&set, names[i], "/u/x", &file);
		at += n + 1;
	}
	for (size_t i = 0; i < set.n; i++)
		convert(&set, &set.items[i]);
	units_done(&set);
	return 0;
}
