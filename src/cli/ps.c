/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/container_words.h"
#include "cli/format.h"
#include "engine/asked.h"
#include "engine/container_inspect.h"
#include "engine/containers_query.h"
#include "engine/df.h"
#include "engine/pods.h"
#include "engine/publish.h"
#include "engine/services.h"
#include "runtime/container.h"

#define MOUNT_SHORT 15 /* letters, as docker has it */

struct ps_options {
	bool all, quiet, no_trunc, noheading, latest, size, external, sync, pod, ns;
	char **filters;
	char *format, *sort;
	int last;
};

static const char *const sort_words[] = { "command",    "created", "id",     "image", "names",
					  "runningfor", "size",    "status", NULL };

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, all),
	  .help = "show all containers, not only the running ones" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, quiet),
	  .help = "show ids only" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, no_trunc),
	  .help = "do not shorten ids and commands" },
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct ps_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only containers that meet the condition" },
	{ .name = "last",
	  .short_name = 'n',
	  .kind = OPT_INT,
	  OPT_FIELD(struct ps_options, last),
	  .arg = "NUMBER",
	  .help = "show so many, the newest, running or not" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, latest),
	  .help = "show the newest, running or not" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "noheading",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "pod",
	  .short_name = 'p',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, pod),
	  .help = "show pods that containers belong to" },
	{ .name = "size",
	  .short_name = 's',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, size),
	  .help = "show how much they have written, and with their images' files" },
	{ .name = "sort",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ps_options, sort),
	  .arg = "WORD",
	  .help = "order of the list; by default the newest come first",
	  .choices = sort_words },
	{ .name = "external",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, external),
	  .help = "accepted for podman's users: there are no containers of other programs" },
	{ .name = "namespace",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, ns),
	  .help = "the same as --ns",
	  .flags = OPT_HIDDEN },
	{ .name = "ns",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, ns),
	  .help = "show process ids and the numbers of namespaces instead" },
	{ .name = "sync",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ps_options, sync),
	  .help = "accepted for podman's users: what is shown is always so",
	  .flags = OPT_HIDDEN },
	OPT_REFUSE("watch", "use watch(1), or inro stats"),
};

struct row {
	const struct record *record;
	struct engine *eng;
	const struct pod_list *pods;
	bool whole, sized;
	uint64_t size, image_size; /* when sized */
};
#define ROW(r) ((const struct row *)(r))
#define REC(r) (ROW(r)->record)

static char *row_id(const void *r)
{
	return xstrndup(REC(r)->id, ROW(r)->whole ? strlen(REC(r)->id) : 12);
}
static char *row_image(const void *r)
{
	return xstrdup(REC(r)->image_name);
}
static char *row_image_id(const void *r)
{
	return cli_short_id(REC(r)->image, ROW(r)->whole);
}
static char *row_command(const void *r)
{
	return cli_container_command(REC(r), ROW(r)->whole);
}
static char *row_created(const void *r)
{
	return cli_time(REC(r)->created_ns);
}
static char *row_since(const void *r)
{
	return cli_ago(REC(r)->created_ns);
}
static char *row_status(const void *r)
{
	return cli_container_status(REC(r));
}
static char *row_state(const void *r)
{
	return xstrdup(record_state(REC(r)));
}
static char *row_names(const void *r)
{
	return xstrdup(REC(r)->name);
}
static char *row_exit_code(const void *r)
{
	return xasprintf("%d", REC(r)->running ? 0 : REC(r)->exit_code);
}
static char *row_labels(const void *r)
{
	return cli_labels(&REC(r)->labels);
}
static char *row_label(const void *r)
{
	return cli_labels_json(&REC(r)->labels);
}

static char *row_size(const void *r)
{
	cleanup_free char *own = cli_size(ROW(r)->size);
	cleanup_free char *both = cli_size(ROW(r)->size + ROW(r)->image_size);

	return ROW(r)->sized ? xasprintf("%s (virtual %s)", own, both) : xstrdup("0B");
}
static char *row_volumes(const void *r)
{
	return cli_container_volumes(REC(r));
}
/* Names of volumes and paths of the host. */
static char *row_mounts(const void *r)
{
	const struct record_options *o = &REC(r)->options;
	cleanup_strv char **words = NULL;

	for (size_t i = 0; i < o->mounts.n; i++) {
		const char *name = o->mounts.items[i].source;

		if (name && strlen(name) > MOUNT_SHORT && !ROW(r)->whole)
			strv_addf(&words, "%.*s…", MOUNT_SHORT - 1, name);
		else if (name)
			strv_add(&words, name);
	}
	return strv_join(words, ",");
}
static char *row_exited(const void *r)
{
	return xstrdup(REC(r)->status == RECORD_EXITED ? "true" : "false");
}
/* Since 1970; what has not happened yet is Go's zero time, as podman has it. */
static long long seconds(int64_t ns)
{
	return ns > 0 ? (long long)(ns / 1000000000) : -62135596800LL;
}
static char *row_exited_at(const void *r)
{
	return xasprintf("%lld", seconds(REC(r)->finished_ns));
}
static char *row_started_at(const void *r)
{
	return xasprintf("%lld", seconds(REC(r)->started_ns));
}
static char *row_auto_remove(const void *r)
{
	return xstrdup(REC(r)->auto_remove ? "true" : "false");
}

static char *row_restarts(const void *r)
{
	return xasprintf("%lld", (long long)REC(r)->restarts);
}
/* Its main process's on the host; 0: it has none. */
static int pid_of(const void *r)
{
	struct container_state st = { 0 };
	int pid = 0;

	if (REC(r)->running &&
	    container_state_read(&ROW(r)->eng->runtime, REC(r)->id, &st, NULL) == 0) {
		pid = st.pid;
		container_state_free(&st);
	}
	return pid;
}
static char *row_pid(const void *r)
{
	return xasprintf("%d", pid_of(r));
}
/* The number that lsns(8) shows, too; of what does not run, or is another user's: nothing. */
static char *namespace_of(const void *r, const char *name)
{
	cleanup_free char *path = xasprintf("/proc/%d/ns/%s", pid_of(r), name);
	struct stat st;

	return stat(path, &st) < 0 ? xstrdup("") : xasprintf("%llu", (unsigned long long)st.st_ino);
}
static char *row_cgroup_ns(const void *r)
{
	return namespace_of(r, "cgroup");
}
static char *row_ipc_ns(const void *r)
{
	return namespace_of(r, "ipc");
}
static char *row_mnt_ns(const void *r)
{
	return namespace_of(r, "mnt");
}
static char *row_net_ns(const void *r)
{
	return namespace_of(r, "net");
}
static char *row_pid_ns(const void *r)
{
	return namespace_of(r, "pid");
}
static char *row_user_ns(const void *r)
{
	return namespace_of(r, "user");
}
static char *row_uts_ns(const void *r)
{
	return namespace_of(r, "uts");
}
static char *row_health(const void *r)
{
	int health = REC(r)->health;

	return xstrdup(health < 0 ? "" : health_status_names[health]);
}
static char *row_infra(const void *r)
{
	return xstrdup(REC(r)->options.infra ? "true" : "false");
}

static char *row_pod(const void *r)
{
	const char *id = REC(r)->pod ? REC(r)->pod : "";

	return xstrndup(id, ROW(r)->whole ? strlen(id) : 12);
}
static char *row_pod_name(const void *r)
{
	const struct pod_list *pods = ROW(r)->pods;

	for (size_t i = 0; REC(r)->pod && i < pods->n; i++)
		if (str_eq(pods->items[i].id, REC(r)->pod))
			return xstrdup(pods->items[i].name);
	return xstrdup("");
}

static char *row_service(const void *r)
{
	return service_name(ROW(r)->eng, REC(r));
}

/* Few ask for these two: they are not in what is read of all. */
static char *row_cid_file(const void *r)
{
	cleanup_asked struct asked asked = { 0 };

	return asked_read(ROW(r)->eng, REC(r)->id, &asked, NULL) == 0 && asked.options.cidfile
		   ? xstrdup(asked.options.cidfile)
		   : xstrdup("");
}
/* Of the image and of --expose. */
static char *row_exposed(const void *r)
{
	cleanup_container_inspect struct container_inspect all = { 0 };
	cleanup_strv char **words = NULL;

	if (container_inspect(ROW(r)->eng, REC(r)->id, false, &all, NULL) == 0)
		for (size_t i = 0; i < all.config.exposed_ports.n; i++)
			strv_add(&words, all.config.exposed_ports.items[i].key);
	return strv_join(words, ", ");
}

/* Of what runs: docker's text of where its ports are. */
static char *row_ports(const void *r)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };

	if (!REC(r)->running ||
	    publish_load(ROW(r)->eng, publish_ports_owner(REC(r)), &ports, NULL) < 0)
		return xstrdup("");
	return ports_text(&ports, REC(r)->options.expose);
}
static char *row_networks(const void *r)
{
	cleanup_strv char **names = containers_networks(ROW(r)->eng, REC(r));

	return strv_join(names, ",");
}

static const struct cli_field fields[] = {
	{ "Command", "COMMAND", row_command, 0 },
	{ "CreatedAt", "CREATED AT", row_created, 0 },
	{ "ID", "CONTAINER ID", row_id, 0 },
	{ "Image", "IMAGE", row_image, 0 },
	{ "Labels", "LABELS", row_labels, 0 },
	{ "LocalVolumes", "LOCAL VOLUMES", row_volumes, 0 },
	{ "Mounts", "MOUNTS", row_mounts, 0 },
	{ "Names", "NAMES", row_names, 0 },
	{ "Networks", "NETWORKS", row_networks, 0 },
	{ "Ports", "PORTS", row_ports, 0 },
	{ "RunningFor", "CREATED", row_since, 0 },
	{ "Size", "SIZE", row_size, 0 },
	{ "State", "STATE", row_state, 0 },
	{ "Status", "STATUS", row_status, 0 },
	{ "AutoRemove", "AUTOREMOVE", row_auto_remove, CLI_ALIAS | CLI_VALUE },
	{ "Created", "CREATED", row_since, CLI_ALIAS },
	{ "CIDFile", "CIDFILE", row_cid_file, CLI_ALIAS },
	{ "CGROUPNS", "CGROUPNS", row_cgroup_ns, CLI_ALIAS },
	{ "CreatedHuman", "CREATED", row_since, CLI_ALIAS },
	{ "ExitCode", "EXIT CODE", row_exit_code, CLI_ALIAS | CLI_VALUE },
	{ "Exited", "EXITED", row_exited, CLI_ALIAS | CLI_VALUE },
	{ "ExitedAt", "EXITED AT", row_exited_at, CLI_ALIAS | CLI_VALUE },
	{ "ExposedPorts", "EXPOSED PORTS", row_exposed, CLI_ALIAS },
	{ "HealthStatus", "HEALTH STATUS", row_health, CLI_ALIAS },
	{ "Id", "CONTAINER ID", row_id, CLI_ALIAS },
	{ "ImageID", "IMAGE ID", row_image_id, CLI_ALIAS },
	{ "IsInfra", "ISINFRA", row_infra, CLI_ALIAS | CLI_VALUE },
	{ "IPC", "IPC", row_ipc_ns, CLI_ALIAS },
	{ "Label", NULL, row_label, CLI_ALIAS | CLI_VALUE },
	{ "MNT", "MNT", row_mnt_ns, CLI_ALIAS },
	{ "NET", "NET", row_net_ns, CLI_ALIAS },
	{ "PIDNS", "PIDNS", row_pid_ns, CLI_ALIAS },
	{ "Pid", "PID", row_pid, CLI_ALIAS | CLI_VALUE },
	{ "Pod", "POD ID", row_pod, CLI_ALIAS },
	{ "PodName", "PODNAME", row_pod_name, CLI_ALIAS },
	{ "Restarts", "RESTARTS", row_restarts, CLI_ALIAS | CLI_VALUE },
	{ "Service", "SERVICE", row_service, CLI_ALIAS },
	{ "StartedAt", "STARTED AT", row_started_at, CLI_ALIAS | CLI_VALUE },
	{ "USERNS", "USERNS", row_user_ns, CLI_ALIAS },
	{ "UTS", "UTS", row_uts_ns, CLI_ALIAS },
};
static const struct cli_table ns_table = { fields, ARRAY_SIZE(fields),
					   "ID Names Pid CGROUPNS IPC MNT NET PIDNS USERNS UTS" };
#define COLUMNS "ID Image Command RunningFor Status Ports Names"
static const struct cli_table tables[2][2] = {
	/* --pod, --size */
	{ { fields, ARRAY_SIZE(fields), COLUMNS },
	  { fields, ARRAY_SIZE(fields), COLUMNS " Size" } },
	{ { fields, ARRAY_SIZE(fields), COLUMNS " Pod PodName" },
	  { fields, ARRAY_SIZE(fields), COLUMNS " Pod PodName Size" } },
};

/* ---- the order ---- */

typedef int (*compare_rows)(const void *a, const void *b);

static int compare_created(const void *a, const void *b)
{
	return (REC(a)->created_ns < REC(b)->created_ns) -
	       (REC(a)->created_ns > REC(b)->created_ns);
}
static int compare_command(const void *a, const void *b)
{
	return strcmp(REC(a)->command, REC(b)->command);
}
static int compare_id(const void *a, const void *b)
{
	return strcmp(REC(a)->id, REC(b)->id);
}
static int compare_image(const void *a, const void *b)
{
	return strcmp(REC(a)->image_name, REC(b)->image_name);
}
static int compare_names(const void *a, const void *b)
{
	return strcmp(REC(a)->name, REC(b)->name);
}
static int compare_size(const void *a, const void *b)
{
	return (ROW(a)->size > ROW(b)->size) - (ROW(a)->size < ROW(b)->size);
}
static int compare_status(const void *a, const void *b)
{
	return strcmp(record_state(REC(a)), record_state(REC(b)));
}

static void sort_rows(struct row *rows, size_t n, const char *word)
{
	static const struct {
		const char *word;
		compare_rows compare;
	} orders[] = {
		{ "command", compare_command }, { "created", compare_created },
		{ "id", compare_id },           { "image", compare_image },
		{ "names", compare_names },     { "runningfor", compare_created },
		{ "size", compare_size },       { "status", compare_status },
	};

	for (size_t i = 0; word && i < ARRAY_SIZE(orders); i++)
		if (str_eq(word, orders[i].word))
			qsort(rows, n, sizeof(*rows), orders[i].compare);
}

/* ---- the command ---- */

static void measure(struct engine *eng, struct row *row)
{
	cleanup_image_row struct image_row image = { 0 };
	struct err none = ERR_INIT;

	row->sized = true;
	row->size = df_container_size(eng, row->record->id);
	if (images_find(eng, row->record->image, &image, &none) == 0)
		row->image_size = image.size;
}

static int print(const struct ps_options *o, const struct row *rows, size_t n,
		 struct cli_list *list, struct err *err)
{
	cleanup_buf struct buf ids = BUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (o->quiet)
			buf_addf(&ids, "%.*s\n", o->no_trunc ? 64 : 12, rows[i].record->id);
		else
			r = cli_list_row(list, &rows[i], err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct ps_options *o = options;
	const struct containers_query query = { .filters = o->filters,
						.all = o->all,
						.last = o->latest ? 1 : o->last };
	bool sized =
	    o->size || str_eq(o->sort, "size") || (o->format && strstr(o->format, ".Size"));
	cleanup_record_list struct record_list records = { 0 };
	cleanup_pod_list struct pod_list pods = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_free struct row *rows = NULL;
	int r;

	if (o->ns && o->size)
		return err_fail(err, ERR_USAGE, "conflicting options: --ns and --size");
	r = cli_list_new(o->ns ? &ns_table : &tables[o->pod][o->size], o->format, !o->noheading,
			 &list, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = containers_query(&eng, &query, &records, err);
	/* Few ask for them. */
	if (r == 0 && (o->pod || (o->format && strstr(o->format, ".Pod"))))
		r = pods_list(&eng, &pods, err);
	if (r < 0)
		return r;
	rows = xcalloc(records.n + 1, sizeof(*rows));
	for (size_t i = 0; i < records.n; i++) {
		rows[i] = (struct row){ .record = &records.items[i],
					.eng = &eng,
					.pods = &pods,
					.whole = o->no_trunc };
		if (sized)
			measure(&eng, &rows[i]);
	}
	sort_rows(rows, records.n, o->sort);
	return print(o, rows, records.n, list, err);
}

const struct cmd cmd_ps = {
	.name = "ps",
	.args = "[OPTIONS]",
	.summary = "List containers",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct ps_options),
	.run = run,
};
