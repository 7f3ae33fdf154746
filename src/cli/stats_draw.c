/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/buf.h"
#include "base/str.h"
#include "cli/stats_view.h"

#define GAP          2
#define NAME_MAX_COL 32
#define GRAPH_MIN    6
#define GRAPH_FULL   10.0f /* a graph of CPU reaches at least so many percent */
#define ROW_FIRST    2

#define PLAIN   ""
#define BOLD    "\033[1m"
#define DIM     "\033[2m"
#define REVERSE "\033[7m"
#define END     "\033[0m"

/* One line of the terminal: what does not fit is left out. */
struct line {
	const struct stats_view *v;
	struct buf text;
	unsigned int width;
};
#define LINE_INIT(view)                                                                            \
	{                                                                                          \
		.v = (view), .text = BUF_INIT                                                      \
	}

static void add_cell(struct line *l, const char *bytes, size_t len)
{
	if (l->width >= l->v->cols)
		return;
	buf_add(&l->text, bytes, len);
	l->width++;
}

/* Characters that show nothing, but turn around or join what is beside them. */
static bool is_invisible(const unsigned char *s, size_t len)
{
	unsigned int c;

	if (len == 2)
		return (s[0] == 0xc2 && (s[1] < 0xa0 || s[1] == 0xad)) ||
		       (s[0] == 0xd8 && s[1] == 0x9c);
	if (len != 3)
		return len == 4 && s[0] == 0xf3; /* tags, variation selectors */
	c = ((s[0] & 0x0fu) << 12) | ((s[1] & 0x3fu) << 6) | (s[2] & 0x3fu);
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* Text of any origin: controls, what is no UTF-8, and what the terminal may not know become "?". */
static void add_text(struct line *l, const char *s)
{
	while (*s && l->width < l->v->cols) {
		size_t len = str_utf8_len(s);
		unsigned char c = (unsigned char)*s;

		if (c == '\t') {
			do
				add_cell(l, " ", 1);
			while (l->width % 8 && l->width < l->v->cols);
		} else if (len == 0 || c < ' ' || c == 0x7f ||
			   (len > 1 &&
			    (!l->v->utf8 || is_invisible((const unsigned char *)s, len)))) {
			add_cell(l, "?", 1);
		} else {
			add_cell(l, s, len);
		}
		s += len ? len : 1;
	}
}

static void pad_to(struct line *l, unsigned int width)
{
	while (l->width < width && l->width < l->v->cols)
		add_cell(l, " ", 1);
}

/* Its string, on the heap. */
static char *line_end(struct line *l, const char *attribute)
{
	char *text;

	if (attribute[0])
		pad_to(l, l->v->cols);
	text = xasprintf("%s%s%s", attribute, buf_str(&l->text), attribute[0] ? END : "");
	buf_done(&l->text);
	return text;
}

static char *text_line(const struct stats_view *v, const char *text, const char *attribute)
{
	struct line l = LINE_INIT(v);

	add_text(&l, text);
	return line_end(&l, attribute);
}

/* --- the list --- */

static const struct cli_field *field_of(unsigned int column)
{
	for (size_t i = 0; i < stats_table.n; i++)
		if (str_eq(stats_table.fields[i].name, stats_columns[column].field))
			return &stats_table.fields[i];
	return NULL;
}

static char *cell(const struct stats_view *v, const struct stats_entry *e, unsigned int column)
{
	const struct stats_row row = { &e->s, v->whole };
	const struct cli_field *field = field_of(column);

	return field ? field->text(&row) : xstrdup("");
}

static char *heading(const struct stats_view *v, unsigned int column)
{
	const struct cli_field *field = field_of(column);
	const char *mark = "";

	if (v->sort == column)
		mark = v->reverse ? "-" : "+";
	return xasprintf("%s%s", field ? field->header : "", mark);
}

static void widen(struct stats_view *v, unsigned int column, char *text)
{
	size_t width = strlen(text);

	if (width > NAME_MAX_COL && !(v->whole && column == 0))
		width = NAME_MAX_COL;
	if (width > v->widths[column])
		v->widths[column] = (unsigned int)width;
	free(text);
}

static size_t shown(const struct stats_view *v)
{
	size_t room = v->rows > ROW_FIRST + 1 ? v->rows - ROW_FIRST - 1 : 0;
	size_t left = v->n - v->top;

	return left < room ? left : room;
}

static void find_widths(struct stats_view *v)
{
	for (unsigned int c = 0; c < STATS_COLUMNS; c++) {
		/* room for the mark, wherever it is */
		widen(v, c, xasprintf("%s ", field_of(c) ? field_of(c)->header : ""));
		for (size_t i = 0; i < shown(v); i++)
			widen(v, c, cell(v, v->order[v->top + i], c));
	}
}

/* Of each of the two graphs; 0: there is no room for them. */
static unsigned int graph_width(const struct stats_view *v)
{
	unsigned int used = 0, each;

	for (unsigned int c = 0; c < STATS_COLUMNS; c++)
		used += v->widths[c] + GAP;
	if (v->cols < used + 2 * GRAPH_MIN + GAP)
		return 0;
	each = (v->cols - used - GAP) / 2;
	return each < STATS_HISTORY ? each : STATS_HISTORY;
}

static void add_graph(struct line *l, const float *values, unsigned int n, unsigned int width,
		      float full)
{
	static const char *const blocks[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	const char *const *levels = l->v->utf8 ? blocks : ascii;
	unsigned int first = n > width ? n - width : 0;

	for (unsigned int i = first; i < n; i++)
		if (values[i] > full)
			full = values[i];
	pad_to(l, l->width + width - (n - first));
	for (unsigned int i = first; i < n; i++) {
		unsigned int level = full > 0 ? (unsigned int)(values[i] * 7.99f / full) : 0;

		add_cell(l, levels[level], strlen(levels[level]));
	}
}

static char *list_line(const struct stats_view *v, size_t i, unsigned int graphs)
{
	const struct stats_entry *e = v->order[i];
	struct line l = LINE_INIT(v);
	unsigned int end = 0;

	for (unsigned int c = 0; c < STATS_COLUMNS; c++) {
		cleanup_free char *text = cell(v, e, c);

		if (strlen(text) > v->widths[c])
			text[v->widths[c]] = '\0';
		add_text(&l, text);
		end += v->widths[c] + GAP;
		pad_to(&l, end);
	}
	if (graphs) {
		add_graph(&l, e->cpu, e->n_history, graphs, GRAPH_FULL);
		pad_to(&l, end + graphs + GAP);
		add_graph(&l, e->mem, e->n_history, graphs, 0);
	}
	if (i == v->at)
		return line_end(&l, REVERSE);
	return line_end(&l, e->s.paused || !e->s.running ? DIM : PLAIN);
}

static char *heading_line(const struct stats_view *v, unsigned int graphs)
{
	struct line l = LINE_INIT(v);
	unsigned int end = 0;

	for (unsigned int c = 0; c < STATS_COLUMNS; c++) {
		cleanup_free char *text = heading(v, c);

		add_text(&l, text);
		end += v->widths[c] + GAP;
		pad_to(&l, end);
	}
	if (graphs) {
		add_text(&l, "CPU");
		pad_to(&l, end + graphs + GAP);
		add_text(&l, "MEM");
	}
	return line_end(&l, BOLD);
}

static char *title_line(const struct stats_view *v)
{
	cleanup_free char *mem = NULL, *text = NULL;
	uint64_t bytes = 0, pids = 0;
	size_t paused = 0;
	double cpu = 0;

	for (size_t i = 0; i < v->n; i++) {
		bytes += v->entries[i].s.mem_usage;
		pids += v->entries[i].s.pids;
		cpu += v->entries[i].s.cpu_percent;
		paused += v->entries[i].s.paused;
	}
	mem = stats_size(bytes);
	text =
	    xasprintf("inro stats: %zu container%s, %zu paused, CPU %.2f%%, memory %s, %llu pids",
		      v->n, v->n == 1 ? "" : "s", paused, cpu, mem, (unsigned long long)pids);
	return text_line(v, text, PLAIN);
}

static char *foot_line(const struct stats_view *v)
{
	cleanup_free char *text = NULL;

	if (v->mode == STATS_ASK) {
		text =
		    xasprintf("%s %s? (y/n)", v->asked == STATS_KILL ? "kill" : "stop", v->subject);
		return text_line(v, text, BOLD);
	}
	if (v->note)
		return text_line(v, v->note, BOLD);
	if (v->mode == STATS_LOGS)
		return text_line(v, "q back", DIM);
	return text_line(
	    v, "q quit  j k select  < > sort  r reverse  s stop  K kill  p pause  l logs", DIM);
}

static void draw_list(struct stats_view *v, char **lines)
{
	unsigned int graphs;
	size_t n = shown(v);

	find_widths(v);
	graphs = graph_width(v);
	lines[0] = title_line(v);
	if (v->rows > ROW_FIRST)
		lines[1] = heading_line(v, graphs);
	for (size_t i = 0; i < n; i++)
		lines[ROW_FIRST + i] = list_line(v, v->top + i, graphs);
}

static void draw_log(const struct stats_view *v, char **lines)
{
	cleanup_free char *title = xasprintf("logs of %s", v->subject);

	lines[0] = text_line(v, title, BOLD);
	for (unsigned int i = 0; v->log && v->log[i] && i < stats_view_log_rows(v); i++)
		lines[1 + i] = text_line(v, v->log[i], PLAIN);
}

void stats_view_draw(struct stats_view *v, char **lines)
{
	memset(lines, 0, v->rows * sizeof(*lines));
	if (v->mode == STATS_LOGS)
		draw_log(v, lines);
	else
		draw_list(v, lines);
	if (v->rows > 1)
		lines[v->rows - 1] = foot_line(v);
	for (unsigned int i = 0; i < v->rows; i++)
		if (!lines[i])
			lines[i] = xstrdup("");
}
