/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/changes.h"

#include <ctype.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"

struct words_doc {
	char **words;
};
static const struct json_field words_fields[] = {
	JSON_FIELD(struct words_doc, words, "words", JSON_STRV),
};
static const struct json_desc words_desc = JSON_DESC(struct words_doc, words_fields);

/* The exec form, a JSON array, or the shell form, which runs by /bin/sh -c. */
static int command_words(const char *text, char ***dst, struct err *err)
{
	cleanup_free char *json = NULL;
	struct words_doc doc = { 0 };
	int r;

	if (text[0] == '[') {
		json = xasprintf("{\"words\":%s}", text);
		r = json_parse(&words_desc, &doc, json, strlen(json), "--change", err);
		if (r < 0)
			return r;
	} else {
		strv_add(&doc.words, "/bin/sh");
		strv_add(&doc.words, "-c");
		strv_add(&doc.words, text);
	}
	strv_free(*dst);
	*dst = doc.words;
	return 0;
}

static int change_cmd(const char *text, struct oci_config *c, struct err *err)
{
	return command_words(text, &c->cmd, err);
}

static int change_entrypoint(const char *text, struct oci_config *c, struct err *err)
{
	return command_words(text, &c->entrypoint, err);
}

/* NAME=value NAME="a value" ..., or NAME value of the old form. */
static int pairs(const char *text, const char *what,
		 void (*set)(struct oci_config *, const char *k, const char *v),
		 struct oci_config *c, struct err *err)
{
	const char *p = text;

	if (strcspn(text, "=") > strcspn(text, " \t")) {
		size_t n = strcspn(text, " \t");
		cleanup_free char *key = xstrndup(text, n);

		set(c, key, text + n + strspn(text + n, " \t"));
		return 0;
	}
	while (*p) {
		size_t n = strcspn(p, "=");
		cleanup_free char *key = xstrndup(p, n);
		cleanup_buf struct buf value = BUF_INIT;
		char quote = 0;

		if (!n || !p[n])
			return err_fail(err, ERR_USAGE, "--change: %s: expected NAME=VALUE: %s",
					what, p);
		for (p += n + 1; *p && (quote || !isspace((unsigned char)*p)); p++) {
			if (*p == quote)
				quote = 0;
			else if (!quote && (*p == '"' || *p == '\''))
				quote = *p;
			else if (*p == '\\' && p[1] && quote != '\'')
				buf_addc(&value, *++p);
			else
				buf_addc(&value, *p);
		}
		if (quote)
			return err_fail(err, ERR_USAGE, "--change: %s: a quote is not closed",
					what);
		set(c, key, buf_str(&value));
		p += strspn(p, " \t");
	}
	return 0;
}

static void set_env(struct oci_config *c, const char *key, const char *value)
{
	cleanup_free char *assignment = xasprintf("%s=%s", key, value);

	strv_env_set(&c->env, assignment);
}

static void set_label(struct oci_config *c, const char *key, const char *value)
{
	json_map_set(&c->labels, key, value);
}

static int change_env(const char *text, struct oci_config *c, struct err *err)
{
	return pairs(text, "ENV", set_env, c, err);
}

static int change_label(const char *text, struct oci_config *c, struct err *err)
{
	return pairs(text, "LABEL", set_label, c, err);
}

static bool has_key(const oci_keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (str_eq(keys->items[i].key, key))
			return true;
	return false;
}

static void add_keys(oci_keys *keys, const char *text, const char *suffix)
{
	cleanup_strv char **words = strv_split(text, ' ');
	size_t i;

	for (i = 0; words[i]; i++) {
		cleanup_free char *key =
		    xasprintf("%s%s", words[i], strchr(words[i], '/') ? "" : suffix);

		if (!words[i][0] || has_key(keys, key))
			continue;
		keys->items = xrealloc(keys->items, (keys->n + 1) * sizeof(*keys->items));
		keys->items[keys->n++].key = take_ptr(key);
	}
}

void change_expose_ports(const struct port_publish *p, struct oci_config *config)
{
	for (uint32_t n = p->ports.first;
	     n <= p->ports.last && config->exposed_ports.n < OCI_KEYS_MAX; n++) {
		cleanup_free char *key = xasprintf("%u/%s", n, port_proto_name(p->proto));

		add_keys(&config->exposed_ports, key, "");
	}
}

static int change_expose(const char *text, struct oci_config *c, struct err *err)
{
	add_keys(&c->exposed_ports, text, "/tcp");
	return 0;
}

static int change_volume(const char *text, struct oci_config *c, struct err *err)
{
	char **words = NULL;
	size_t i;
	int r;

	if (text[0] != '[') {
		add_keys(&c->volumes, text, "");
		return 0;
	}
	r = command_words(text, &words, err);
	for (i = 0; r == 0 && words && words[i]; i++)
		add_keys(&c->volumes, words[i], "");
	strv_free(words);
	return r;
}

static int replace(char **dst, const char *text)
{
	free(*dst);
	*dst = xstrdup(text);
	return 0;
}

static int change_user(const char *text, struct oci_config *c, struct err *err)
{
	return replace(&c->user, text);
}

static int change_workdir(const char *text, struct oci_config *c, struct err *err)
{
	if (text[0] != '/')
		return err_fail(err, ERR_USAGE, "--change: WORKDIR: expected an absolute path: %s",
				text);
	return replace(&c->working_dir, text);
}

static int change_stopsignal(const char *text, struct oci_config *c, struct err *err)
{
	return replace(&c->stop_signal, text);
}

static int change_onbuild(const char *text, struct oci_config *c, struct err *err)
{
	strv_add(&c->on_build, text);
	return 0;
}

/* "--interval=30s" and so on. */
static int health_option(const char *word, struct oci_healthcheck *h, struct err *err)
{
	const struct {
		const char *prefix;
		int64_t *to;
		bool is_count;
	} options[] = {
		{ "--interval=", &h->interval, false },
		{ "--timeout=", &h->timeout, false },
		{ "--start-period=", &h->start_period, false },
		{ "--start-interval=", &h->start_interval, false },
		{ "--retries=", &h->retries, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *value = str_after(word, options[i].prefix);
		int64_t n = 0;

		if (!value)
			continue;
		if ((options[i].is_count ? str_parse_i64 : time_parse_duration)(value, &n) < 0 ||
		    n < 0)
			break;
		*options[i].to = n;
		return 0;
	}
	return err_fail(err, ERR_USAGE, "invalid --change: HEALTHCHECK %s", word);
}

static int health_test(const char *text, char ***test, struct err *err)
{
	const char *command = str_after(text, "CMD ");

	if (strcasecmp(text, "NONE") == 0) {
		strv_add(test, "NONE");
		return 0;
	}
	if (!command)
		return err_fail(err, ERR_USAGE,
				"invalid --change: HEALTHCHECK: expected CMD or NONE, got \"%s\"",
				text);
	command += strspn(command, " \t");
	if (command[0] == '[') {
		cleanup_strv char **words = NULL;
		int r = command_words(command, &words, err);

		strv_add(test, "CMD");
		strv_extend(test, words);
		return r;
	}
	strv_add(test, "CMD-SHELL");
	strv_add(test, command);
	return 0;
}

static int change_healthcheck(const char *text, struct oci_config *c, struct err *err)
{
	struct oci_healthcheck *h = xcalloc(1, sizeof(*h));
	int r = 0;

	while (r == 0 && str_starts(text, "--")) {
		size_t n = strcspn(text, " \t");
		cleanup_free char *word = xstrndup(text, n);

		r = health_option(word, h, err);
		text += n + strspn(text + n, " \t");
	}
	if (r == 0)
		r = health_test(text, &h->test, err);
	if (r == 0) {
		struct oci_healthcheck *old = c->healthcheck;

		c->healthcheck = h;
		h = old;
	}
	if (h)
		json_free(&oci_healthcheck_desc, h);
	free(h);
	return r;
}

static const struct {
	const char *word;
	int (*apply)(const char *text, struct oci_config *c, struct err *err);
} instructions[] = {
	{ "CMD", change_cmd },
	{ "ENTRYPOINT", change_entrypoint },
	{ "ENV", change_env },
	{ "EXPOSE", change_expose },
	{ "HEALTHCHECK", change_healthcheck },
	{ "LABEL", change_label },
	{ "ONBUILD", change_onbuild },
	{ "STOPSIGNAL", change_stopsignal },
	{ "USER", change_user },
	{ "VOLUME", change_volume },
	{ "WORKDIR", change_workdir },
};

int change_apply(const char *instruction, struct oci_config *config, struct err *err)
{
	/* podman's way to write it has a "=" there. */
	size_t i, n = strcspn(instruction, " \t=");
	cleanup_free char *word = xstrndup(instruction, n);
	const char *rest = instruction + n + (instruction[n] == '=');
	rest += strspn(rest, " \t");

	for (i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (strcasecmp(word, instructions[i].word) != 0)
			continue;
		if (!*rest)
			break;
		return instructions[i].apply(rest, config, err);
	}
	return err_fail(err, ERR_USAGE, "invalid --change: \"%s\"", instruction);
}
