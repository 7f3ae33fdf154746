/* SPDX-License-Identifier: Apache-2.0 */
#include "net/cni.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/cni_internal.h"

#define TIMEOUT_MS 120000
#define STDERR_MAX 300
#define STATE_MAX  (4 * CNI_BYTES_MAX)

/* What is written down of an interface. */
struct state {
	char *container, *network, *ifname, *args;
	struct cni_list list;
	struct json_map capabilities;
	char *result; /* NULL: ADD has not ended */
};
static const struct json_field state_fields[] = {
	JSON_FIELD(struct state, container, "containerId", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct state, network, "networkName", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct state, ifname, "ifName", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct state, args, "cniArgs", JSON_STR),
	JSON_FIELD(struct state, list, "config", JSON_STRUCT, .desc = &cni_list_desc,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct state, capabilities, "capabilityArgs", JSON_RAW_MAP),
	JSON_FIELD(struct state, result, "result", JSON_RAW),
};
static const struct json_desc state_desc = JSON_DESC(struct state, state_fields);

static void state_done(struct state *s)
{
	json_free(&state_desc, s);
}

static char *state_name(const char *container, const char *ifname)
{
	return xasprintf("%s-%s.json", container, ifname);
}

static int state_write(int dir, const struct state *s, struct err *err)
{
	cleanup_free char *name = state_name(s->container, s->ifname);
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	json_write(&state_desc, s, JSON_NEWLINE, &text);
	r = io_replace_file(dir, name, text.data, text.len, 0600, false, err);
	return r < 0 ? err_wrap(err, r, "writing down what CNI has to undo") : 0;
}

/* -ENOENT without an error record. */
static int state_read(int dir, const char *name, struct state *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	*ret = (struct state){ 0 };
	r = io_read_file(dir, name, &text, STATE_MAX, err);
	return r < 0 ? r : json_parse(&state_desc, ret, buf_str(&text), text.len, name, err);
}

/* ---- one plugin ---- */

/* One verb, of one interface. */
struct work {
	const char *command; /* "ADD" */
	const char *netns;   /* NULL: gone */
	int cancel_fd;
	struct state *s;
};

/* "{...}" of those capabilities that the plugin takes; NULL: none. */
static char *runtime_config(const struct work *w, const struct cni_plugin_head *head)
{
	struct cni_plugin some = { { 0 } };
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < w->s->capabilities.n; i++) {
		const struct json_pair *c = &w->s->capabilities.items[i];

		if (str_eq(json_map_get(&head->capabilities, c->key), "true"))
			json_map_set(&some.members, c->key, c->value);
	}
	if (some.members.n == 0)
		return NULL;
	json_write(&cni_plugin_desc, &some, 0, &out);
	json_map_done(&some.members);
	return buf_take(&out);
}

static void set_string(struct json_map *map, const char *key, const char *value)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write_string(&text, value);
	json_map_set(map, key, buf_str(&text));
}

/* SPEC.md, "Deriving request configuration from plugin configuration". */
static void derive(const struct work *w, const struct cni_plugin *plugin,
		   const struct cni_plugin_head *head, struct buf *ret)
{
	cleanup_free char *runtime = runtime_config(w, head);
	struct cni_plugin request = { { 0 } };

	for (size_t i = 0; i < plugin->members.n; i++)
		json_map_set(&request.members, plugin->members.items[i].key,
			     plugin->members.items[i].value);
	json_map_remove(&request.members, "capabilities");
	json_map_remove(&request.members, "runtimeConfig");
	json_map_remove(&request.members, "prevResult");
	set_string(&request.members, "cniVersion", w->s->list.version);
	set_string(&request.members, "name", w->s->list.name);
	if (runtime)
		json_map_set(&request.members, "runtimeConfig", runtime);
	/* a DEL has it since 0.4.0; plugins of before do not look */
	if (w->s->result)
		json_map_set(&request.members, "prevResult", w->s->result);
	json_write(&cni_plugin_desc, &request, 0, ret);
	json_map_done(&request.members);
}

static char **environment(const struct work *w)
{
	static const char *const dirs[] = { CNI_PLUGIN_DIRS };
	cleanup_strv char **path = NULL;
	cleanup_free char *joined = NULL;
	char **env = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		strv_add(&path, dirs[i]);
	joined = strv_join(path, ":");
	strv_add(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strv_addf(&env, "CNI_COMMAND=%s", w->command);
	strv_addf(&env, "CNI_CONTAINERID=%s", w->s->container);
	strv_addf(&env, "CNI_NETNS=%s", w->netns ? w->netns : "");
	strv_addf(&env, "CNI_IFNAME=%s", w->s->ifname);
	strv_addf(&env, "CNI_ARGS=%s", w->s->args ? w->s->args : "");
	strv_addf(&env, "CNI_PATH=%s", joined);
	return env;
}

/* Where it is: -ENOENT when it is in none of the directories. */
static int spawn(struct proc_spawn *spec, const char *type, const struct buf *in, struct buf *out,
		 struct err *err)
{
	static const char *const dirs[] = { CNI_PLUGIN_DIRS };
	int r = -ENOENT;

	for (size_t i = 0; r == -ENOENT && i < ARRAY_SIZE(dirs); i++) {
		cleanup_free char *path = xasprintf("%s/%s", dirs[i], type);

		spec->path = path;
		r = proc_run(spec, in, out, CNI_BYTES_MAX, TIMEOUT_MS, err);
	}
	if (r == -ENOENT)
		return err_hint(err,
				err_fail(err, ERR_NOT_FOUND,
					 "there is no such plugin in /opt/cni/bin, /usr/lib/cni or "
					 "/usr/libexec/cni"),
				"Debian has many in containernetworking-plugins");
	if (r == -ETIME)
		return err_fail(err, ERR_SYSTEM, "it has not ended in %d s", TIMEOUT_MS / 1000);
	return r;
}

/* What went wrong is on its standard output; some say more on the other one. */
static int plugin_failed(const struct buf *out, int said, int status, struct err *err)
{
	char line[STDERR_MAX];
	ssize_t n = NO_EINTR(pread(said, line, sizeof(line) - 1, 0));
	int r = cni_failure(buf_str(out), out->len, status, err);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line[0] ? err_hint(err, r, "it said: %.200s", line) : r;
}

static int run_plugin(const struct work *w, const struct cni_plugin *plugin, struct buf *out,
		      struct err *err)
{
	CLEANUP(cni_plugin_head_done) struct cni_plugin_head head = { 0 };
	cleanup_buf struct buf in = BUF_INIT;
	cleanup_strv char **env = NULL;
	cleanup_fd int said = memfd_create("cni", MFD_CLOEXEC);
	const struct proc_fd fds[] = { { .fd = said, .target = STDERR_FILENO } };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	char *argv[2] = { NULL };
	int r = cni_plugin_head(plugin, &head, err);

	if (r < 0)
		return r;
	if (said < 0)
		return err_errno(err, errno, "making a file for what plugins say");
	derive(w, plugin, &head, &in);
	argv[0] = head.type;
	env = environment(w);
	spec.argv = argv;
	spec.envp = env;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	spec.cancel_fd = w->cancel_fd;
	r = spawn(&spec, head.type, &in, out, err);
	if (r > 0)
		r = plugin_failed(out, said, r, err);
	return r < 0 ? err_wrap(err, r, "CNI network %s: plugin %s: %s", w->s->list.name, head.type,
				w->command)
		     : 0;
}

/* ---- the verbs ---- */

static int add_all(const struct work *w, struct cni_result *result, struct err *err)
{
	const struct cni_list *list = &w->s->list;

	for (size_t i = 0; i < list->plugins.n; i++) {
		cleanup_buf struct buf out = BUF_INIT;
		int r = run_plugin(w, &list->plugins.items[i], &out, err);

		if (r < 0)
			return r;
		cni_result_done(result);
		r = cni_result_parse(buf_str(&out), out.len, result, err);
		if (r < 0)
			return err_wrap(err, r, "CNI network %s: plugin %zu", list->name, i + 1);
		free(w->s->result);
		w->s->result = buf_take(&out);
	}
	return 0;
}

/* From last to first. All are asked, the first error is the one that is told. */
static int del_all(struct state *s, const char *netns, struct err *err)
{
	const struct work w = { .command = "DEL", .netns = netns, .s = s };
	int r = 0;

	for (size_t i = s->list.plugins.n; i-- > 0;) {
		cleanup_buf struct buf out = BUF_INIT;
		struct err ignored = ERR_INIT;
		int one = run_plugin(&w, &s->list.plugins.items[i], &out, r < 0 ? &ignored : err);

		if (r == 0)
			r = one;
	}
	return r;
}

static int del_file(int dir, const char *name, const char *netns, bool forget, struct err *err)
{
	CLEANUP(state_done) struct state s = { 0 };
	int r = state_read(dir, name, &s, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = del_all(&s, netns, err);
	if (r == 0 || forget)
		unlinkat(dir, name, 0);
	return r;
}

static void copy_map(const struct json_map *from, struct json_map *to)
{
	for (size_t i = 0; from && i < from->n; i++)
		json_map_set(to, from->items[i].key, from->items[i].value);
}

static void copy_list(const struct cni_list *from, struct cni_list *to)
{
	to->name = xstrdup(from->name);
	to->version = xstrdup(from->version);
	to->disable_check = from->disable_check;
	to->plugins.items = xcalloc(from->plugins.n, sizeof(*to->plugins.items));
	for (; to->plugins.n < from->plugins.n; to->plugins.n++)
		copy_map(&from->plugins.items[to->plugins.n].members,
			 &to->plugins.items[to->plugins.n].members);
}

static int add(const struct cni_call *c, struct state *s, struct cni_result *ret, struct err *err)
{
	const struct work w = {
		.command = "ADD", .netns = c->netns, .cancel_fd = c->cancel_fd, .s = s
	};
	cleanup_free char *name = state_name(c->container, c->ifname);
	/* what a killed one has left of the same interface goes first */
	int r = del_file(c->dir, name, NULL, false, err);

	if (r == 0)
		r = state_write(c->dir, s, err);
	if (r < 0)
		return r;
	r = add_all(&w, ret, err);
	if (r == 0)
		return state_write(c->dir, s, err);
	cni_result_done(ret);
	if (del_all(s, c->netns, NULL) == 0)
		unlinkat(c->dir, name, 0);
	return r;
}

/* What fails now has changed nothing. */
static int ask_status(const struct cni_call *c, struct state *s, struct err *err)
{
	const struct work w = { .command = "STATUS", .cancel_fd = c->cancel_fd, .s = s };
	int r = 0;

	if (!str_eq(s->list.version, "1.1.0"))
		return 0;
	for (size_t i = 0; r == 0 && i < s->list.plugins.n; i++) {
		cleanup_buf struct buf out = BUF_INIT;

		r = run_plugin(&w, &s->list.plugins.items[i], &out, err);
	}
	return r;
}

int cni_add(const struct cni_call *c, const struct cni_list *list, struct cni_result *ret,
	    struct err *err)
{
	CLEANUP(state_done)
	struct state s = { .container = xstrdup(c->container),
			   .network = xstrdup(list->name),
			   .ifname = xstrdup(c->ifname),
			   .args = c->args ? xstrdup(c->args) : NULL };

	*ret = (struct cni_result){ 0 };
	copy_list(list, &s.list);
	copy_map(c->capabilities, &s.capabilities);
	int r = ask_status(c, &s, err);
	return r < 0 ? r : add(c, &s, ret, err);
}

int cni_check(const struct cni_call *c, struct err *err)
{
	cleanup_free char *name = state_name(c->container, c->ifname);
	CLEANUP(state_done) struct state s = { 0 };
	const struct work w = {
		.command = "CHECK", .netns = c->netns, .cancel_fd = c->cancel_fd, .s = &s
	};
	int r = state_read(c->dir, name, &s, err);

	if (r < 0 || s.list.disable_check)
		return r;
	if (str_eq(s.list.version, "0.3.1"))
		return err_fail(err, ERR_UNSUPPORTED,
				"CNI network %s: there is no CHECK in version 0.3.1", s.list.name);
	for (size_t i = 0; r == 0 && i < s.list.plugins.n; i++) {
		cleanup_buf struct buf out = BUF_INIT;

		r = run_plugin(&w, &s.list.plugins.items[i], &out, err);
	}
	return r;
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Names of the files of a container; sorted by nothing: its networks do not know of each other. */
static char **files_of(int dirfd, const char *container)
{
	cleanup_free char *prefix = xasprintf("%s-", container);
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(dir_cleanup) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	char **names = NULL;

	while (dir && (entry = readdir(dir)))
		if (str_starts(entry->d_name, prefix) && str_ends(entry->d_name, ".json"))
			strv_add(&names, entry->d_name);
	return names;
}

int cni_del(int dir, const char *container, const char *netns, bool forget, struct err *err)
{
	cleanup_strv char **names = files_of(dir, container);
	int r = 0;

	for (char **name = names; name && *name; name++) {
		struct err ignored = ERR_INIT;
		int one = del_file(dir, *name, netns, forget, r < 0 ? &ignored : err);

		if (r == 0)
			r = one;
	}
	return r;
}

int cni_result_read(int dir, const char *container, const char *ifname, struct cni_result *ret,
		    struct err *err)
{
	cleanup_free char *name = state_name(container, ifname);
	CLEANUP(state_done) struct state s = { 0 };
	int r = state_read(dir, name, &s, err);

	*ret = (struct cni_result){ 0 };
	if (r < 0)
		return r;
	return s.result ? cni_result_parse(s.result, strlen(s.result), ret, err) : -ENOENT;
}
