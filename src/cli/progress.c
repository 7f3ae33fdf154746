/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "base/io.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "sys/tty.h"

#define TICK_MS   100
#define BAR_WIDTH 30

const char *const progress_modes[] = { "auto", "plain", "tty", "json", NULL };

enum progress_mode progress_mode_of(const char *word, bool quiet)
{
	for (int i = 0; word && progress_modes[i]; i++)
		if (str_eq(word, progress_modes[i]))
			return (enum progress_mode)i;
	return quiet ? PROGRESS_QUIET : PROGRESS_AUTO;
}

struct shown {
	enum pull_state state;
	bool seen;
	uint64_t first;     /* bytes that were there when it began */
	int64_t started_ns; /* 0: not yet */
};

/* A push, as layers that are shown like those of a pull. */
struct pushing {
	char *full, *name; /* of where it goes; the tag or digest, or NULL: a copy */
	struct pull_layer *layers;
	char **notes; /* instead of the state's word, or NULL */
	size_t n;
	int64_t drawn_ns;
};

struct progress {
	enum progress_mode mode;
	int fd;
	struct pull_events events;
	struct pushing *push; /* NULL: a pull */
	struct shown *shown;
	size_t n;
	size_t drawn; /* lines on the terminal that the next picture replaces */
};

/* docker's words. */
static const char *const state_words[] = {
	[PULL_WAITING] = "Pulling fs layer", [PULL_SHARED] = "Waiting for another pull",
	[PULL_DOWNLOADING] = "Downloading",  [PULL_UNPACKING] = "Extracting",
	[PULL_DONE] = "Pull complete",       [PULL_EXISTS] = "Already exists",
};
static const char *const push_words[] = {
	[PULL_WAITING] = "Waiting",
	[PULL_DOWNLOADING] = "Pushing",
	[PULL_DONE] = "Pushed",
	[PULL_EXISTS] = "Layer already exists",
};
static const char *const copy_words[] = {
	[PULL_WAITING] = "Waiting",
	[PULL_DOWNLOADING] = "Copying",
	[PULL_DONE] = "Copied",
	[PULL_EXISTS] = "Already exists",
};
static const char *const state_names[] = {
	[PULL_WAITING] = "waiting",
	[PULL_SHARED] = "shared",
	[PULL_DOWNLOADING] = "downloading",
	[PULL_UNPACKING] = "extracting",
	[PULL_DONE] = "done",
	[PULL_EXISTS] = "exists",
};
static const char *const push_names[] = {
	[PULL_WAITING] = "waiting",
	[PULL_DOWNLOADING] = "uploading",
	[PULL_DONE] = "done",
	[PULL_EXISTS] = "exists",
};

/* A terminal that has gone is no reason to stop. */
static void out_write(const struct progress *p, const struct buf *out)
{
	if (out->len)
		io_write(p->fd, out->data, out->len);
}

static const char *short_digest(const char *digest)
{
	const char *hex = str_after(digest, "sha256:");

	return hex ? hex : digest;
}

/* ---- JSON ---- */

static void json_member(struct buf *out, const char *key, const char *value)
{
	buf_addc(out, out->data && out->data[out->len - 1] != '\n' ? ',' : '{');
	json_write_string(out, key);
	buf_addc(out, ':');
	json_write_string(out, value);
}

static void json_layer(const struct progress *p, struct buf *out, const struct pull_layer *l)
{
	json_member(out, "layer", l->digest);
	json_member(out, "state", (p->push ? push_names : state_names)[l->state]);
	buf_addf(out, ",\"done\":%llu,\"size\":%llu}\n", (unsigned long long)l->done,
		 (unsigned long long)l->size);
}

/* ---- lines ---- */

/* The i-th layer's word. */
static const char *word_of(const struct progress *p, const struct pull_layer *l, size_t i)
{
	if (!p->push)
		return state_words[l->state];
	if (p->push->notes[i])
		return p->push->notes[i];
	return (p->push->name ? push_words : copy_words)[l->state];
}

static void plain_layer(const struct progress *p, struct buf *out, const struct pull_layer *l,
			size_t i)
{
	if (l->state == PULL_DOWNLOADING || (p->push && l->state == PULL_WAITING))
		return;
	buf_addf(out, "%.12s: %s\n", short_digest(l->digest),
		 l->state == PULL_UNPACKING ? "Download complete" : word_of(p, l, i));
}

static void layers_lines(struct progress *p, const struct pull_layer *layers, size_t n)
{
	cleanup_buf struct buf out = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		struct shown *s = &p->shown[i];
		bool changed = !s->seen || s->state != layers[i].state;

		if (p->mode == PROGRESS_JSON &&
		    (changed || (layers[i].state == PULL_DOWNLOADING && layers[i].done)))
			json_layer(p, &out, &layers[i]);
		else if (p->mode == PROGRESS_PLAIN && changed)
			plain_layer(p, &out, &layers[i], i);
		s->seen = true;
		s->state = layers[i].state;
	}
	out_write(p, &out);
}

/* ---- bars ---- */

static void bar_draw(struct buf *out, const struct pull_layer *l, const struct shown *s)
{
	size_t filled = l->size ? (size_t)(l->done * BAR_WIDTH / l->size) : BAR_WIDTH;
	cleanup_free char *done = cli_size(l->done), *size = cli_size(l->size);
	int64_t ns = s->started_ns ? time_monotonic_ns() - s->started_ns : 0;
	uint64_t got = l->done > s->first ? l->done - s->first : 0;

	buf_adds(out, " [");
	for (size_t i = 0; i < BAR_WIDTH; i++)
		buf_addc(out, i < filled ? '=' : i == filled ? '>' : ' ');
	buf_addf(out, "] %s/%s", done, size);
	if (ns < 500 * 1000000 || !got || l->state != PULL_DOWNLOADING)
		return;
	double rate = (double)got * 1e9 / (double)ns;
	cleanup_free char *per_second = cli_size((uint64_t)rate);
	buf_addf(out, "  %s/s  %.0fs", per_second, (double)(l->size - l->done) / rate);
}

static void bar_line(const struct progress *p, struct buf *out, const struct pull_layer *l,
		     size_t i, size_t columns)
{
	cleanup_buf struct buf line = BUF_INIT;

	buf_addf(&line, "%.12s: %s", short_digest(l->digest), word_of(p, l, i));
	if (l->state == PULL_DOWNLOADING)
		bar_draw(&line, l, &p->shown[i]);
	/* One that is wrapped would take two lines to go back over. */
	if (line.len >= columns)
		line.len = columns - 1;
	buf_add(out, line.data, line.len);
	buf_adds(out, "\033[K\n");
}

static void layers_bars(struct progress *p, const struct pull_layer *layers, size_t n)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct winsize ws = { 0 };
	size_t rows = 24, columns = 80, lines = 0, done = 0;

	if (tty_get_size(p->fd, &ws) == 0 && ws.ws_row > 2 && ws.ws_col > 20) {
		rows = ws.ws_row;
		columns = ws.ws_col;
	}
	if (p->drawn)
		buf_addf(&out, "\033[%zuA", p->drawn);
	for (size_t i = 0; i < n; i++) {
		struct shown *s = &p->shown[i];

		if (layers[i].state == PULL_DOWNLOADING && !s->started_ns) {
			s->started_ns = time_monotonic_ns();
			s->first = layers[i].done;
		}
		done += layers[i].state >= PULL_DONE;
		/* More layers than rows: those that are done go first. */
		if (n + 2 > rows && (layers[i].state >= PULL_DONE || lines + 3 > rows))
			continue;
		bar_line(p, &out, &layers[i], i, columns);
		lines++;
	}
	if (n + 2 > rows) {
		buf_addf(&out, "%zu of %zu layers\033[K\n", done, n);
		lines++;
	}
	buf_adds(&out, "\033[J");
	p->drawn = lines;
	out_write(p, &out);
}

/* ---- events ---- */

static void on_started(void *data, const struct reference *ref)
{
	struct progress *p = data;
	cleanup_buf struct buf out = BUF_INIT;

	free(take_ptr(p->shown));
	p->n = p->drawn = 0;
	if (p->mode == PROGRESS_JSON) {
		cleanup_free char *full = reference_format(ref);

		json_member(&out, "pulling", full);
		buf_adds(&out, "}\n");
	} else {
		buf_addf(&out, "%s: Pulling from %s\n",
			 ref->tag && !ref->digest ? ref->tag : ref->digest, ref->path);
	}
	out_write(p, &out);
}

static void on_layers(void *data, const struct pull_layer *layers, size_t n)
{
	struct progress *p = data;

	if (!p->shown) {
		p->shown = xcalloc(n + 1, sizeof(*p->shown));
		p->n = n;
	}
	if (p->mode == PROGRESS_TTY)
		layers_bars(p, layers, n);
	else
		layers_lines(p, layers, n);
}

static void on_notice(void *data, const char *text)
{
	struct progress *p = data;
	cleanup_buf struct buf out = BUF_INIT;

	if (p->mode == PROGRESS_JSON) {
		json_member(&out, "notice", text);
		buf_adds(&out, "}\n");
	} else {
		buf_addf(&out, "%s%s\n", p->mode == PROGRESS_TTY ? "\033[J" : "", text);
		p->drawn = 0;
	}
	out_write(p, &out);
}

static void on_finished(void *data, const struct pull_outcome *o)
{
	struct progress *p = data;
	cleanup_buf struct buf out = BUF_INIT;

	if (p->mode == PROGRESS_JSON) {
		json_member(&out, "pulled", o->full);
		json_member(&out, "digest", o->digest);
		json_member(&out, "id", o->id);
		buf_addf(&out, ",\"new\":%s}\n", o->up_to_date ? "false" : "true");
	} else if (p->mode == PROGRESS_QUIET) {
		buf_addf(&out, "%s\n", o->full);
	} else {
		buf_addf(&out, "Digest: %s\nStatus: %s for %s\n%s\n", o->digest,
			 o->up_to_date ? "Image is up to date" : "Downloaded newer image",
			 o->reference, o->full);
	}
	out_write(p, &out);
}

struct progress *progress_new(enum progress_mode mode, int fd)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->mode = mode != PROGRESS_AUTO ? mode : isatty(fd) ? PROGRESS_TTY : PROGRESS_PLAIN;
	p->fd = fd;
	p->events.data = p->events.watch.data = p;
	p->events.finished = on_finished;
	if (mode == PROGRESS_QUIET)
		return p;
	p->events.started = on_started;
	p->events.watch.layers = on_layers;
	p->events.watch.notice = on_notice;
	if (p->mode != PROGRESS_PLAIN)
		p->events.watch.interval_ms = TICK_MS;
	return p;
}

static void pushing_free(struct pushing *push)
{
	if (!push)
		return;
	for (size_t i = 0; i < push->n; i++) {
		free((char *)(uintptr_t)push->layers[i].digest);
		free(push->notes[i]);
	}
	free(push->layers);
	free(push->notes);
	free(push->full);
	free(push->name);
	free(push);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	free(p->shown);
	pushing_free(p->push);
	free(p);
}

void progress_missing(const char *word)
{
	fprintf(stderr, "Unable to find image '%s' locally\n", word);
}

const struct pull_events *progress_events(struct progress *p)
{
	return &p->events;
}

/* ---- pushes ---- */

struct progress *progress_new_push(enum progress_mode mode, int fd, const struct reference *to)
{
	cleanup_free char *repository = reference_repository(to);
	struct progress *p = progress_new(mode, fd);
	cleanup_buf struct buf out = BUF_INIT;

	p->push = xcalloc(1, sizeof(*p->push));
	p->push->full = reference_format(to);
	p->push->name = xstrdup(to->tag ? to->tag : to->digest);
	if (p->mode == PROGRESS_JSON) {
		json_member(&out, "pushing", p->push->full);
		buf_adds(&out, "}\n");
	} else if (p->mode != PROGRESS_QUIET) {
		buf_addf(&out, "The push refers to repository [%s]\n", repository);
	}
	out_write(p, &out);
	return p;
}

static void push_add(struct pushing *push, const struct push_event *e)
{
	push->layers = xrealloc(push->layers, (push->n + 1) * sizeof(*push->layers));
	push->notes = xrealloc(push->notes, (push->n + 1) * sizeof(*push->notes));
	push->layers[push->n] =
	    (struct pull_layer){ .digest = xstrdup(e->digest), .size = e->size };
	push->notes[push->n++] = NULL;
}

/* Puts the event into its layer. */
static void push_note(struct pushing *push, const struct push_event *e)
{
	static const enum pull_state states[] = {
		[PUSH_PROGRESS] = PULL_DOWNLOADING,
		[PUSH_EXISTS] = PULL_EXISTS,
		[PUSH_MOUNTED] = PULL_EXISTS,
		[PUSH_PUSHED] = PULL_DONE,
	};

	for (size_t i = 0; i < push->n; i++) {
		if (!str_eq(push->layers[i].digest, e->digest))
			continue;
		push->layers[i].state = states[e->kind];
		push->layers[i].done = e->kind == PUSH_PROGRESS ? e->done : e->size;
		if (e->kind == PUSH_MOUNTED && !push->notes[i])
			push->notes[i] = xasprintf("Mounted from %s", e->from);
	}
}

void progress_push_event(void *progress, const struct push_event *e)
{
	struct progress *p = progress;
	cleanup_free char *text = NULL;
	int64_t now = time_monotonic_ns();

	if (p->mode == PROGRESS_QUIET || e->kind == PUSH_MANIFEST)
		return;
	if (e->kind == PUSH_WAITING) {
		push_add(p->push, e);
		return;
	}
	if (e->kind == PUSH_SKIPPED)
		text = xasprintf("%.12s: Skipped foreign layer", short_digest(e->digest));
	if (text || e->kind == PUSH_NOTICE) {
		on_notice(p, text ? text : e->text);
		return;
	}
	push_note(p->push, e);
	if (e->kind == PUSH_PROGRESS && now - p->push->drawn_ns < TICK_MS * INT64_C(1000000))
		return;
	p->push->drawn_ns = now;
	on_layers(p, p->push->layers, p->push->n);
}

void progress_pushed(struct progress *p, const struct push_result *result)
{
	cleanup_buf struct buf out = BUF_INIT;

	if (p->mode == PROGRESS_JSON) {
		json_member(&out, "pushed", p->push->full);
		json_member(&out, "digest", result->digest);
		buf_addf(&out, ",\"size\":%llu}\n", (unsigned long long)result->size);
	} else if (p->mode == PROGRESS_QUIET) {
		buf_addf(&out, "%s\n", p->push->full);
	} else {
		buf_addf(&out, "%s: digest: %s size: %llu\n", p->push->name, result->digest,
			 (unsigned long long)result->size);
	}
	out_write(p, &out);
}

/* ---- copies ---- */

struct progress *progress_new_copy(enum progress_mode mode, int fd,
				   const struct transport_name *from,
				   const struct transport_name *to)
{
	cleanup_free char *source = transport_format(from);
	struct progress *p = progress_new(mode, fd);
	cleanup_buf struct buf out = BUF_INIT;

	p->push = xcalloc(1, sizeof(*p->push));
	/* A store's image without a name of its own gets the source's. */
	p->push->full = to->name || to->path ? transport_format(to) : xstrdup("the store");
	if (p->mode == PROGRESS_JSON) {
		json_member(&out, "copying", source);
		json_member(&out, "to", p->push->full);
		buf_adds(&out, "}\n");
	} else if (p->mode != PROGRESS_QUIET) {
		buf_addf(&out, "Copying %s to %s\n", source, p->push->full);
	}
	out_write(p, &out);
	return p;
}

void progress_copied(struct progress *p, const struct copy_result *result)
{
	cleanup_buf struct buf out = BUF_INIT;

	if (p->mode == PROGRESS_JSON) {
		json_member(&out, "copied", p->push->full);
		json_member(&out, "digest", result->digest);
		if (result->id)
			json_member(&out, "id", result->id);
		buf_addf(&out, ",\"size\":%llu}\n", (unsigned long long)result->size);
	} else if (p->mode != PROGRESS_QUIET) {
		buf_addf(&out, "Digest: %s\n", result->digest);
	}
	out_write(p, &out);
}
