/* SPDX-License-Identifier: Apache-2.0 */
/* image trust show, image trust set. */
#include "engine/trust.h"

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"

/* ---- show ---- */

struct show_options {
	bool json, noheading, raw;
};

static const struct opt show_opts[] = {
	{ .name = "json",
	  .short_name = 'j',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct show_options, json),
	  .help = "as a JSON array" },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct show_options, noheading),
	  .help = "leave out the headings of columns" },
	{ .name = "raw",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct show_options, raw),
	  .help = "show the policy as inro reads it" },
	OPT_REFUSE("signature-policy",
		   "the policy is the file that image.policy in inro.conf names"),
	OPT_REFUSE("policypath", "the policy is the file that image.policy in inro.conf names"),
	OPT_REFUSE("registrypath", "where signatures are is asked of the registry itself"),
};

/* podman's words. */
static const char *const type_words[] = {
	[POLICY_ACCEPT] = "accept",
	[POLICY_REJECT] = "reject",
	[POLICY_SIGNED_BY] = "signed",
	[POLICY_SIGSTORE] = "sigstoreSigned",
};

struct row {
	char *transport, *name, *repo_name;
	char **keys;
	char *type, *id;
};
struct rows {
	JSON_LIST(struct row) list;
};

static const struct json_field row_fields[] = {
	JSON_FIELD(struct row, transport, "transport", JSON_STR),
	JSON_FIELD(struct row, name, "name", JSON_STR),
	JSON_FIELD(struct row, repo_name, "repo_name", JSON_STR),
	JSON_FIELD(struct row, keys, "keys", JSON_STRV),
	JSON_FIELD(struct row, type, "type", JSON_STR),
	JSON_FIELD(struct row, id, "gpg_id", JSON_STR),
};
static const struct json_desc row_desc = JSON_DESC(struct row, row_fields);
static const struct json_field rows_fields[] = {
	JSON_FIELD(struct rows, list, NULL, JSON_ARRAY, .desc = &row_desc, .flags = JSON_KEEP),
};
static const struct json_desc rows_desc = JSON_DESC(struct rows, rows_fields);

static void add_row(struct rows *rows, const char *transport, const char *scope,
		    const struct policy_requirement *q)
{
	bool is_default = !scope;
	const char *shown = str_eq(transport, POLICY_REGISTRIES) ? "repository" : transport;
	struct row row = {
		.transport = xstrdup(is_default ? "all" : shown),
		.name = is_default ? xstrdup("* (default)")
			: *scope   ? xstrdup(scope)
				   : NULL,
		.repo_name = is_default ? xstrdup("default")
			     : *scope   ? xstrdup(scope)
					: NULL,
		.type = xstrdup(type_words[q->type]),
		.keys = strv_copy(q->key_paths),
		.id = q->type == POLICY_SIGNED_BY || q->type == POLICY_SIGSTORE ? xstrdup("N/A")
										: NULL,
	};

	if (q->key_path)
		strv_add(&row.keys, q->key_path);
	rows->list.items = xrealloc(rows->list.items, (rows->list.n + 1) * sizeof(row));
	rows->list.items[rows->list.n++] = row;
}

static void add_rows(struct rows *rows, const char *transport, const char *scope,
		     const struct policy_requirements *requirements)
{
	for (size_t i = 0; i < requirements->n; i++)
		add_row(rows, transport, scope, &requirements->items[i]);
}

static void add_all(struct rows *rows, const struct policy *policy)
{
	add_rows(rows, NULL, NULL, &policy->by_default);
	for (size_t i = 0; i < policy->n; i++) {
		const struct policy_transport *t = &policy->transports[i];

		for (size_t k = 0; k < t->n; k++)
			add_rows(rows, t->name, t->scopes[k].name, &t->scopes[k].requirements);
	}
}

/* What is said of this registry, repository or image. */
static int add_one(struct rows *rows, const struct policy *policy, const char *word,
		   struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	const struct policy_requirements *found;
	const char *scope;
	int r = 0;

	if (reference_has_domain(word)) {
		r = reference_parse(word, &ref, err);
		found = r == 0 ? policy_find(policy, &ref, &scope) : NULL;
	} else {
		r = policy_check_scope(word, err);
		found = r == 0 ? policy_find_name(policy, word, &scope) : NULL;
	}
	if (r < 0)
		return err_set_kind(err, r, ERR_USAGE);
	add_rows(rows, POLICY_REGISTRIES, found == &policy->by_default ? NULL : scope, found);
	return 0;
}

#define ROW(r) ((const struct row *)(r))

static char *row_transport(const void *r)
{
	return xstrdup(ROW(r)->transport);
}
static char *row_name(const void *r)
{
	return xstrdup(ROW(r)->repo_name ? ROW(r)->repo_name : "");
}
static char *row_type(const void *r)
{
	return xstrdup(ROW(r)->type);
}
static char *row_keys(const void *r)
{
	return strv_join(ROW(r)->keys, ", ");
}

static const struct cli_field fields[] = {
	{ "Transport", "TRANSPORT", row_transport, 0 },
	{ "RepoName", "NAME", row_name, 0 },
	{ "Type", "TYPE", row_type, 0 },
	{ "Keys", "KEYS", row_keys, 0 },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"Transport RepoName Type Keys" };

static int print_rows(const struct rows *rows, const struct show_options *o, struct err *err)
{
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r;

	if (o->json) {
		json_write(&rows_desc, rows, JSON_PRETTY | JSON_NEWLINE, &out);
		return cli_print(&out, err);
	}
	r = cli_list_new(&table, NULL, !o->noheading, &list, err);
	for (size_t i = 0; r == 0 && i < rows->list.n; i++)
		r = cli_list_row(list, &rows->list.items[i], err);
	return r < 0 ? r : cli_list_print(list, err);
}

static int run_show(const void *globals, void *options, char **args, struct err *err)
{
	const struct show_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_policy struct policy policy = { { NULL } };
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *path = NULL;
	struct rows rows = { { NULL } };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = trust_read(&eng, &policy, &path, err);
	if (r < 0)
		return r;
	if (o->raw) {
		policy_write(&policy, &out);
		return cli_print(&out, err);
	}
	if (args[0])
		r = add_one(&rows, &policy, args[0], err);
	else
		add_all(&rows, &policy);
	if (r == 0)
		r = print_rows(&rows, o, err);
	json_free(&rows_desc, &rows);
	return r;
}

static const struct cmd cmd_image_trust_show = {
	.name = "show",
	.args = "[OPTIONS] [REGISTRY|IMAGE]",
	.summary = "Show which images are let in, and by whose keys they must be signed",
	.opts = show_opts,
	.n_opts = ARRAY_SIZE(show_opts),
	.opts_size = sizeof(struct show_options),
	.max_args = 1,
	.run = run_show,
};

/* ---- set ---- */

struct set_options {
	char *type, *identity;
	char **keys;
};

static const char *const set_words[] = { "accept", "reject", "sigstoreSigned", "signedBy", NULL };

/* by enum policy_match, those that need nothing more */
static const char *const identity_words[] = {
	[POLICY_MATCH_EXACT] = "matchExact",
	[POLICY_MATCH_REPO_DIGEST_OR_EXACT] = "matchRepoDigestOrExact",
	[POLICY_MATCH_REPOSITORY] = "matchRepository",
	NULL,
};

static const struct opt set_opts[] = {
	{ .name = "type",
	  .short_name = 't',
	  .kind = OPT_STR,
	  OPT_FIELD(struct set_options, type),
	  .arg = "TYPE",
	  .choices = set_words,
	  .help =
	      "accept, reject, or sigstoreSigned, the default: a signature by the key, as cosign "
	      "makes it" },
	{ .name = "pubkeysfile",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct set_options, keys),
	  .arg = "FILE",
	  .help = "public key; of several each must have signed" },
	{ .name = "identity",
	  .kind = OPT_STR,
	  OPT_FIELD(struct set_options, identity),
	  .arg = "TYPE",
	  .choices = identity_words,
	  .help = "what a signature must name: the same repository (matchRepository, as cosign "
		  "signs), also the tag (matchRepoDigestOrExact, the default), or all that was "
		  "asked for (matchExact)" },
	OPT_REFUSE("signature-policy",
		   "the policy is the file that image.policy in inro.conf names"),
	OPT_REFUSE("policypath", "the policy is the file that image.policy in inro.conf names"),
};

static int parse_type(const struct set_options *o, enum policy_type *ret, struct err *err)
{
	const char *word = o->type ? o->type : "sigstoreSigned";

	*ret = str_eq(word, "accept")           ? POLICY_ACCEPT
	       : str_eq(word, "reject")         ? POLICY_REJECT
	       : str_eq(word, "sigstoreSigned") ? POLICY_SIGSTORE
						: POLICY_SIGNED_BY;
	if (*ret == POLICY_SIGNED_BY)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "signatures by GPG (signedBy) are not supported"),
				"sigstoreSigned takes those by cosign");
	if (*ret == POLICY_SIGSTORE && !o->keys)
		return err_fail(err, ERR_USAGE, "type %s needs a key: --pubkeysfile FILE", word);
	if (*ret != POLICY_SIGSTORE && (o->keys || o->identity))
		return err_fail(err, ERR_USAGE, "type %s takes no --%s", word,
				o->keys ? "pubkeysfile" : "identity");
	return 0;
}

static int parse_identity(const char *word)
{
	for (int i = 0; word && identity_words[i]; i++)
		if (str_eq(word, identity_words[i]))
			return i;
	return -1;
}

static int run_set(const void *globals, void *options, char **args, struct err *err)
{
	const struct set_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	const char *scope = str_eq(args[0], "default") ? NULL : args[0];
	enum policy_type type;
	int r = parse_type(o, &type, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	return r < 0 ? r : trust_set(&eng, scope, type, parse_identity(o->identity), o->keys, err);
}

static const struct cmd cmd_image_trust_set = {
	.name = "set",
	.args = "[OPTIONS] REGISTRY|default",
	.summary = "Say which images are let in",
	.opts = set_opts,
	.n_opts = ARRAY_SIZE(set_opts),
	.opts_size = sizeof(struct set_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_set,
};

static const struct cmd_sub subs[] = {
	{ "set", &cmd_image_trust_set, false },
	{ "show", &cmd_image_trust_show, false },
	{ 0 },
};

const struct cmd cmd_image_trust = {
	.name = "trust",
	.summary = "Say by whom images must be signed",
	.subs = subs,
};
