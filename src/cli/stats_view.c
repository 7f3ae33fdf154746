/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stats_view.h"

#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/stats_keys.h"

#define CTRL_C 0x03
#define CTRL_Z 0x1a

/* Lines that are no containers: a title, the headings, a foot. */
#define FRAME_ROWS 3

static double cpu_value(const struct engine_stats *s)
{
	return s->cpu_percent;
}
static double mem_value(const struct engine_stats *s)
{
	return (double)s->mem_usage;
}
static double share_value(const struct engine_stats *s)
{
	return s->mem_limit ? (double)s->mem_usage / (double)s->mem_limit : 0;
}
static double net_value(const struct engine_stats *s)
{
	return (double)s->net_in + (double)s->net_out;
}
static double block_value(const struct engine_stats *s)
{
	return (double)s->block_in + (double)s->block_out;
}
static double pids_value(const struct engine_stats *s)
{
	return (double)s->pids;
}

#define COLUMN_NAME 1
#define COLUMN_CPU  2
const struct stats_column stats_columns[STATS_COLUMNS] = {
	{ "ID", NULL },
	{ "Name", NULL },
	{ "CPUPerc", cpu_value },
	{ "MemUsage", mem_value },
	{ "MemPerc", share_value },
	{ "NetIO", net_value },
	{ "BlockIO", block_value },
	{ "PIDs", pids_value },
};

void stats_view_init(struct stats_view *v)
{
	*v = (struct stats_view){ .rows = 24, .cols = 80, .sort = COLUMN_CPU };
}

static void entries_free(struct stats_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		engine_stats_done(&entries[i].s);
	free(entries);
}

void stats_view_done(struct stats_view *v)
{
	entries_free(v->entries, v->n);
	free(v->order);
	free(v->selected);
	free(v->subject_id);
	free(v->subject);
	strv_free(v->log);
	free(v->note);
	*v = (struct stats_view){ 0 };
}

void stats_view_note(struct stats_view *v, char *note)
{
	free(v->note);
	v->note = note;
}

void stats_view_resize(struct stats_view *v, unsigned int rows, unsigned int cols)
{
	v->rows = rows;
	v->cols = cols;
	memset(v->widths, 0, sizeof(v->widths));
}

unsigned int stats_view_log_rows(const struct stats_view *v)
{
	return v->rows > 2 ? v->rows - 2 : 0;
}

static size_t list_rows(const struct stats_view *v)
{
	return v->rows > FRAME_ROWS ? v->rows - FRAME_ROWS : 0;
}

/* --- what a look has found --- */

/* Most are where they were: it is looked for from there on. */
static struct stats_entry *find(const struct stats_view *v, const char *id, size_t hint)
{
	for (size_t k = 0; k < v->n; k++) {
		struct stats_entry *e = &v->entries[(hint + k) % v->n];

		if (str_eq(e->s.id, id))
			return e;
	}
	return NULL;
}

static void add_history(struct stats_entry *e)
{
	if (e->n_history == STATS_HISTORY) {
		memmove(e->cpu, e->cpu + 1, sizeof(e->cpu) - sizeof(e->cpu[0]));
		memmove(e->mem, e->mem + 1, sizeof(e->mem) - sizeof(e->mem[0]));
		e->n_history--;
	}
	e->cpu[e->n_history] = (float)e->s.cpu_percent;
	e->mem[e->n_history++] = (float)e->s.mem_usage;
}

static void carry_over(const struct stats_entry *old, struct stats_entry *e)
{
	memcpy(e->cpu, old->cpu, sizeof(e->cpu));
	memcpy(e->mem, old->mem, sizeof(e->mem));
	e->n_history = old->n_history;
	engine_stats_rate(&old->s, &e->s);
	add_history(e);
}

static int compare_text(const struct engine_stats *a, const struct engine_stats *b,
			unsigned int column)
{
	int by_name = strcmp(a->name, b->name);

	return column == COLUMN_NAME && by_name ? by_name : strcmp(a->id, b->id);
}

/* What grows is wanted with the largest on top, names from A on. */
static int compare(const void *a, const void *b, void *data)
{
	const struct stats_view *v = data;
	const struct engine_stats *x = &(*(struct stats_entry *const *)a)->s;
	const struct engine_stats *y = &(*(struct stats_entry *const *)b)->s;
	const struct stats_column *c = &stats_columns[v->sort];
	int way = v->reverse ? -1 : 1;

	if (!c->value)
		return way * compare_text(x, y, v->sort);
	if (c->value(x) > c->value(y))
		return -way;
	if (c->value(x) < c->value(y))
		return way;
	return compare_text(x, y, COLUMN_NAME);
}

static void select_at(struct stats_view *v, size_t at)
{
	size_t room = list_rows(v);

	free(v->selected);
	v->selected = NULL;
	v->at = v->n && at >= v->n ? v->n - 1 : at;
	if (!v->n) {
		v->at = v->top = 0;
		return;
	}
	v->selected = xstrdup(v->order[v->at]->s.id);
	if (v->at < v->top)
		v->top = v->at;
	if (room && v->at >= v->top + room)
		v->top = v->at - room + 1;
	if (v->top + room > v->n)
		v->top = v->n > room ? v->n - room : 0;
}

/* The same container stays selected; is it gone, then what is in its place. */
static void arrange(struct stats_view *v)
{
	size_t at = v->at;

	qsort_r(v->order, v->n, sizeof(void *), compare, v);
	for (size_t i = 0; v->selected && i < v->n; i++)
		if (str_eq(v->order[i]->s.id, v->selected))
			at = i;
	select_at(v, at);
}

void stats_view_take(struct stats_view *v, struct stats_samples *now)
{
	struct stats_entry *entries = xcalloc(now->n + 1, sizeof(*entries));

	for (size_t i = 0; i < now->n; i++) {
		const struct stats_entry *old = find(v, now->items[i].id, i);

		entries[i].s = now->items[i];
		if (old)
			carry_over(old, &entries[i]);
	}
	entries_free(v->entries, v->n);
	free(v->order);
	v->entries = entries;
	v->n = now->n;
	v->order = xcalloc(v->n + 1, sizeof(void *));
	for (size_t i = 0; i < v->n; i++)
		v->order[i] = &entries[i];
	free(now->items);
	*now = (struct stats_samples){ 0 };
	arrange(v);
}

/* --- keys --- */

static void sort_by(struct stats_view *v, unsigned int column)
{
	v->sort = column;
	v->reverse = false;
	v->top = 0;
	arrange(v);
}

static void set_subject(struct stats_view *v)
{
	const struct engine_stats *s = &v->order[v->at]->s;

	free(v->subject_id);
	free(v->subject);
	v->subject_id = xstrdup(s->id);
	v->subject = xstrdup(s->name);
}

static enum stats_action ask(struct stats_view *v, enum stats_action what)
{
	v->mode = STATS_ASK;
	v->asked = what;
	return STATS_NOTHING;
}

static enum stats_action about_selected(struct stats_view *v, int key)
{
	if (!v->n)
		return STATS_NOTHING;
	set_subject(v);
	switch (key) {
	case 's':
		return ask(v, STATS_STOP);
	case 'K':
		return ask(v, STATS_KILL);
	case 'p':
		return v->order[v->at]->s.paused ? STATS_UNPAUSE : STATS_PAUSE;
	default:
		v->mode = STATS_LOGS;
		return STATS_SHOW_LOGS;
	}
}

static void move(struct stats_view *v, int key)
{
	size_t page = list_rows(v) ? list_rows(v) : 1, at = v->at;

	switch (key) {
	case STATS_KEY_UP:
	case 'k':
		at -= at > 0;
		break;
	case STATS_KEY_DOWN:
	case 'j':
		at++;
		break;
	case STATS_KEY_PAGE_UP:
		at -= at < page ? at : page;
		break;
	case STATS_KEY_PAGE_DOWN:
		at += page;
		break;
	case STATS_KEY_HOME:
	case 'g':
		at = 0;
		break;
	case STATS_KEY_END:
	case 'G':
		at = v->n;
		break;
	default:
		return;
	}
	select_at(v, at);
}

static enum stats_action list_key(struct stats_view *v, int key)
{
	stats_view_note(v, NULL);
	if (key >= '1' && key < '1' + STATS_COLUMNS) {
		sort_by(v, (unsigned int)(key - '1'));
		return STATS_NOTHING;
	}
	switch (key) {
	case 'q':
		return STATS_QUIT;
	case 's':
	case 'K':
	case 'p':
	case 'l':
		return about_selected(v, key);
	case 'r':
		v->reverse = !v->reverse;
		arrange(v);
		break;
	case STATS_KEY_LEFT:
	case '<':
		sort_by(v, (v->sort + STATS_COLUMNS - 1) % STATS_COLUMNS);
		break;
	case STATS_KEY_RIGHT:
	case '>':
		sort_by(v, (v->sort + 1) % STATS_COLUMNS);
		break;
	default:
		move(v, key);
		break;
	}
	return STATS_NOTHING;
}

enum stats_action stats_view_key(struct stats_view *v, int key)
{
	if (key == CTRL_C)
		return STATS_INTERRUPT;
	if (key == CTRL_Z)
		return STATS_SUSPEND;
	if (v->mode == STATS_LIST)
		return list_key(v, key);
	if (v->mode == STATS_ASK) {
		v->mode = STATS_LIST;
		return key == 'y' || key == 'Y' ? v->asked : STATS_NOTHING;
	}
	if (key == 'q' || key == 'l' || key == STATS_KEY_ESCAPE) {
		v->mode = STATS_LIST;
		stats_view_note(v, NULL);
	}
	return STATS_NOTHING;
}
