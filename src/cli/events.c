/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/events_read.h"

#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "base/template.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/filter.h"

#define FLUSH_AT  (64u << 10)
#define NS_PER_S  INT64_C(1000000000)
#define TIME_TEXT sizeof("2026-01-02T15:04:05.123456789+01:00")

struct events_options {
	char *since, *until, *format, *stream;
	char **filters;
	bool no_trunc;
};

static const char *const bool_choices[] = { "true", "false", NULL };

static const struct opt opts[] = {
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct events_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only these: container, event, image, label, network, type, volume" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct events_options, format),
	  .arg = "FORMAT",
	  .help = "json, or a Go template" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct events_options, no_trunc),
	  .help = "does nothing: ids are always whole" },
	{ .name = "since",
	  .kind = OPT_STR,
	  OPT_FIELD(struct events_options, since),
	  .arg = "TIME",
	  .help = "begin with those since a time, or a duration before now (10m)" },
	{ .name = "stream",
	  .kind = OPT_STR,
	  OPT_FIELD(struct events_options, stream),
	  .arg = "true|false",
	  .help = "go on with what happens (default true)",
	  .choices = bool_choices,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "until",
	  .kind = OPT_STR,
	  OPT_FIELD(struct events_options, until),
	  .arg = "TIME",
	  .help = "end at a time, or a duration before now" },
};

/* ---- what an event is called: docker's members, and podman's for templates ---- */

struct actor_view {
	char *id;
	struct json_map attributes;
};
/* Borrows all of it. */
struct event_view {
	char *status, *id, *from; /* of containers and images */
	char *type, *action;
	struct actor_view actor;
	char *scope;
	int64_t time, time_ns;
	char *name, *image; /* podman's */
};

#define FIELD(T, member, key, kind) JSON_FIELD(struct T, member, key, kind, .flags = JSON_KEEP)

static const struct json_field actor_fields[] = {
	FIELD(actor_view, id, "ID", JSON_STR),
	FIELD(actor_view, attributes, "Attributes", JSON_MAP),
};
static const struct json_desc actor_desc = JSON_DESC(struct actor_view, actor_fields);

#define ACTOR_FIELD                                                                                \
	JSON_FIELD(struct event_view, actor, "Actor", JSON_STRUCT, .desc = &actor_desc,            \
		   .flags = JSON_KEEP)

static const struct json_field docker_fields[] = {
	JSON_FIELD(struct event_view, status, "status", JSON_STR),
	JSON_FIELD(struct event_view, id, "id", JSON_STR),
	JSON_FIELD(struct event_view, from, "from", JSON_STR),
	FIELD(event_view, type, "Type", JSON_STR),
	FIELD(event_view, action, "Action", JSON_STR),
	ACTOR_FIELD,
	FIELD(event_view, scope, "scope", JSON_STR),
	FIELD(event_view, time, "time", JSON_I64),
	FIELD(event_view, time_ns, "timeNano", JSON_I64),
};
static const struct json_desc docker_desc = JSON_DESC(struct event_view, docker_fields);

static const struct json_field template_fields[] = {
	FIELD(event_view, action, "Status", JSON_STR),
	FIELD(event_view, actor.id, "ID", JSON_STR),
	FIELD(event_view, from, "From", JSON_STR),
	FIELD(event_view, type, "Type", JSON_STR),
	FIELD(event_view, action, "Action", JSON_STR),
	ACTOR_FIELD,
	FIELD(event_view, scope, "Scope", JSON_STR),
	FIELD(event_view, time, "Time", JSON_I64),
	FIELD(event_view, time_ns, "TimeNano", JSON_I64),
	FIELD(event_view, name, "Name", JSON_STR),
	FIELD(event_view, image, "Image", JSON_STR),
	FIELD(event_view, actor.attributes, "Attributes", JSON_MAP),
};
static const struct json_desc template_desc = JSON_DESC(struct event_view, template_fields);

static void view_fill(struct event_view *view, const struct event *ev)
{
	bool container = str_eq(ev->type, "container");
	bool named = container || str_eq(ev->type, "image");

	*view = (struct event_view){
		.status = named ? ev->action : NULL,
		.id = named ? ev->actor : NULL,
		.type = ev->type,
		.action = ev->action,
		.actor = { .id = ev->actor, .attributes = ev->attributes },
		.scope = (char *)"local",
		.time = ev->time_ns / NS_PER_S,
		.time_ns = ev->time_ns,
		.name = (char *)json_map_get(&ev->attributes, "name"),
		.image = (char *)json_map_get(&ev->attributes, "image"),
	};
	view->from = container ? view->image : NULL;
}

/* ---- printing ---- */

struct printer {
	bool json, terminal;
	struct template *template; /* NULL: lines, or JSON */
	struct buf out;
};

/* RFC 3339 in the user's zone, always with nine decimals, as docker has it. */
static void time_text(int64_t ns, char out[TIME_TEXT])
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;
	size_t len;
	long zone;

	localtime_r(&seconds, &tm);
	zone = tm.tm_gmtoff / 60;
	len = strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	len += (size_t)snprintf(out + len, TIME_TEXT - len, ".%09d", (int)(ns % NS_PER_S));
	if (!zone)
		snprintf(out + len, TIME_TEXT - len, "Z");
	else
		snprintf(out + len, TIME_TEXT - len, "%c%02d:%02d", zone < 0 ? '-' : '+',
			 (int)labs(zone) / 60 % 100, (int)labs(zone) % 60);
}

static void add_line(struct buf *out, const struct event *ev)
{
	char when[TIME_TEXT];

	time_text(ev->time_ns, when);
	buf_addf(out, "%s %s %s %s (", when, ev->type, ev->action, ev->actor);
	for (size_t i = 0; i < ev->attributes.n; i++)
		buf_addf(out, "%s%s=%s", i ? ", " : "", ev->attributes.items[i].key,
			 ev->attributes.items[i].value);
	buf_adds(out, ")\n");
}

static int add_template(struct printer *p, const struct event_view *view, struct err *err)
{
	cleanup_buf struct buf json = BUF_INIT;
	struct template_data data = { .desc = &template_desc, .mask = p->terminal };
	int r;

	json_write(&template_desc, view, 0, &json);
	data.json = buf_str(&json);
	data.len = json.len;
	r = template_execute(p->template, &data, &p->out, err);
	buf_addc(&p->out, '\n');
	return r < 0 ? err_wrap(err, r, "--format") : 0;
}

static int flush(void *data, struct err *err)
{
	struct printer *p = data;
	int r = p->out.len ? cli_print(&p->out, err) : 0;

	buf_reset(&p->out);
	return r;
}

static int on_event(void *data, const struct event *ev, struct err *err)
{
	struct printer *p = data;
	size_t start = p->out.len;
	struct event_view view;
	int r = 0;

	view_fill(&view, ev);
	if (p->template) {
		r = add_template(p, &view, err);
	} else if (p->json) {
		json_write(&docker_desc, &view, JSON_NEWLINE, &p->out);
	} else {
		add_line(&p->out, ev);
		/* Labels come from images, too. */
		if (p->terminal)
			str_mask_controls(p->out.data + start, "\n");
	}
	return r == 0 && p->out.len >= FLUSH_AT ? flush(p, err) : r;
}

static int printer_init(struct printer *p, const char *format, struct err *err)
{
	int r = 0;

	p->terminal = isatty(STDOUT_FILENO);
	p->json = str_eq(format, "json") || str_eq(format, "{{json .}}") ||
		  str_eq(format, "{{ json . }}");
	if (format && format[0] && !p->json)
		r = template_parse(format, TEMPLATE_ESCAPES, &p->template, err);
	return r < 0 ? err_wrap(err, r, "--format") : 0;
}

static void printer_done(struct printer *p)
{
	template_free(p->template);
	buf_done(&p->out);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct events_options *o = options;
	struct printer printer = { .json = false };
	struct events_query query = { .filters = o->filters,
				      .stream = !str_eq(o->stream, "false"),
				      .event = on_event,
				      .idle = flush,
				      .data = &printer };
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = 0;

	if (o->since)
		r = filter_time(o->since, &query.since_ns, err);
	if (r == 0 && o->until)
		r = filter_time(o->until, &query.until_ns, err);
	if (r == 0)
		r = printer_init(&printer, o->format, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = events_read(&eng, &query, err);
	printer_done(&printer);
	return r;
}

const struct cmd cmd_events = {
	.name = "events",
	.args = "[OPTIONS]",
	.summary = "Show what happens to containers and images, as it happens",
	.details =
	    "Without --since and --until what happens from now on, until it is interrupted. With "
	    "--stream=false what has happened.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct events_options),
	.max_args = 0,
	.run = run,
};
