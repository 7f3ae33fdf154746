/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/top.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/top_words.h"
#include "runtime/pids.h"

void top_done(struct top *top)
{
	for (size_t i = 0; i < top->n_rows; i++)
		strv_free(top->rows[i]);
	free(top->rows);
	strv_free(top->titles);
	*top = (struct top){ 0 };
}

/* max words, empty ones behind those that are there; the last one has what is left of the line. max
 * 0: as many as there are. */
static char **split_words(const char *line, size_t max)
{
	char **words = NULL;
	size_t n = 0;

	for (line += strspn(line, " \t"); *line; line += strspn(line, " \t")) {
		size_t len = ++n == max ? strlen(line) : strcspn(line, " \t");

		strv_take(&words, xstrndup(line, len));
		line += len;
	}
	for (; n > 0 && n < max; n++)
		strv_add(&words, "");
	return words;
}

void top_parse(const char *text, struct top *ret)
{
	cleanup_strv char **lines = strv_split(text, '\n');
	size_t n;

	*ret = (struct top){ .titles = split_words(lines[0], 0) };
	n = strv_len(ret->titles);
	ret->rows = xcalloc(strv_len(lines) + 1, sizeof(*ret->rows));
	for (size_t i = 1; n && lines[i]; i++) {
		char **row = split_words(lines[i], n);

		if (row)
			ret->rows[ret->n_rows++] = row;
	}
}

/* 0: it has ended. */
static pid_t first_of(struct engine *eng, const struct record *rec)
{
	struct container_state st = { 0 };
	pid_t pid = 0;

	if (container_state_read(&eng->runtime, rec->id, &st, NULL) == 0)
		pid = st.pid;
	container_state_free(&st);
	return pid;
}

int engine_top(struct engine *eng, const char *word, char *const *ps_args, struct pids *seen,
	       struct top *ret, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_pids struct pids pids = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	int r = life_find(eng, word, &rec, err);

	if (r == 0)
		r = live_check(eng, &rec, err);
	if (r < 0)
		return r;
	r = container_pids(&eng->runtime, rec.id, &pids, err);
	/* It may have ended meanwhile. */
	if (r < 0 && live_check(eng, &rec, err) == 0)
		r = container_pids(&eng->runtime, rec.id, &pids, err);
	if (r >= 0 && seen)
		pids_take_new(&pids, seen);
	if (r >= 0 && top_are_words(ps_args))
		return top_by_words(&pids, first_of(eng, &rec), ps_args, ret, err);
	if (r >= 0)
		r = container_ps(&pids, ps_args, &text, err);
	if (r < 0)
		return r;
	top_parse(buf_str(&text), ret);
	return 0;
}
