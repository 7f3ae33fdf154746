/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container_inspect.h"

#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/df.h"
#include "engine/execs.h"
#include "engine/health.h"
#include "engine/images.h"
#include "engine/inspect_internal.h"
#include "engine/life.h"
#include "engine/services.h"
#include "engine/spec.h"
#include "engine/update.h"
#include "runtime/cgroup_oom.h"

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
	const struct spec_caps *caps = p->capabilities;
	char **args = p->args;

	/* --init is not what was asked to run. */
	if (strv_len(args) > SPEC_INIT_ARGS && str_eq(args[0], SPEC_INIT))
		args += SPEC_INIT_ARGS;
	ret->path = or_empty(args ? args[0] : NULL);
	if (args && args[0])
		ret->args = strv_copy(args + 1);
	ret->app_armor_profile = or_empty(p->apparmor_profile);
	ret->process_label = or_empty(p->selinux_label);
	ret->bounding_caps = strv_copy(caps ? caps->bounding : NULL);
	ret->effective_caps = strv_copy(caps ? caps->effective : NULL);
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
		const char *from = r->type == MOUNT_BIND ? r->source : r->host_path;

		if (str_eq(r->target, m->destination) && (!from || str_eq(from, m->source)))
			return r;
	}
	return NULL;
}

static void fill_mount(const struct spec_mount *m, const struct record_mount *asked,
		       struct inspect_mount *ret)
{
	bool bind = !str_eq(m->type, "tmpfs") && !str_eq(m->type, "ramfs");
	bool volume = asked && asked->type == MOUNT_VOLUME;
	bool image = asked && asked->type == MOUNT_IMAGE;

	ret->type = xstrdup(volume ? "volume" : image ? "image" : m->type);
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

static char *source_of(const struct spec *spec, const char *target)
{
	for (size_t i = 0; i < spec->mounts.n; i++)
		if (str_eq(spec->mounts.items[i].destination, target))
			return or_empty(spec->mounts.items[i].source);
	return NULL;
}

static void fill_spec(const struct spec *spec, const struct record *rec,
		      struct container_inspect *ret)
{
	if (spec->process)
		fill_process(spec->process, ret);
	if (spec->linux_) {
		ret->mount_label = or_empty(spec->linux_->mount_label);
		ret->state.cgroup_path = or_empty(spec->linux_->cgroups_path);
	}
	ret->state.oci_version = or_empty(spec->oci_version);
	ret->resolv_conf_path = source_of(spec, "/etc/resolv.conf");
	ret->hostname_path = source_of(spec, "/etc/hostname");
	ret->hosts_path = source_of(spec, "/etc/hosts");
	fill_mounts(&rec->options, spec, ret);
}

/* Where its files are: nothing is mounted out here that would show them together. */
static void fill_graph(struct engine *eng, const struct image_row *image,
		       struct container_inspect *ret)
{
	struct buf lower = BUF_INIT;

	for (size_t n = strv_len(image->diff_ids); n > 0; n--) {
		const char *hex = str_after(image->diff_ids[n - 1], "sha256:");

		buf_addf(&lower, "%s%s/layers/%s", lower.len ? ":" : "", eng->root, hex ? hex : "");
	}
	ret->graph.name = xstrdup(ret->driver);
	ret->graph.data.lower_dir = buf_take(&lower);
	ret->graph.data.upper_dir = path_join(ret->bundle, "upper");
	ret->graph.data.work_dir = path_join(ret->bundle, "work");
}

static void fill_dependencies(const struct record_options *o, struct container_inspect *ret)
{
	ret->dependencies = strv_copy(o->requires);
	for (size_t i = 0; i < o->joins.n; i++)
		if (!strv_has(ret->dependencies, o->joins.items[i].value))
			strv_add(&ret->dependencies, o->joins.items[i].value);
}

static void fill_record(struct engine *eng, const struct record *rec, struct container_inspect *ret)
{
	const struct record_options *o = &rec->options;

	ret->id = xstrdup(rec->id);
	ret->created = time_text(rec->created_ns);
	ret->image = or_empty(rec->image);
	ret->image_name = or_empty(rec->image_name);
	ret->pod = or_empty(rec->pod);
	ret->service = service_name(eng, rec);
	ret->is_infra = o->infra;
	ret->name = xasprintf("/%s", rec->name);
	ret->driver = xstrdup("overlay2");
	ret->restart_count = rec->restarts;
	ret->platform = xstrdup("linux");
	ret->bundle = xasprintf("%s/containers/%s", eng->root, rec->id);
	ret->static_dir = xstrdup(ret->bundle);
	ret->rootfs = or_empty(o->rootfs);
	ret->oci_config_path = xasprintf("%s/config.json", ret->bundle);
	ret->oci_runtime = xstrdup("inro-runtime");
	ret->pid_file = or_empty(o->pid_file);
	ret->monitor_pid_file = or_empty(o->monitor_pid_file);
	if (o->log_driver <= LOGLINE_JSON)
		ret->log_path = xasprintf("%s/" LOGLINE_FILE, ret->bundle);
	if (o->health) {
		ret->state.health = xcalloc(1, sizeof(*ret->state.health));
		health_read(eng, rec, ret->state.health);
	}
	fill_dependencies(o, ret);
}

/* ---- what is known of it ---- */

static void inspected_done(struct inspected *in)
{
	record_done(&in->rec);
	asked_done(&in->asked);
	json_free(&spec_desc, &in->spec);
	oci_image_config_done(&in->image);
}

static int read_spec(struct inspected *in, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", in->rec.id);
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(in->eng->containers_fd, path, &text, SPEC_BYTES_MAX, err);

	return r < 0 ? r : spec_parse(buf_str(&text), text.len, &in->spec, err);
}

/* That it can't be had is no error: its containers outlive it. */
static void read_image(struct inspected *in, struct image_row *row)
{
	const char *id = in->rec.image;

	if (!id || !*id || str_eq(id, IMAGE_HOST) || images_find(in->eng, id, row, NULL) < 0)
		return;
	if (engine_store(in->eng, NULL) == 0)
		image_read_config(&in->eng->store, row->id, &in->image, NULL);
}

static int read_all(struct inspected *in, const char *word, struct image_row *row, struct err *err)
{
	struct engine *eng = in->eng;
	int r = life_find(eng, word, &in->rec, err);

	if (r < 0)
		return r;
	update_recover(eng, &in->rec);
	r = read_spec(in, err);
	if (r == 0)
		r = asked_read(eng, in->rec.id, &in->asked, err);
	if (r >= 0)
		read_image(in, row);
	return r < 0 ? r : 0;
}

int container_inspect(struct engine *eng, const char *word, bool size,
		      struct container_inspect *ret, struct err *err)
{
	cleanup_container_inspect struct container_inspect ci = { 0 };
	CLEANUP(inspected_done) struct inspected in = { .eng = eng };
	cleanup_image_row struct image_row image = { 0 };
	int r = read_all(&in, word, &image, err);

	if (r < 0)
		return r;
	fill_record(eng, &in.rec, &ci);
	fill_state(eng, &in.rec, &ci.state);
	fill_spec(&in.spec, &in.rec, &ci);
	fill_graph(eng, &image, &ci);
	ci.image_digest = or_empty(image.manifest);
	inspect_host_fill(&in, &ci.host_config);
	inspect_config_fill(&in, &ci.config);
	inspect_ports_fill(&in, &ci.host_config, &ci.config);
	inspect_network_fill(&in, ci.host_config.network_mode, ci.state.pid, &ci.network);
	if (in.rec.running)
		ci.exec_ids = execs_ids(eng, in.rec.id);
	if (size) {
		ci.size_rw = (struct opt_i64){ true, (int64_t)df_container_size(eng, in.rec.id) };
		ci.size_root_fs = (struct opt_i64){ true, ci.size_rw.value + (int64_t)image.size };
	}
	*ret = ci;
	ci = (struct container_inspect){ 0 };
	return 0;
}
