/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "engine/container_logs.h"
#include "engine/services.h"
#include "engine/filter.h"
#include "engine/record.h"

#define FLUSH_AT (64u << 10)

struct logs_options {
	bool details, follow, latest, names, timestamps;
	char *since, *until, *tail;
};

static const struct opt opts[] = {
	{ .name = "details",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct logs_options, details),
	  .help = "show the attributes that the log's driver was given" },
	{ .name = "follow",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct logs_options, follow),
	  .help = "go on with what is written, until the containers end" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct logs_options, latest),
	  .help = "of the newest container" },
	{ .name = "names",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct logs_options, names),
	  .help = "of several containers: begin lines with the name instead of the id" },
	{ .name = "since",
	  .kind = OPT_STR,
	  OPT_FIELD(struct logs_options, since),
	  .arg = "TIME",
	  .help = "leave out what is older than a time, or than a duration before now (10m)" },
	{ .name = "tail",
	  .short_name = 'n',
	  .kind = OPT_STR,
	  OPT_FIELD(struct logs_options, tail),
	  .arg = "LINES",
	  .help = "begin with the last so many lines, or \"all\"" },
	{ .name = "timestamps",
	  .short_name = 't',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct logs_options, timestamps),
	  .help = "begin lines with their time" },
	{ .name = "until",
	  .kind = OPT_STR,
	  OPT_FIELD(struct logs_options, until),
	  .arg = "TIME",
	  .help = "leave out what is newer than a time, or than a duration before now" },
	OPT_REFUSE("color", "--names tells containers apart"),
};

/* One for each stream, or one for both where they go to the same file: so they keep their order. */
struct sink {
	int fd;
	struct buf out;
	/* the last line has not ended; whose it is */
	bool in_row;
	size_t row_source;
	enum logline_stream row_stream;
};

struct printer {
	const struct logs_options *o;
	bool several; /* containers */
	struct sink sinks[LOGLINE_STREAMS];
	size_t n_sinks;
	/* attributes of the last record, which are those of most */
	struct buf attrs, details;
};

static int sink_flush(struct sink *sink, struct err *err)
{
	int r = io_write(sink->fd, buf_str(&sink->out), sink->out.len);

	buf_reset(&sink->out);
	return r < 0 ? err_errno(err, -r, "writing the log") : 0;
}

/* As in a URL. */
static void add_quoted(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		    strchr("-_.~", c))
			buf_addc(out, (char)c);
		else if (c == ' ')
			buf_addc(out, '+');
		else
			buf_addf(out, "%%%02X", c);
	}
}

struct attrs_doc {
	struct json_map map;
};
static const struct json_field attrs_fields[] = {
	JSON_FIELD(struct attrs_doc, map, "attrs", JSON_MAP),
};
static const struct json_desc attrs_desc = JSON_DESC(struct attrs_doc, attrs_fields);

/* {"a":"b","c":"d"} -> "a=b,c=d" */
static void set_details(struct printer *p, const struct logline *line)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct attrs_doc doc = { 0 };

	buf_reset(&p->attrs);
	buf_add(&p->attrs, line->attrs, line->attrs_len);
	buf_reset(&p->details);
	buf_addf(&text, "{\"attrs\":%s}", buf_str(&p->attrs));
	if (json_parse(&attrs_desc, &doc, buf_str(&text), text.len, "attrs", NULL) < 0)
		return;
	for (size_t i = 0; i < doc.map.n; i++) {
		if (i)
			buf_addc(&p->details, ',');
		add_quoted(&p->details, doc.map.items[i].key);
		buf_addc(&p->details, '=');
		add_quoted(&p->details, doc.map.items[i].value);
	}
	json_free(&attrs_desc, &doc);
}

static void add_details(struct printer *p, struct buf *out, const struct logline *line)
{
	if (line->attrs_len != p->attrs.len ||
	    (line->attrs_len && memcmp(line->attrs, p->attrs.data, line->attrs_len) != 0))
		set_details(p, line);
	buf_add(out, buf_str(&p->details), p->details.len);
	buf_addc(out, ' ');
}

static void add_time(struct buf *out, const struct logline *line)
{
	char text[TIME_RFC3339_MAX];
	int64_t ns;

	if (line->time_len == LOGLINE_STAMP_LEN && line->time[LOGLINE_STAMP_LEN - 1] == 'Z')
		buf_add(out, line->time, line->time_len);
	else if (logline_time(line, &ns) == 0)
		buf_adds(out, time_rfc3339(ns, text));
	else
		buf_adds(out, "-");
	buf_addc(out, ' ');
}

static void add_prefix(struct printer *p, struct buf *out,
		       const struct container_logs_source *source, const struct logline *line)
{
	if (p->several && p->o->names)
		buf_addf(out, "%s ", source->name);
	else if (p->several)
		buf_addf(out, "%.12s ", source->id);
	if (p->o->timestamps)
		add_time(out, line);
	if (p->o->details)
		add_details(p, out, line);
}

static int on_record(void *data, const struct container_logs_source *source,
		     const struct logs_record *record, struct err *err)
{
	const struct logline *line = &record->line;
	struct printer *p = data;
	struct sink *sink = &p->sinks[p->n_sinks > 1 && line->stream == LOGLINE_STDERR];
	bool starts = !record->continues;

	/* Lines of several containers don't share a row; streams of one do as they please. */
	if (p->several && sink->in_row &&
	    (starts || sink->row_source != source->index || sink->row_stream != line->stream)) {
		buf_addc(&sink->out, '\n');
		starts = true;
	}
	if (starts || (p->several && !sink->in_row))
		add_prefix(p, &sink->out, source, line);
	buf_add(&sink->out, line->text, line->len);
	if (!line->partial)
		buf_addc(&sink->out, '\n');
	sink->in_row = line->partial;
	sink->row_source = source->index;
	sink->row_stream = line->stream;
	return sink->out.len >= FLUSH_AT ? sink_flush(sink, err) : 0;
}

static int on_idle(void *data, struct err *err)
{
	struct printer *p = data;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n_sinks; i++)
		if (p->sinks[i].out.len)
			r = sink_flush(&p->sinks[i], err);
	return r;
}

static void printer_init(struct printer *p)
{
	struct stat out, errors;

	p->n_sinks = LOGLINE_STREAMS;
	p->sinks[0].fd = STDOUT_FILENO;
	p->sinks[1].fd = STDERR_FILENO;
	if (fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &errors) == 0 &&
	    out.st_dev == errors.st_dev && out.st_ino == errors.st_ino)
		p->n_sinks = 1;
}

static void printer_done(struct printer *p)
{
	for (size_t i = 0; i < LOGLINE_STREAMS; i++)
		buf_done(&p->sinks[i].out);
	buf_done(&p->attrs);
	buf_done(&p->details);
}

/* "all" and, as with the others, any number below 0. */
static int parse_tail(const char *word, int64_t *ret, struct err *err)
{
	if (!word || str_eq(word, "all")) {
		*ret = -1;
		return 0;
	}
	if (str_parse_i64(word, ret) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid number of lines \"%s\": expected a number or \"all\"",
				word);
	return 0;
}

static int parse_query(const struct logs_options *o, struct logs_query *q, struct err *err)
{
	int r = parse_tail(o->tail, &q->tail, err);

	if (r == 0 && o->since)
		r = filter_time(o->since, &q->since_ns, err);
	if (r == 0 && o->until)
		r = filter_time(o->until, &q->until_ns, err);
	return r;
}

/* The words, or the newest container's id. */
static int choose(struct engine *eng, const struct logs_options *o, char **args, char ***ret,
		  struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	int r;

	if (o->latest && args[0])
		return err_fail(err, ERR_USAGE, "expected either --latest or names of containers");
	if (!o->latest && !args[0])
		return err_fail(err, ERR_USAGE,
				"\"logs\" requires at least 1 argument, or --latest");
	for (; *args; args++)
		strv_add(ret, *args);
	if (!o->latest)
		return services_expand(eng, ret, err);
	r = record_list(eng, NULL, &list, err);
	if (r == 0 && !list.n)
		r = err_fail(err, ERR_NOT_FOUND, "there are no containers");
	if (r == 0)
		strv_add(ret, list.items[0].id);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct logs_options *o = options;
	struct printer printer = { .o = o };
	struct container_logs_options logs = { .query = LOGS_QUERY_INIT,
					       .follow = o->follow,
					       .record = on_record,
					       .idle = on_idle,
					       .data = &printer };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int r;

	r = parse_query(o, &logs.query, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = choose(&eng, o, args, &words, err);
	if (r < 0 && err->kind == ERR_USAGE)
		return r;
	if (r == 0) {
		printer.several = strv_len(words) > 1;
		printer_init(&printer);
		r = container_logs(&eng, words, &logs, err);
		printer_done(&printer);
	}
	if (r < 0)
		cli_report(err);
	return r < 0; /* as docker */
}

const struct cmd cmd_logs = {
	.name = "logs",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Show what containers have printed",
	.details =
	    "What went to standard output goes there, what went to standard error, too, with no "
	    "byte changed. Lines of several containers are joined by their time, each with its "
	    "container's id in front.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct logs_options),
	.min_args = 0,
	.max_args = -1,
	.run = run,
};
