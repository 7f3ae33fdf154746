/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/generate.h"
#include "cli/pod_create.h"
#include "cli/run_options.h"
#include "engine/asked.h"

#define STOP_MAX_S (INT32_MAX - 60) /* systemd waits a minute longer */

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

/* Where the pod's id is while its service runs. */
static char *id_file(const struct generator *g)
{
	cleanup_free char *name = escape(g->pod_unit);

	return xasprintf("--pod-id-file=%%t/%s.pod-id", name);
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
	int r = asked_read(g->eng, g->rec->id, &made, err);

	if (r > 0)
		r = err_fail(
		    err, ERR_UNSUPPORTED,
		    "--new: container %s was made by an older inro, which did not keep its "
		    "options",
		    g->rec->name);
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
	if (g->pod) {
		drop(&o->pod);
		strv_take(&words, id_file(g));
	}
	if (g->o->from_template && o->name) {
		strv_addf(&words, "--name=%s-%%i", o->name);
		drop(&o->name);
	}
	if (!o->sdnotify || str_eq(o->sdnotify, "ignore")) {
		free(o->sdnotify);
		o->sdnotify = xstrdup("conmon");
	}
	/* By which `auto-update` finds the service. */
	strv_add(&words, "--label=PODMAN_SYSTEMD_UNIT=%n");
	opt_words(run_opts.rows, run_opts.n, o, &options);
	strv_add(&options, g->rec->image_name);
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

static void add_title(struct generator *g)
{
	cleanup_free char *title =
	    xasprintf("inro %s.service%s", g->name, g->o->from_template ? " for %I" : "");

	unit_file_add(&g->unit, "Unit", "Description", title);
	unit_file_add(&g->unit, "Unit", "Documentation", "man:inro-generate-systemd(1)");
}

int generate_container(struct generator *g, struct err *err)
{
	const struct opt_u64 stop = { true, g->stop_s + 60 };
	const struct generate_options *o = g->o;
	cleanup_free char *pod = g->pod ? xasprintf("%s.service", g->pod_unit) : NULL;
	int r = 0;

	add_title(g);
	add_all(g, "Wants", "network-online.target", o->wants);
	add_all(g, "After", "network-online.target", o->after);
	add_all(g, "Requires", NULL, o->requires);
	if (pod) {
		unit_file_add(&g->unit, "Unit", "BindsTo", pod);
		unit_file_add(&g->unit, "Unit", "After", pod);
	}
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

/* --- a pod's own --- */

static void add_pod_stop(struct generator *g)
{
	char **words = begin(g);

	strv_add(&words, "pod");
	strv_add(&words, "stop");
	if (g->o->as_new) {
		strv_add(&words, "--ignore");
		strv_take(&words, id_file(g));
	}
	strv_add(&words, "-t");
	strv_addf(&words, "%llu", (unsigned long long)g->stop_s);
	if (!g->o->as_new)
		strv_add(&words, g->which);
	add_command(g, "ExecStop", words);
	if (!g->o->as_new)
		return;
	words = begin(g);
	strv_add(&words, "pod");
	strv_add(&words, "rm");
	strv_add(&words, "--ignore");
	strv_add(&words, "-f");
	strv_take(&words, id_file(g));
	add_command(g, "ExecStopPost", words);
}

/* The command line of the pod. */
static int add_pod_create(struct generator *g, struct err *err)
{
	cleanup_free char *escaped = escape_these(g->pod_unit, "%$");
	cleanup_free char *gone = xasprintf("/bin/rm -f %%t/%s.pod-id", escaped);
	cleanup_strv char **options = NULL;
	struct pod_create_options o = { 0 };
	char **words;
	int r = pod_create_from(g->pod, &o, err);

	if (r == 0) {
		words = begin(g);
		strv_add(&words, "pod");
		strv_add(&words, "create");
		strv_take(&words, id_file(g));
		o.replace = true;
		free(o.name);
		o.name = xstrdup(g->pod->name);
		opt_words(pod_create_opts, POD_CREATE_OPTIONS, &o, &options);
		for (size_t i = 0; options[i]; i++)
			strv_take(&words, escape(options[i]));
		unit_file_add(&g->unit, "Service", "ExecStartPre", gone);
		add_command(g, "ExecStart", words);
	}
	opt_free(pod_create_opts, POD_CLONE_OPTIONS, &o);
	return r;
}

/* There is no process of the pod's that would have to run. */
static void add_pod_there(struct generator *g)
{
	char **words = begin(g);

	strv_add(&words, "pod");
	strv_add(&words, "exists");
	strv_add(&words, g->which);
	add_command(g, "ExecStart", words);
}

int generate_pod(struct generator *g, struct err *err)
{
	const struct opt_u64 stop = { true, g->stop_s + 60 };
	const struct generate_options *o = g->o;
	int r = 0;

	add_title(g);
	add_all(g, "Wants", "network-online.target", g->services);
	add_all(g, "After", "network-online.target", NULL);
	add_all(g, "Before", NULL, g->services);
	unit_file_add(&g->unit, "Unit", "RequiresMountsFor", "%t/inro");
	unit_file_add(&g->unit, "Service", "Environment", "PODMAN_SYSTEMD_UNIT=%n");
	add_env(g);
	unit_file_add(&g->unit, "Service", "Type", "oneshot");
	unit_file_add(&g->unit, "Service", "RemainAfterExit", "yes");
	add_number(g, "TimeoutStartSec", &o->start_timeout);
	add_number(g, "TimeoutStopSec", &stop);
	if (o->as_new)
		r = add_pod_create(g, err);
	else
		add_pod_there(g);
	add_pod_stop(g);
	unit_file_add(&g->unit, "Install", "WantedBy", "default.target");
	return r;
}

/* --- before and after --- */

static bool is_file_name(const char *s)
{
	return !strchr(s, '/') && s[0] && s[0] != '.';
}

static int check_container(const struct generator *g, struct err *err)
{
	if (!g->o->as_new && g->rec->options.restart > RESTART_NO)
		log_warn("container %s has a restart policy of its own beside systemd's: "
			 "`inro update --restart no %s` takes it away",
			 g->rec->name, g->rec->name);
	if (!g->o->as_new && g->rec->auto_remove)
		return err_hint(
		    err,
		    err_fail(err, ERR_CONFLICT,
			     "container %s is removed when it ends (--rm): it cannot be "
			     "started again",
			     g->rec->name),
		    "--new makes another one each time");
	return 0;
}

int generator_init(struct generator *g, struct err *err)
{
	const struct opt_i64 *own = g->rec ? &g->rec->options.stop_timeout : NULL;
	const struct generate_options *o = g->o;
	const char *prefix = g->rec ? o->prefix : o->pod_prefix;

	if (g->rec)
		g->which = xstrdup(o->name ? g->rec->name : g->rec->id);
	else
		g->which = xstrdup(o->name ? g->pod->name : g->pod->id);
	if (!prefix)
		prefix = g->rec ? "container" : "pod";
	g->name = xasprintf("%s%s%s", prefix, o->separator ? o->separator : "-", g->which);
	if (!g->rec)
		g->pod_unit = g->name;
	if (!is_file_name(g->name))
		return err_fail(err, ERR_USAGE, "\"%s\" can't name a unit", g->name);
	g->stop_s = own && own->set && own->value >= 0 ? (uint64_t)own->value : 10;
	if (o->stop_timeout.set)
		g->stop_s = o->stop_timeout.value;
	if (g->stop_s > STOP_MAX_S)
		return err_fail(err, ERR_USAGE, "a stop timeout of %llu seconds: %d is the most",
				(unsigned long long)g->stop_s, STOP_MAX_S);
	return g->rec ? check_container(g, err) : 0;
}

void generator_done(struct generator *g)
{
	unit_file_done(&g->unit);
	free(g->name);
	free(g->which);
}
