/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/join.h"

#include <time.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/parse.h"
#include "runtime/live.h"
#include "runtime/monitor_proto.h"
#include "sys/ns.h"
#include "sys/pidfd.h"

#define SETTLE_TIMEOUT_MS 5000
#define SETTLE_POLL_MS    2
#define SHOW_TIMEOUT_MS   1000

struct option {
	const char *name;
	const char *value;
	enum spec_ns type;
};

void joins_done(struct joins *j)
{
	for (size_t i = 0; i < NS_COUNT; i++)
		free(j->words[i]);
	for (size_t i = 0; i < j->ids.n; i++) {
		free(j->ids.items[i].key);
		free(j->ids.items[i].value);
	}
	free(j->ids.items);
	free(j->etc_dir);
	free(j->hostname);
	idmap_done(&j->uids);
	idmap_done(&j->gids);
	*j = (struct joins){ 0 };
}

static int copy_map(const spec_id_maps *from, struct idmap *to)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = idmap_add(to, from->items[i].container_id, from->items[i].host_id,
			      from->items[i].size);
	return r;
}

static int read_spec(struct engine *eng, const struct record *rec, struct spec *ret,
		     struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", rec->id);
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(eng->containers_fd, path, &text, SPEC_BYTES_MAX, err);

	return r < 0 ? r : spec_parse(buf_str(&text), text.len, ret, err);
}

/* What the configuration of the other one says that must be the same here. */
static int look_at(struct engine *eng, const struct record *rec, enum spec_ns type, struct joins *j,
		   struct err *err)
{
	struct spec spec = { 0 };
	int r;

	if (type != NS_USER && type != NS_NETWORK)
		return 0;
	r = read_spec(eng, rec, &spec, err);
	if (r < 0)
		return r;
	if (type == NS_USER) {
		j->user = true;
		r = copy_map(&spec.linux_->uid_mappings, &j->uids);
		if (r == 0)
			r = copy_map(&spec.linux_->gid_mappings, &j->gids);
	} else {
		j->etc_dir = xasprintf("%s/containers/%s", eng->root, rec->id);
		j->hostname = spec.hostname ? xstrdup(spec.hostname) : NULL;
	}
	spec_free(&spec);
	return r < 0 ? err_errno(err, -r, "taking over the id mappings of %s", rec->name) : 0;
}

static void set(struct joins *j, enum spec_ns type, char *path)
{
	free(j->words[type]);
	j->paths[type] = j->words[type] = path;
}

/* docker's rule: a container is asked whether others may. Who has joined one gives on what it has.
 */
static int check_shared(const struct record *rec, struct err *err)
{
	if (rec->options.ipc_shared || json_map_get(&rec->options.joins, spec_ns_names[NS_IPC]))
		return 0;
	return err_hint(err,
			err_fail(err, ERR_CONFLICT,
				 "can't join IPC of container %s: non-shareable IPC", rec->name),
			"create it with --ipc shareable");
}

static int add_container(struct engine *eng, const struct option *o, const char *name,
			 struct joins *j, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	const char *user;
	int r = life_find(eng, name, &rec, err);

	if (r == 0)
		r = o->type == NS_IPC ? check_shared(&rec, err)
				      : look_at(eng, &rec, o->type, j, err);
	if (r < 0)
		return err_wrap(err, r, "--%s container:%s", o->name, name);
	if (o->type == NS_USER && !j->uids.n)
		return err_fail(err, ERR_CONFLICT,
				"--userns %s: that container has no user namespace of its own",
				o->value);
	/* No process has this id: what stands there is nobody's, until the container is started. */
	set(j, o->type, xasprintf("/proc/0/ns/%s", ns_by_name(spec_ns_names[o->type])->file));
	json_map_set(&j->ids, spec_ns_names[o->type], rec.id);
	if (!eng->rootless)
		return 0;
	/* An unprivileged user's namespaces belong to the user namespace that each container has:
	 * who joins one, joins that. */
	user = json_map_get(&j->ids, spec_ns_names[NS_USER]);
	if (user && !str_eq(user, rec.id))
		return err_fail(err, ERR_UNSUPPORTED,
				"--%s %s: without root all namespaces that are joined have to be "
				"of one container",
				o->name, o->value);
	if (user)
		return 0;
	return add_container(eng, &(struct option){ "userns", o->value, NS_USER }, name, j, err);
}

int joins_find(struct engine *eng, const struct run_options *opts, struct joins *ret,
	       struct err *err)
{
	const struct option table[] = {
		{ "userns", opts->userns, NS_USER },
		{ "pid", opts->pid, NS_PID },
		{ "ipc", opts->ipc, NS_IPC },
		{ "uts", opts->uts, NS_UTS },
		{ "cgroupns", opts->cgroupns, NS_CGROUP },
		{ "network", run_network_word(opts), NS_NETWORK },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(table); i++) {
		struct ns_word word;

		/* What else there is for these is somebody else's business. */
		if (!table[i].value ||
		    ns_word_parse(table[i].name, table[i].value, &word, NULL) < 0)
			continue;
		if (word.mode == NS_WORD_CONTAINER)
			r = add_container(eng, &table[i], word.arg, ret, err);
		else if (word.mode == NS_WORD_PATH && table[i].type != NS_USER)
			set(ret, table[i].type, xstrdup(word.arg));
	}
	return r;
}

static int type_of(const char *name)
{
	for (int i = 0; i < NS_COUNT; i++)
		if (str_eq(spec_ns_names[i], name))
			return i;
	return -EINVAL;
}

static int not_running(const char *name, const struct record *rec, struct err *err)
{
	const char *word = str_eq(name, "pid") ? "PID" : str_eq(name, "ipc") ? "IPC" : name;

	return err_hint(err,
			err_fail(err, ERR_CONFLICT, "cannot join %s of a non running container: %s",
				 word, rec->name),
			"inro start %s", rec->name);
}

/* The process, if it runs and is where it belongs: one that is still being made may be in this
 * machine's namespaces. 0, -EAGAIN: that, or -ESRCH. */
static int find_process(struct engine *eng, const struct record *rec, pid_t *ret_pid,
			uint64_t *ret_start)
{
	struct container_state st = { 0 };
	int status;

	if (container_state_read(&eng->runtime, rec->id, &st, NULL) < 0)
		return -ESRCH;
	*ret_pid = st.pid;
	*ret_start = st.pid_start_time;
	status = st.status;
	container_state_free(&st);
	if (status == CONTAINER_CREATING)
		return -EAGAIN;
	return *ret_pid > 0 ? 0 : -ESRCH;
}

int joins_settled(struct engine *eng, const struct record *rec)
{
	const struct timespec pause = { .tv_nsec = SETTLE_POLL_MS * 1000000L };
	int r = -EAGAIN;

	for (int ms = 0; r == -EAGAIN && ms < SETTLE_TIMEOUT_MS; ms += SETTLE_POLL_MS) {
		uint64_t start;
		pid_t pid;

		if (ms)
			nanosleep(&pause, NULL);
		r = find_process(eng, rec, &pid, &start);
	}
	return r < 0 ? -ESRCH : 0;
}

static int open_once(struct engine *eng, const struct record *rec, const char *name,
		     struct err *err)
{
	uint64_t start, start_after;
	cleanup_fd int fd = -EBADF;
	pid_t pid, pid_after;

	if (find_process(eng, rec, &pid, &start) < 0)
		return -ESRCH;
	fd = ns_open_of(pid, ns_by_name(name)->flag, err);
	/* One that has ended, but that nobody has waited for yet, has none. */
	if (fd == -ENOENT || fd == -ESRCH || find_process(eng, rec, &pid_after, &start_after) < 0 ||
	    pid_after != pid || start_after != start)
		return -ESRCH;
	return fd < 0 ? err_wrap(err, fd, "joining container %s", rec->name) : take_fd(fd);
}

/* The process is looked at before and after: what was opened is its own. For whoever is not root it
 * shows itself a little later than it is on record as running, when its program is executed. */
int joins_open_one(struct engine *eng, const struct record *rec, const char *name, struct err *err)
{
	const struct timespec pause = { .tv_nsec = SETTLE_POLL_MS * 1000000L };
	int fd = open_once(eng, rec, name, err);

	for (int ms = 0; fd == -EACCES && eng->rootless && ms < SHOW_TIMEOUT_MS;
	     ms += SETTLE_POLL_MS) {
		nanosleep(&pause, NULL);
		fd = open_once(eng, rec, name, err);
	}
	return fd;
}

int joins_open_process(struct engine *eng, const struct record *rec, struct err *err)
{
	uint64_t start, start_after;
	pid_t pid, pid_after;

	if (find_process(eng, rec, &pid, &start) < 0)
		return -ESRCH;
	cleanup_fd int fd = pidfd_of(pid);
	if (fd == -ESRCH || fd == -EINVAL || find_process(eng, rec, &pid_after, &start_after) < 0 ||
	    pid_after != pid || start_after != start)
		return -ESRCH;
	return fd < 0 ? err_errno(err, -fd, "opening the first process of container %s", rec->name)
		      : take_fd(fd);
}

static int open_of(struct engine *eng, const struct record *rec, const char *name, struct err *err)
{
	int r = -ESRCH;

	live_settle(eng, rec);
	if (rec->running && joins_settled(eng, rec) == 0)
		r = joins_open_one(eng, rec, name, err);
	return r == -ESRCH ? not_running(name, rec, err) : r;
}

int joins_open_shm(struct engine *eng, const struct record *rec, struct err *err)
{
	struct spec spec = { 0 };
	int r = read_spec(eng, rec, &spec, err);

	if (r < 0)
		return r;
	r = container_shm(&eng->runtime, rec->id, &spec, err);
	spec_free(&spec);
	return r < 0 && r != -ESRCH ? err_wrap(err, r, "joining container %s", rec->name) : r;
}

/* One namespace, and what goes with it. Returns how many fds, or -errno; then none is open. */
static int open_one(struct engine *eng, const char *kind, const char *id, struct join_fd ret[2],
		    struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int type = type_of(kind), fd, r;

	if (type < 0)
		return 0;
	r = record_get(eng, id, &rec, err);
	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "No such container: %s", id);
	fd = r < 0 ? r : open_of(eng, &rec, kind, err);
	if (fd < 0)
		return fd;
	ret[0] = (struct join_fd){ type, fd };
	if (type != NS_IPC)
		return 1;
	r = joins_open_shm(eng, &rec, err);
	if (r == -ESRCH)
		r = not_running("ipc", &rec, err);
	if (r < 0)
		fd_close(fd);
	ret[1] = (struct join_fd){ MONITOR_JOIN_SHM, r };
	return r < 0 ? r : 2;
}

int joins_open(struct engine *eng, const struct json_map *ids, struct join_fd ret[NS_COUNT],
	       struct err *err)
{
	int n = 0, r = 0;

	for (size_t i = 0; r >= 0 && i < ids->n && n + 1 < NS_COUNT; i++) {
		r = open_one(eng, ids->items[i].key, ids->items[i].value, ret + n, err);
		n += r > 0 ? r : 0;
	}
	while (r < 0 && n > 0)
		fd_close(ret[--n].fd);
	return r < 0 ? r : n;
}
