/* SPDX-License-Identifier: Apache-2.0 */
/* Config of `inspect`: what the image and the user have said about the process. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/inspect_internal.h"
#include "engine/parse.h"

static char *either(const char *a, const char *b)
{
	return xstrdup(a ? a : b ? b : "");
}

void inspect_set_keys(const oci_keys *keys, struct json_map *ret)
{
	for (size_t i = 0; i < keys->n; i++)
		json_map_set(ret, keys->items[i].key, "{}");
}

/* The parts of the command line, by docker's rule: an entrypoint of the user's goes without the
 * image's command. */
static void fill_command(const struct inspected *in, struct inspect_container_config *ret)
{
	const struct oci_config *image = in->image.config;
	const char *entrypoint = in->asked.options.entrypoint;

	if (entrypoint) {
		if (entrypoint[0])
			strv_add(&ret->entrypoint, entrypoint);
	} else if (image) {
		ret->entrypoint = strv_copy(image->entrypoint);
	}
	if (strv_len(in->asked.args))
		ret->cmd = strv_copy(in->asked.args);
	else if (image && !entrypoint)
		ret->cmd = strv_copy(image->cmd);
}

static void fill_image(const struct oci_config *image, struct inspect_container_config *ret)
{
	inspect_set_keys(&image->exposed_ports, &ret->exposed_ports);
	inspect_set_keys(&image->volumes, &ret->volumes);
	ret->args_escaped = image->args_escaped;
	ret->on_build = strv_copy(image->on_build);
	ret->shell = strv_copy(image->shell);
}

static void fill_user(const struct inspected *in, struct inspect_container_config *ret)
{
	const struct run_options *o = &in->asked.options;
	const struct oci_config *image = in->image.config;

	ret->user = either(o->user, image ? image->user : NULL);
	ret->umask = either(o->umask, "0022");
	ret->passwd = !str_eq(o->passwd, "false");
	ret->timezone = o->tz ? xstrdup(o->tz) : NULL;
	for (char **w = o->annotation; w && *w; w++)
		label_parse(*w, "annotation", &ret->annotations, NULL);
	for (char **w = o->secret; w && *w; w++) {
		struct secret_request q = { 0 };

		if (secret_parse(*w, &q, NULL) == 0)
			strv_add(&ret->secrets, q.source);
		secret_request_done(&q);
	}
	for (char **w = o->expose; w && *w; w++)
		expose_parse(*w, &ret->exposed_ports, NULL);
	/* -v /path, a volume without a name */
	for (char **v = o->volume; v && *v; v++)
		if (!strchr(*v, ':'))
			json_map_set(&ret->volumes, *v, "{}");
}

static struct oci_healthcheck *show_probe(const struct health_probe *p)
{
	struct oci_healthcheck *to = xcalloc(1, sizeof(*to));

	*to = (struct oci_healthcheck){
		.test = strv_copy(p->test),
		.interval = p->interval_ns,
		.timeout = p->timeout_ns,
		.retries = p->retries,
	};
	return to;
}

static void fill_health(const struct health *h, struct inspect_container_config *ret)
{
	if (!h)
		return;
	ret->healthcheck = show_probe(&h->probe);
	ret->healthcheck->start_period = h->start_period_ns;
	ret->healthcheck->start_interval = h->start_interval_ns;
	if (h->manual)
		ret->healthcheck->interval = 0;
	if (h->startup.test)
		ret->startup_healthcheck = show_probe(&h->startup);
	ret->health_on_failure =
	    xstrdup(health_action_names[h->on_failure > 0 ? h->on_failure : 0]);
}

void inspect_config_fill(const struct inspected *in, struct inspect_container_config *ret)
{
	const struct record_options *o = &in->rec.options;
	const struct run_options *asked = &in->asked.options;
	const struct spec_process *p = in->spec.process;
	const struct record *rec = &in->rec;

	/* That of this machine, as the process was told. */
	ret->hostname = either(in->spec.hostname, p ? strv_env_get(p->env, "HOSTNAME") : NULL);
	ret->domainname = either(in->spec.domainname, NULL);
	ret->attach_stdin = !asked->detach && run_attaches(asked, "stdin") && o->interactive;
	ret->attach_stdout = !asked->detach && run_attaches(asked, "stdout");
	ret->attach_stderr = !asked->detach && run_attaches(asked, "stderr");
	ret->stdin_once = ret->attach_stdin;
	ret->tty = o->tty;
	ret->open_stdin = o->interactive;
	ret->image = either(rec->image_name, NULL);
	if (p) {
		ret->env = strv_copy(p->env);
		secret_hide(asked->secret, ret->env);
		ret->working_dir = either(p->cwd, NULL);
	}
	for (size_t i = 0; i < rec->labels.n; i++)
		json_map_set(&ret->labels, rec->labels.items[i].key, rec->labels.items[i].value);
	ret->stop_signal = o->stop_signal ? xstrdup(o->stop_signal) : NULL;
	ret->stop_timeout = o->stop_timeout;
	fill_command(in, ret);
	if (in->image.config)
		fill_image(in->image.config, ret);
	fill_user(in, ret);
	fill_health(o->health, ret);
}
