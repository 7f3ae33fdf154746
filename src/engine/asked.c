/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/asked.h"

#include "base/csv.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/parse.h"

static const struct json_field fields[] = {
	JSON_FIELD(struct asked, options, "options", JSON_STRUCT, .desc = &run_options_desc),
	JSON_FIELD(struct asked, args, "args", JSON_STRV),
};
static const struct json_desc asked_desc = JSON_DESC(struct asked, fields);

void asked_done(struct asked *a)
{
	json_free(&asked_desc, a);
}

int asked_parse(const char *text, size_t len, struct asked *ret, struct err *err)
{
	return json_parse(&asked_desc, ret, text, len, "options of the container", err);
}

int asked_read(struct engine *eng, const char *id, struct asked *ret, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *text = NULL;
	int r = engine_db(eng, err);

	*ret = (struct asked){ 0 };
	if (r == 0)
		r = db_query(eng->db, &stmt, err, "SELECT asked FROM containers WHERE id = ?", "s",
			     id);
	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_fail(err, ERR_NOT_FOUND, "No such container: %s", id);
	text = db_column_str(stmt, 0);
	if (!text || !text[0])
		return 1;
	return asked_parse(text, strlen(text), ret, err);
}

void asked_text_write(const struct asked *a, struct buf *out)
{
	json_write(&asked_desc, a, 0, out);
}

int asked_set(struct engine *eng, const char *id, const struct asked *a, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = engine_db(eng, err);

	if (r < 0)
		return r;
	asked_text_write(a, &text);
	r = db_exec(eng->db, err, "UPDATE containers SET asked = ? WHERE id = ?", "ss",
		    buf_str(&text), id);
	return r < 0 ? r : 0;
}

/* ---- what was said in one directory, for another one ---- */

static char *whole_path(const char *path, const char *cwd)
{
	cleanup_free char *joined = path[0] == '/' || !cwd ? NULL : path_join(cwd, path);

	return joined ? path_clean(joined) : xstrdup(path);
}

/* "./data:/data": a source that begins otherwise is a path already, or a volume's name. */
char *asked_volume(const char *word, const char *cwd)
{
	size_t n = strcspn(word, ":");
	cleanup_free char *source = xstrndup(word, n);
	cleanup_free char *path = NULL;

	if (word[0] != '.' || !word[n])
		return xstrdup(word);
	path = whole_path(source, cwd);
	return xasprintf("%s%s", path, word + n);
}

/* As csv_parse() takes it. */
static void csv_add(struct buf *out, const char *field)
{
	bool quoted = strpbrk(field, ",\"") != NULL;

	buf_adds(out, out->len ? "," : "");
	buf_adds(out, quoted ? "\"" : "");
	for (; *field; field++) {
		if (*field == '"')
			buf_addc(out, '"');
		buf_addc(out, *field);
	}
	buf_adds(out, quoted ? "\"" : "");
}

char *asked_mount(const char *word, const char *cwd)
{
	cleanup_strv char **parts = NULL;
	struct buf out = BUF_INIT;

	if (csv_parse(word, &parts, NULL) < 0)
		return xstrdup(word);
	for (size_t i = 0; parts && parts[i]; i++) {
		size_t key = strcspn(parts[i], "=");
		cleanup_free char *path = NULL;
		cleanup_free char *field = NULL;

		if (parts[i][key] && parts[i][key + 1] == '.' &&
		    (str_starts(parts[i], "src=") || str_starts(parts[i], "source="))) {
			path = whole_path(parts[i] + key + 1, cwd);
			field = xasprintf("%.*s=%s", (int)key, parts[i], path);
		}
		csv_add(&out, field ? field : parts[i]);
	}
	return buf_take(&out);
}

char *asked_security(const char *word, const char *cwd)
{
	const char *file = str_after(word, "seccomp=");
	cleanup_free char *path = NULL;

	if (!file)
		file = str_after(word, "seccomp:");
	if (!file || str_eq(file, "unconfined"))
		return xstrdup(word);
	path = whole_path(file, cwd);
	return xasprintf("seccomp=%s", path);
}

void asked_write(const struct run_options *opts, char *const *env, char *const *label,
		 char *const *args, const char *cwd, struct buf *out)
{
	struct asked a = { .options = *opts, .args = (char **)args };
	struct run_options *o = &a.options;
	const struct {
		char ***words;
		char *(*whole)(const char *word, const char *cwd);
	} lists[] = {
		{ &o->volume, asked_volume },
		{ &o->mount, asked_mount },
		{ &o->security_opt, asked_security },
	};
	char **files[] = { &o->cidfile, &o->pidfile, &o->conmon_pidfile, &o->init_path,
			   &o->pod_id_file };
	bool hosts = o->hosts_file && !str_eq(o->hosts_file, "none");
	char *hosts_file = hosts ? whole_path(o->hosts_file, cwd) : NULL;

	o->env = (char **)env;
	o->label = (char **)label;
	o->env_file = o->label_file = NULL;
	o->hosts_file = hosts ? hosts_file : o->hosts_file;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		*files[i] = *files[i] ? whole_path(*files[i], cwd) : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		char **from = *lists[i].words, **to = NULL;

		for (; from && *from; from++)
			strv_take(&to, lists[i].whole(*from, cwd));
		*lists[i].words = to;
	}
	json_write(&asked_desc, &a, 0, out);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		free(*files[i]);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strv_free(*lists[i].words);
	free(hosts_file);
}
