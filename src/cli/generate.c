/* SPDX-License-Identifier: Apache-2.0 */
/* generate systemd: a service for a container that is there, or for others like it (--new). */
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/run_options.h"
#include "engine/asked.h"
#include "engine/life.h"
#include "units/file.h"

struct generate_options {
	bool files, name, as_new, no_header;
	char *format, *restart_policy, *prefix, *pod_prefix, *separator;
	char **after, **requires, **wants, **env;
	struct opt_u64 restart_sec, start_timeout, stop_timeout;
};

static const char *const formats[] = { "json", NULL };
static const char *const restarts[] = { "no",          "on-success", "on-failure", "on-abnormal",
					"on-watchdog", "on-abort",   "always",     NULL };

#define FIELD(member) OPT_FIELD(struct generate_options, member)

static const struct opt opts[] = {
	{ .name = "after",
	  .kind = OPT_STRV,
	  FIELD(after),
	  .arg = "UNIT",
	  .help = "start it after this unit" },
	{ .name = "container-prefix",
	  .kind = OPT_STR,
	  FIELD(prefix),
	  .arg = "PREFIX",
	  .help = "what the unit's name begins with (default container)" },
	{ .name = "env",
	  .short_name = 'e',
	  .kind = OPT_STRV,
	  FIELD(env),
	  .arg = "NAME[=VALUE]",
	  .help = "set a variable for the commands of the unit, or take it over" },
	{ .name = "files",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  FIELD(files),
	  .help = "write the unit to a file in this directory, and print its path" },
	{ .name = "format",
	  .kind = OPT_STR,
	  FIELD(format),
	  .arg = "json",
	  .help = "print an object: name and unit, or path",
	  .choices = formats },
	{ .name = "name",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  FIELD(name),
	  .help = "use the container's name and not its id" },
	{ .name = "new",
	  .kind = OPT_FLAG,
	  FIELD(as_new),
	  .help = "make a new container at each start, and remove it at the end" },
	{ .name = "no-header",
	  .kind = OPT_FLAG,
	  FIELD(no_header),
	  .help = "without version and time on top" },
	{ .name = "pod-prefix",
	  .kind = OPT_STR,
	  FIELD(pod_prefix),
	  .arg = "PREFIX",
	  .help = "has no effect: units are made of containers alone",
	  .flags = OPT_HIDDEN },
	{ .name = "requires",
	  .kind = OPT_STRV,
	  FIELD(requires),
	  .arg = "UNIT",
	  .help = "it needs this unit" },
	{ .name = "restart-policy",
	  .kind = OPT_STR,
	  FIELD(restart_policy),
	  .arg = "POLICY",
	  .help = "when systemd starts it again (default on-failure)",
	  .choices = restarts },
	{ .name = "restart-sec",
	  .kind = OPT_U64,
	  FIELD(restart_sec),
	  .arg = "SECONDS",
	  .help = "what systemd waits before that" },
	{ .name = "separator",
	  .kind = OPT_STR,
	  FIELD(separator),
	  .arg = "TEXT",
	  .help = "between prefix and name (default -)" },
	{ .name = "start-timeout",
	  .kind = OPT_U64,
	  FIELD(start_timeout),
	  .arg = "SECONDS",
	  .help = "what a start may take" },
	{ .name = "stop-timeout",
	  .kind = OPT_U64,
	  FIELD(stop_timeout),
	  .arg = "SECONDS",
	  .help = "how long a stop waits before the container is killed (default: its own time)" },
	OPT_REFUSE("template", "a file web@.container makes a template: inro-systemd.unit(5)"),
	{ .name = "time",
	  .short_name = 't',
	  .kind = OPT_U64,
	  FIELD(stop_timeout),
	  .arg = "SECONDS",
	  .help = "the same as --stop-timeout" },
	{ .name = "wants",
	  .kind = OPT_STRV,
	  FIELD(wants),
	  .arg = "UNIT",
	  .help = "it wants this unit, and does without" },
};

struct generator {
	const struct generate_options *o;
	const void *globals;
	struct engine *eng;
	struct record rec;
	char *name;  /* "container-web" */
	char *which; /* the container's name or id */
	uint64_t stop_s;
	struct unit_file unit;
};

static char *escape_these(const char *word, const char *letters)
{
	cleanup_buf struct buf out = BUF_INIT;

	for (; *word; word++) {
		if (strchr(letters, *word))
			buf_addc(&out, *word);
		buf_addc(&out, *word);
	}
	return buf_take(&out);
}

/* Of a command line systemd takes these for its own. */
static char *escape(const char *word)
{
	return escape_these(word, "$%");
}

/* inro, and the options of its own that it has here. */
static char **begin(const struct generator *g)
{
	const struct globals *from = g->globals;
	const struct {
		const char *option, *value;
	} own[] = { { "--root", from->root },
		    { "--runroot", from->runroot },
		    { "--config", from->config } };
	char **words = NULL;

	strv_take(&words, escape(g->eng->self_path));
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		cleanup_free char *value = own[i].value ? escape(own[i].value) : NULL;

		if (value)
			strv_addf(&words, "%s=%s", own[i].option, value);
	}
	return words;
}

/* Takes words over. */
static void add_command(struct generator *g, const char *key, char **words)
{
	cleanup_buf struct buf line = BUF_INIT;

	unit_quote_all(&line, words);
	unit_file_add(&g->unit, "Service", key, buf_str(&line));
	strv_free(words);
}

static void add_number(struct generator *g, const char *key, const struct opt_u64 *value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value->value);
	if (value->set)
		unit_file_add(&g->unit, "Service", key, text);
}

/* --- commands --- */

#define CIDFILE "--cidfile=%t/%n.ctr-id"

static void add_stop(struct generator *g, const char *key, const char *verb)
{
	char **words = begin(g);

	strv_add(&words, verb);
	if (g->o->as_new)
		strv_add(&words, "--ignore");
	if (str_eq(verb, "rm"))
		strv_add(&words, "-f");
	strv_addf(&words, "-t");
	strv_addf(&words, "%llu", (unsigned long long)g->stop_s);
	if (g->o->as_new)
		strv_add(&words, CIDFILE);
	else
		strv_add(&words, g->which);
	add_command(g, key, words);
}

static void add_start(struct generator *g)
{
	char **words = begin(g);

	strv_add(&words, "start");
	strv_add(&words, "--sdnotify=conmon");
	strv_add(&words, g->which);
	add_command(g, "ExecStart", words);
	add_stop(g, "ExecStop", "stop");
	add_stop(g, "ExecStopPost", "stop");
}

static void drop(char **field)
{
	free(*field);
	*field = NULL;
}

/* The command line of the container without what a service has its own of. */
static int add_run(struct generator *g, struct err *err)
{
	cleanup_asked struct asked made = { 0 };
	cleanup_strv char **options = NULL;
	struct run_options *o = &made.options;
	char **words;
	int r = asked_read(g->eng, g->rec.id, &made, err);

	if (r > 0)
		r = err_fail(
		    err, ERR_UNSUPPORTED,
		    "--new: container %s was made by an older inro, which did not keep its "
		    "options",
		    g->rec.name);
	if (r < 0)
		return r;
	drop(&o->cidfile);
	drop(&o->cgroups);
	drop(&o->restart);
	drop(&o->conmon_pidfile);
	o->rm = o->detach = true;
	o->replace = o->name != NULL;
	words = begin(g);
	strv_add(&words, "run");
	strv_add(&words, CIDFILE);
	strv_add(&words, "--cgroups=no-conmon");
	if (!o->sdnotify || str_eq(o->sdnotify, "ignore")) {
		free(o->sdnotify);
		o->sdnotify = xstrdup("conmon");
	}
	/* By which `auto-update` finds the service. */
	strv_add(&words, "--label=PODMAN_SYSTEMD_UNIT=%n");
	opt_words(run_opts.rows, run_opts.n, o, &options);
	strv_add(&options, g->rec.image_name);
	strv_extend(&options, made.args);
	for (size_t i = 0; options && options[i]; i++)
		strv_take(&words, escape(options[i]));
	unit_file_add(&g->unit, "Service", "ExecStartPre", "/bin/rm -f %t/%n.ctr-id");
	add_command(g, "ExecStart", words);
	add_stop(g, "ExecStop", "stop");
	add_stop(g, "ExecStopPost", "rm");
	return 0;
}

/* --- the unit --- */

static void add_all(struct generator *g, const char *key, const char *first, char *const *others)
{
	cleanup_strv char **words = NULL;
	cleanup_free char *joined = NULL;

	if (first)
		strv_add(&words, first);
	strv_extend(&words, others);
	joined = strv_join(words, " ");
	if (*joined)
		unit_file_add(&g->unit, "Unit", key, joined);
}

static void add_env(struct generator *g)
{
	for (size_t i = 0; g->o->env && g->o->env[i]; i++) {
		const char *word = g->o->env[i];
		const char *value = strchr(word, '=') ? NULL : getenv(word);
		cleanup_free char *whole = value ? xasprintf("%s=%s", word, value) : xstrdup(word);
		cleanup_free char *escaped = NULL;
		cleanup_buf struct buf quoted = BUF_INIT;

		if (!strchr(whole, '='))
			continue;
		escaped = escape_these(whole, "%"); /* no variable of another one */
		unit_quote(&quoted, escaped);
		unit_file_add(&g->unit, "Service", "Environment", buf_str(&quoted));
	}
}

static int make(struct generator *g, struct err *err)
{
	const struct opt_u64 stop = { true, g->stop_s + 60 };
	const struct generate_options *o = g->o;
	cleanup_free char *title = xasprintf("inro %s.service", g->name);
	int r = 0;

	unit_file_add(&g->unit, "Unit", "Description", title);
	unit_file_add(&g->unit, "Unit", "Documentation", "man:inro-generate-systemd(1)");
	add_all(g, "Wants", "network-online.target", o->wants);
	add_all(g, "After", "network-online.target", o->after);
	add_all(g, "Requires", NULL, o->requires);
	unit_file_add(&g->unit, "Unit", "RequiresMountsFor", "%t/inro");
	unit_file_add(&g->unit, "Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n");
	add_env(g);
	unit_file_add(&g->unit, "Service", "Restart",
		      o->restart_policy ? o->restart_policy : "on-failure");
	add_number(g, "RestartSec", &o->restart_sec);
	add_number(g, "TimeoutStartSec", &o->start_timeout);
	add_number(g, "TimeoutStopSec", &stop);
	if (o->as_new)
		r = add_run(g, err);
	else
		add_start(g);
	unit_file_add(&g->unit, "Service", "Type", "notify");
	unit_file_add(&g->unit, "Service", "NotifyAccess", "all");
	unit_file_add(&g->unit, "Install", "WantedBy", "default.target");
	return r;
}

static int write_file(const char *name, const struct buf *text, char **ret_path, struct err *err)
{
	cleanup_free char *dir = getcwd(NULL, 0);
	int r;

	if (!dir)
		return err_errno(err, errno, "finding the working directory");
	r = io_replace_file(AT_FDCWD, name, text->data, text->len, 0644, false, err);
	if (r == 0)
		*ret_path = path_join(dir, name);
	return r;
}

static int put_out(const struct generator *g, struct err *err)
{
	cleanup_free char *file = xasprintf("%s.service", g->name), *path = NULL;
	cleanup_buf struct buf text = BUF_INIT, out = BUF_INIT;
	char now[TIME_RFC3339_MAX];

	buf_addf(&text, "# %s\n", file);
	if (!g->o->no_header)
		buf_addf(&text, "# autogenerated by inro " INRO_VERSION "\n# %s\n",
			 time_rfc3339(time_now_ns(), now));
	buf_addc(&text, '\n');
	unit_file_write(&g->unit, &text);
	if (g->o->files) {
		int r = write_file(file, &text, &path, err);

		if (r < 0)
			return r;
	}
	if (g->o->format) {
		buf_adds(&out, "{\n    ");
		json_write_string(&out, g->name);
		buf_adds(&out, ": ");
		json_write_string(&out, path ? path : buf_str(&text));
		buf_adds(&out, "\n}\n");
	} else {
		buf_adds(&out, path ? path : buf_str(&text));
		if (path)
			buf_addc(&out, '\n');
	}
	return cli_print(&out, err);
}

static bool is_file_name(const char *s)
{
	return !strchr(s, '/') && s[0] && s[0] != '.';
}

static int prepare(struct generator *g, struct err *err)
{
	const struct record_options *from = &g->rec.options;
	const struct generate_options *o = g->o;
	const struct opt_i64 *own = &from->stop_timeout;

	g->which = xstrdup(o->name ? g->rec.name : g->rec.id);
	g->name = xasprintf("%s%s%s", o->prefix ? o->prefix : "container",
			    o->separator ? o->separator : "-", g->which);
	if (!is_file_name(g->name))
		return err_fail(err, ERR_USAGE, "\"%s\" can't name a unit", g->name);
	g->stop_s = own->set && own->value >= 0 ? (uint64_t)own->value : 10;
	if (o->stop_timeout.set)
		g->stop_s = o->stop_timeout.value;
	if (!o->as_new && from->restart > RESTART_NO)
		log_warn("container %s has a restart policy of its own beside systemd's: "
			 "`inro update --restart no %s` takes it away",
			 g->rec.name, g->rec.name);
	if (!o->as_new && g->rec.auto_remove)
		return err_hint(
		    err,
		    err_fail(err, ERR_CONFLICT,
			     "container %s is removed when it ends (--rm): it cannot be "
			     "started again",
			     g->rec.name),
		    "--new makes another one each time");
	return 0;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct generator g = { .o = options, .globals = globals, .eng = &eng };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = life_find(&eng, args[0], &g.rec, err);
	if (r == 0)
		r = prepare(&g, err);
	if (r == 0)
		r = make(&g, err);
	if (r == 0)
		r = put_out(&g, err);
	unit_file_done(&g.unit);
	record_done(&g.rec);
	free(g.name);
	free(g.which);
	return r;
}

const struct cmd cmd_generate_systemd = {
	.name = "systemd",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Print a service of systemd's that runs a container",
	.details = "Without --new it is this container that is started and stopped. Files of the "
		   "kind .container say the same in fewer words: see inro-systemd.unit(5).",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct generate_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
