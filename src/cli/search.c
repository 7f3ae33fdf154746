/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/search.h"

#include <inttypes.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/format.h"

#define LIMIT_DEFAULT   25
#define LIMIT_MAX       100
#define DESCRIPTION_MAX 45 /* characters in a table */

struct search_options {
	char **filter;
	char *format;
	struct opt_u64 limit;
	bool no_trunc, list_tags, compatible;
	struct cli_access access;
};

static int parse_limit(void *field, const char *value, struct err *err)
{
	struct opt_u64 *to = field;

	if (str_parse_u64(value, &to->value) < 0)
		return err_fail(err, ERR_USAGE, "--limit: expected a number, got \"%s\"", value);
	to->set = true;
	return 0;
}

static const struct opt opts[] = {
	{ .name = "compatible",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct search_options, compatible),
	  .help = "docker's columns, which are always shown; for the sake of scripts" },
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct search_options, filter),
	  .arg = "NAME=VALUE",
	  .help = "only results that fit: stars=NUMBER, is-official=BOOL" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct search_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "limit",
	  .kind = OPT_FN,
	  OPT_FIELD(struct search_options, limit),
	  .arg = "NUMBER",
	  .parse = parse_limit,
	  .help = "at most so many results of each registry (default 25), or so many tags (default "
		  "all)" },
	{ .name = "list-tags",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct search_options, list_tags),
	  .help = "list the tags of a repository" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct search_options, no_trunc),
	  .help = "show descriptions whole" },
	CLI_ACCESS_OPTS(struct search_options, access),
};

/* ---- filters ---- */

struct wanted {
	int64_t stars;
	struct opt_bool official;
};

static int parse_filters(char *const *filters, struct wanted *ret, struct err *err)
{
	for (size_t i = 0; filters && filters[i]; i++) {
		const char *stars = str_after(filters[i], "stars=");
		const char *official = str_after(filters[i], "is-official=");
		int r = -EINVAL;

		if (stars)
			r = str_parse_i64(stars, &ret->stars);
		else if (official)
			r = str_parse_bool(official, &ret->official.value);
		if (r < 0)
			return err_fail(err, ERR_USAGE,
					"invalid filter \"%s\": expected stars=NUMBER or "
					"is-official=BOOL",
					filters[i]);
		ret->official.set = ret->official.set || official;
	}
	return 0;
}

static bool fits(const struct wanted *want, const struct search_result *r)
{
	return r->stars >= want->stars &&
	       (!want->official.set || r->official == want->official.value);
}

/* ---- output ---- */

static char *shorten(const char *s)
{
	size_t n = 0;

	for (size_t i = 0; i < DESCRIPTION_MAX - 1 && s[n]; i++)
		n += str_utf8_len(s + n) ? str_utf8_len(s + n) : 1;
	if (!s[n] || !s[n + 1])
		return xstrdup(s);
	return xasprintf("%.*s\xe2\x80\xa6", (int)n, s);
}

struct row {
	const struct search_result *result;
	bool whole, json;
};
#define ROW(r) ((const struct row *)(r))

static char *row_name(const void *r)
{
	return xstrdup(ROW(r)->result->name);
}
static char *row_description(const void *r)
{
	const char *text = ROW(r)->result->description;

	return ROW(r)->whole || ROW(r)->json ? xstrdup(text) : shorten(text);
}
static char *row_stars(const void *r)
{
	return xasprintf("%" PRId64, ROW(r)->result->stars);
}
static char *row_official(const void *r)
{
	bool official = ROW(r)->result->official;

	if (ROW(r)->json)
		return xstrdup(official ? "true" : "false");
	return xstrdup(official ? "[OK]" : "");
}

static const struct cli_field result_fields[] = {
	{ "Name", "NAME", row_name, 0 },
	{ "Description", "DESCRIPTION", row_description, 0 },
	{ "StarCount", "STARS", row_stars, 0 },
	{ "IsOfficial", "OFFICIAL", row_official, 0 },
	{ "Official", "OFFICIAL", row_official, CLI_ALIAS },
	{ "Stars", "STARS", row_stars, CLI_ALIAS },
};
static const struct cli_table result_table = { result_fields, ARRAY_SIZE(result_fields),
					       "Name Description StarCount IsOfficial" };

static int list_results(const struct search_options *o, const struct search_results *results,
			struct err *err)
{
	cleanup_cli_list struct cli_list *list = NULL;
	struct wanted want = { 0 };
	int r;

	r = parse_filters(o->filter, &want, err);
	if (r == 0)
		r = cli_list_new(&result_table, o->format, true, &list, err);
	for (size_t i = 0; r == 0 && i < results->n; i++) {
		const struct row row = { &results->items[i], o->no_trunc,
					 str_eq(o->format, "json") };

		if (fits(&want, row.result))
			r = cli_list_row(list, &row, err);
	}
	return r < 0 ? r : cli_list_print(list, err);
}

struct tag_row {
	const char *name, *tag;
};

static char *tag_name(const void *r)
{
	return xstrdup(((const struct tag_row *)r)->name);
}
static char *tag_tag(const void *r)
{
	return xstrdup(((const struct tag_row *)r)->tag);
}

static const struct cli_field tag_fields[] = {
	{ "Name", "NAME", tag_name, 0 },
	{ "Tag", "TAG", tag_tag, 0 },
};
static const struct cli_table tag_table = { tag_fields, ARRAY_SIZE(tag_fields), "Name Tag" };

static int list_tags(const struct search_options *o, const char *name, char *const *tags,
		     struct err *err)
{
	cleanup_cli_list struct cli_list *list = NULL;
	int r = cli_list_new(&tag_table, o->format, true, &list, err);

	for (size_t i = 0; r == 0 && tags && tags[i]; i++) {
		const struct tag_row row = { name, tags[i] };

		r = cli_list_row(list, &row, err);
	}
	return r < 0 ? r : cli_list_print(list, err);
}

static int run_tags(struct engine *eng, const struct search_options *o, const char *word,
		    struct err *err)
{
	const struct registry_access access = cli_access(&o->access);
	cleanup_reference struct reference ref = { 0 };
	cleanup_strv char **candidates = NULL;
	cleanup_strv char **tags = NULL;
	cleanup_free char *name = NULL;
	int r;

	r = registries_candidates(eng, word, &candidates, err);
	for (size_t i = 0; r == 0 && candidates[i]; i++) {
		reference_done(&ref);
		r = reference_parse(candidates[i], &ref, err);
		if (r == 0)
			r = search_tags(eng, &ref, &access, o->limit.set ? o->limit.value : 0,
					&tags, err);
		/* as for pull: only who has none is passed over */
		if (r == 0 || err->kind != ERR_NOT_FOUND)
			break;
		if (candidates[i + 1])
			r = 0;
	}
	if (r < 0)
		return err_wrap(err, r, "listing tags of %s", word);
	name = reference_familiar_repository(&ref);
	return list_tags(o, name, tags, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct search_options *o = options;
	const struct registry_access access = cli_access(&o->access);
	cleanup_search_results struct search_results results = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r;

	r = cli_engine(globals, &eng, err);
	if (r < 0)
		return r;
	if (o->list_tags)
		return run_tags(&eng, o, args[0], err);
	if (o->limit.set && (o->limit.value < 1 || o->limit.value > LIMIT_MAX))
		return err_fail(err, ERR_USAGE, "--limit: expected 1 to %d", LIMIT_MAX);
	r = search(&eng, args[0], &access, o->limit.set ? o->limit.value : LIMIT_DEFAULT, &results,
		   err);
	return r < 0 ? r : list_results(o, &results, err);
}

const struct cmd cmd_search = {
	.name = "search",
	.args = "[OPTIONS] TERM",
	.summary = "Search registries for images",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct search_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
