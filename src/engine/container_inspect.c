/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container_inspect.h"

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/df.h"
#include "engine/health.h"
#include "engine/life.h"
#include "engine/update.h"
#include "engine/spec.h"
#include "oci/spec.h"
#include "runtime/cgroup_oom.h"

#define FIELD(T, member, key, kind) JSON_FIELD(struct T, member, key, kind, .flags = JSON_KEEP)

static const struct json_field state_fields[] = {
	FIELD(inspect_state, status, "Status", JSON_STR),
	FIELD(inspect_state, running, "Running", JSON_BOOL),
	FIELD(inspect_state, paused, "Paused", JSON_BOOL),
	FIELD(inspect_state, restarting, "Restarting", JSON_BOOL),
	FIELD(inspect_state, oom_killed, "OOMKilled", JSON_BOOL),
	FIELD(inspect_state, dead, "Dead", JSON_BOOL),
	FIELD(inspect_state, pid, "Pid", JSON_I64),
	FIELD(inspect_state, exit_code, "ExitCode", JSON_I64),
	FIELD(inspect_state, error, "Error", JSON_STR),
	FIELD(inspect_state, started_at, "StartedAt", JSON_STR),
	FIELD(inspect_state, finished_at, "FinishedAt", JSON_STR),
	JSON_FIELD(struct inspect_state, health, "Health", JSON_OBJ, .desc = &health_shown_desc),
};
static const struct json_desc state_desc = JSON_DESC(struct inspect_state, state_fields);

static const struct json_field config_fields[] = {
	FIELD(inspect_container_config, hostname, "Hostname", JSON_STR),
	FIELD(inspect_container_config, user, "User", JSON_STR),
	FIELD(inspect_container_config, tty, "Tty", JSON_BOOL),
	FIELD(inspect_container_config, open_stdin, "OpenStdin", JSON_BOOL),
	FIELD(inspect_container_config, env, "Env", JSON_STRV),
	FIELD(inspect_container_config, cmd, "Cmd", JSON_STRV),
	FIELD(inspect_container_config, image, "Image", JSON_STR),
	FIELD(inspect_container_config, working_dir, "WorkingDir", JSON_STR),
	FIELD(inspect_container_config, labels, "Labels", JSON_MAP),
	JSON_FIELD(struct inspect_container_config, stop_signal, "StopSignal", JSON_STR),
	JSON_FIELD(struct inspect_container_config, stop_timeout, "StopTimeout", JSON_OPT_I64),
	JSON_FIELD(struct inspect_container_config, healthcheck, "Healthcheck", JSON_OBJ,
		   .desc = &oci_healthcheck_desc),
	JSON_FIELD(struct inspect_container_config, startup_healthcheck, "StartupHealthCheck",
		   JSON_OBJ, .desc = &oci_healthcheck_desc),
	JSON_FIELD(struct inspect_container_config, health_on_failure, "HealthcheckOnFailureAction",
		   JSON_STR),
};
static const struct json_desc config_desc =
    JSON_DESC(struct inspect_container_config, config_fields);

static const struct json_field restart_fields[] = {
	FIELD(inspect_restart_policy, name, "Name", JSON_STR),
	FIELD(inspect_restart_policy, maximum_retry_count, "MaximumRetryCount", JSON_I64),
};
static const struct json_desc restart_desc =
    JSON_DESC(struct inspect_restart_policy, restart_fields);
static const struct json_field log_fields[] = {
	FIELD(inspect_log_config, type, "Type", JSON_STR),
	FIELD(inspect_log_config, config, "Config", JSON_MAP),
};
static const struct json_desc log_desc = JSON_DESC(struct inspect_log_config, log_fields);

static const struct json_field host_fields[] = {
	JSON_FIELD(struct inspect_host_config, log_config, "LogConfig", JSON_STRUCT,
		   .desc = &log_desc, .flags = JSON_KEEP),
	JSON_FIELD(struct inspect_host_config, restart_policy, "RestartPolicy", JSON_STRUCT,
		   .desc = &restart_desc, .flags = JSON_KEEP),
	FIELD(inspect_host_config, auto_remove, "AutoRemove", JSON_BOOL),
};
static const struct json_desc host_desc = JSON_DESC(struct inspect_host_config, host_fields);

static const struct json_field mount_fields[] = {
	FIELD(inspect_mount, type, "Type", JSON_STR),
	JSON_FIELD(struct inspect_mount, name, "Name", JSON_STR),
	FIELD(inspect_mount, source, "Source", JSON_STR),
	FIELD(inspect_mount, destination, "Destination", JSON_STR),
	JSON_FIELD(struct inspect_mount, driver, "Driver", JSON_STR),
	FIELD(inspect_mount, mode, "Mode", JSON_STR),
	FIELD(inspect_mount, rw, "RW", JSON_BOOL),
	FIELD(inspect_mount, propagation, "Propagation", JSON_STR),
};
static const struct json_desc mount_desc = JSON_DESC(struct inspect_mount, mount_fields);

static const struct json_field inspect_fields[] = {
	FIELD(container_inspect, id, "Id", JSON_STR),
	FIELD(container_inspect, created, "Created", JSON_STR),
	FIELD(container_inspect, path, "Path", JSON_STR),
	FIELD(container_inspect, args, "Args", JSON_STRV),
	JSON_FIELD(struct container_inspect, state, "State", JSON_STRUCT, .desc = &state_desc,
		   .flags = JSON_KEEP),
	FIELD(container_inspect, image, "Image", JSON_STR),
	FIELD(container_inspect, log_path, "LogPath", JSON_STR),
	FIELD(container_inspect, name, "Name", JSON_STR),
	FIELD(container_inspect, restart_count, "RestartCount", JSON_I64),
	FIELD(container_inspect, driver, "Driver", JSON_STR),
	FIELD(container_inspect, platform, "Platform", JSON_STR),
	FIELD(container_inspect, app_armor_profile, "AppArmorProfile", JSON_STR),
	JSON_FIELD(struct container_inspect, host_config, "HostConfig", JSON_STRUCT,
		   .desc = &host_desc, .flags = JSON_KEEP),
	JSON_FIELD(struct container_inspect, size_rw, "SizeRw", JSON_OPT_I64),
	JSON_FIELD(struct container_inspect, mounts, "Mounts", JSON_ARRAY, .desc = &mount_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct container_inspect, config, "Config", JSON_STRUCT, .desc = &config_desc,
		   .flags = JSON_KEEP),
	FIELD(container_inspect, image_name, "ImageName", JSON_STR),
	FIELD(container_inspect, oci_config_path, "OCIConfigPath", JSON_STR),
	FIELD(container_inspect, bundle, "Bundle", JSON_STR),
};
const struct json_desc container_inspect_desc = JSON_DESC(struct container_inspect, inspect_fields);

void container_inspect_done(struct container_inspect *ci)
{
	json_free(&container_inspect_desc, ci);
}

static char *time_text(int64_t ns)
{
	char text[TIME_RFC3339_MAX];

	return xstrdup(ns > 0 ? time_rfc3339(ns, text) : "0001-01-01T00:00:00Z");
}

static char *or_empty(const char *s)
{
	return xstrdup(s ? s : "");
}

static void fill_state(struct engine *eng, const struct record *rec, struct inspect_state *ret)
{
	struct container_state st = { 0 };
	struct cgroup_memory memory = { 0 };

	ret->running = rec->running;
	ret->restarting = rec->status == RECORD_RESTARTING;
	ret->status = xstrdup(record_status_names[rec->status]);
	ret->exit_code = rec->status == RECORD_RUNNING ? 0 : rec->exit_code;
	ret->error = or_empty(rec->error);
	ret->oom_killed =
	    rec->oom_killed ||
	    (rec->running && container_memory(&eng->runtime, rec->id, &memory, NULL) == 0 &&
	     memory.oom_kills > 0);
	ret->started_at = time_text(rec->started_ns);
	ret->finished_at = time_text(rec->finished_ns);
	if (!rec->running || container_state_read(&eng->runtime, rec->id, &st, NULL) < 0)
		return;
	ret->pid = st.pid;
	if (st.status == CONTAINER_PAUSED) {
		ret->paused = true;
		free(ret->status);
		ret->status = xstrdup("paused");
	}
	container_state_free(&st);
}

static void fill_process(const struct spec_process *p, struct container_inspect *ret)
{
	free(ret->path);
	ret->path = or_empty(p->args ? p->args[0] : NULL);
	if (p->args && p->args[0])
		ret->args = strv_copy(p->args + 1);
	ret->config.cmd = strv_copy(p->args);
	ret->config.env = strv_copy(p->env);
	ret->config.tty = p->terminal;
	free(ret->config.working_dir);
	ret->config.working_dir = or_empty(p->cwd);
	if (p->apparmor_profile) {
		free(ret->app_armor_profile);
		ret->app_armor_profile = xstrdup(p->apparmor_profile);
	}
	if (p->user.uid || p->user.gid) {
		free(ret->config.user);
		ret->config.user = xasprintf("%u:%u", p->user.uid, p->user.gid);
	}
}

static const char *propagation_of(char *const *options)
{
	const char *word = "";

	for (size_t i = 0; options && options[i]; i++)
		if (mount_is_propagation(options[i]))
			word = options[i];
	return word;
}

static const struct record_mount *mount_asked(const struct record_options *o,
					      const struct spec_mount *m)
{
	for (size_t i = 0; i < o->mounts.n; i++) {
		const struct record_mount *r = &o->mounts.items[i];
		const char *from = r->type == MOUNT_VOLUME ? r->host_path : r->source;

		if (str_eq(r->target, m->destination) && (!from || str_eq(from, m->source)))
			return r;
	}
	return NULL;
}

static void fill_mount(const struct spec_mount *m, const struct record_mount *asked,
		       struct inspect_mount *ret)
{
	bool volume = asked && asked->type == MOUNT_VOLUME, bind = str_eq(m->type, "bind");

	ret->type = xstrdup(volume ? "volume" : bind ? "bind" : "tmpfs");
	ret->name = volume ? or_empty(asked->source) : NULL;
	ret->source = or_empty(bind ? m->source : NULL);
	ret->destination = or_empty(m->destination);
	ret->driver = volume ? xstrdup("local") : NULL;
	ret->mode = xstrdup(asked && asked->mode ? asked->mode : volume ? "z" : "");
	ret->rw = !strv_has(m->options, "ro") && !strv_has(m->options, "rro");
	ret->propagation = xstrdup(volume ? "" : propagation_of(m->options));
}

/* What the user and the image wanted: what every container has is no news. */
static void fill_mounts(const struct record_options *o, const struct spec *spec,
			struct container_inspect *ret)
{
	ret->mounts.items = xcalloc(spec->mounts.n + 1, sizeof(*ret->mounts.items));
	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct spec_mount *m = &spec->mounts.items[i];

		if (spec_mount_is_users(m, ret->bundle))
			fill_mount(m, mount_asked(o, m), &ret->mounts.items[ret->mounts.n++]);
	}
}

static int fill_spec(struct engine *eng, const struct record *rec, struct container_inspect *ret,
		     struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", rec->id);
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	int r;

	r = io_read_file(eng->containers_fd, path, &text, SPEC_BYTES_MAX, err);
	if (r == 0)
		r = spec_parse(buf_str(&text), text.len, &spec, err);
	if (r < 0)
		return r;
	if (spec.process)
		fill_process(spec.process, ret);
	if (spec.hostname) {
		free(ret->config.hostname);
		ret->config.hostname = xstrdup(spec.hostname);
	}
	fill_mounts(&rec->options, &spec, ret);
	json_free(&spec_desc, &spec);
	return 0;
}

static void fill_log(const struct record_options *o, struct container_inspect *ret)
{
	struct inspect_log_config *log = &ret->host_config.log_config;
	int driver = o->log_driver < 0 ? LOGLINE_CRI : o->log_driver;
	cleanup_free char *size = xasprintf("%llu", (unsigned long long)o->log_max_size);
	cleanup_free char *files = xasprintf("%u", o->log_max_files);

	log->type = xstrdup(log_driver_names[driver]);
	ret->log_path =
	    driver == LOGLINE_NONE ? xstrdup("") : xasprintf("%s/" LOGLINE_FILE, ret->bundle);
	if (driver == LOGLINE_NONE || !o->log_max_files)
		return;
	json_map_set(&log->config, "max-file", files);
	json_map_set(&log->config, "max-size", o->log_max_size == INT64_MAX ? "-1" : size);
	if (o->log_drop)
		json_map_set(&log->config, "mode", "non-blocking");
}

/* What it was created with. */
static void fill_options(const struct record *rec, struct container_inspect *ret)
{
	const struct record_options *o = &rec->options;
	struct inspect_restart_policy *policy = &ret->host_config.restart_policy;

	policy->name =
	    xstrdup(restart_policy_names[o->restart > RESTART_NO ? o->restart : RESTART_NO]);
	policy->maximum_retry_count = o->restart_max;
	ret->host_config.auto_remove = rec->auto_remove;
	ret->config.open_stdin = o->interactive;
	ret->config.stop_signal = o->stop_signal ? xstrdup(o->stop_signal) : NULL;
	ret->config.stop_timeout = o->stop_timeout;
	fill_log(o, ret);
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

static void fill_health(struct engine *eng, const struct record *rec, struct container_inspect *ret)
{
	const struct health *h = rec->options.health;
	struct inspect_container_config *config = &ret->config;

	if (!h)
		return;
	config->healthcheck = show_probe(&h->probe);
	config->healthcheck->start_period = h->start_period_ns;
	config->healthcheck->start_interval = h->start_interval_ns;
	if (h->manual)
		config->healthcheck->interval = 0;
	if (h->startup.test)
		config->startup_healthcheck = show_probe(&h->startup);
	config->health_on_failure =
	    xstrdup(health_action_names[h->on_failure > 0 ? h->on_failure : 0]);
	ret->state.health = xcalloc(1, sizeof(*ret->state.health));
	health_read(eng, rec, ret->state.health);
}

static void fill_record(struct engine *eng, const struct record *rec, struct container_inspect *ret)
{
	ret->id = xstrdup(rec->id);
	ret->created = time_text(rec->created_ns);
	ret->path = xstrdup("");
	ret->image = or_empty(rec->image);
	ret->image_name = or_empty(rec->image_name);
	ret->name = xasprintf("/%s", rec->name);
	ret->driver = xstrdup("overlay2");
	ret->restart_count = rec->restarts;
	ret->platform = xstrdup("linux");
	ret->app_armor_profile = xstrdup("");
	ret->bundle = xasprintf("%s/containers/%s", eng->root, rec->id);
	ret->oci_config_path = xasprintf("%s/config.json", ret->bundle);
	ret->config.hostname = xstrdup("");
	ret->config.user = xstrdup("");
	ret->config.working_dir = xstrdup("");
	ret->config.image = or_empty(rec->image_name);
	for (size_t i = 0; i < rec->labels.n; i++)
		json_map_set(&ret->config.labels, rec->labels.items[i].key,
			     rec->labels.items[i].value);
}

int container_inspect(struct engine *eng, const char *word, bool size,
		      struct container_inspect *ret, struct err *err)
{
	cleanup_container_inspect struct container_inspect ci = { 0 };
	cleanup_record struct record rec = { 0 };
	int r;

	r = engine_dirs(eng, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = record_find(eng, word[0] == '/' ? word + 1 : word, &rec, err);
	if (r == 0)
		r = life_repair(eng, &rec, err);
	if (r > 0)
		return err_fail(err, ERR_NOT_FOUND, "No such container: %s", word);
	if (r == 0) {
		update_recover(eng, &rec);
		fill_record(eng, &rec, &ci);
		fill_options(&rec, &ci);
		fill_state(eng, &rec, &ci.state);
		fill_health(eng, &rec, &ci);
		r = fill_spec(eng, &rec, &ci, err);
	}
	if (r < 0)
		return r;
	if (size)
		ci.size_rw = (struct opt_i64){ true, (int64_t)df_container_size(eng, rec.id) };
	*ret = ci;
	ci = (struct container_inspect){ 0 };
	return 0;
}
