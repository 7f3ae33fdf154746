/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/top_words.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/user.h"
#include "sys/cap.h"
#include "sys/clone.h"
#include "sys/pidfd.h"
#include "sys/prctl.h"
#include "sys/uapi.h"

#define PROC_BYTES_MAX (1u << 20)
#define PTS_MAJOR      136 /* to 143: a thousand each of them, as Linux counts */
#define TTY_MAJOR      4
#define OVERFLOW_ID    65534
#define NS             INT64_C(1000000000)
/* A process may have 65536, and a name is looked for in all of a file. */
#define NAMED_GROUPS_MAX 64
#define NAMES_MS         2000

/* ---- what is known of all of them ---- */

struct names {
	struct buf passwd, group; /* empty: numbers are shown */
};
struct look {
	struct names inside, here;
	struct buf uid_map, gid_map;
	const struct pids *pids;
	int64_t boot_ns, now_ns; /* since boot, since 1970 */
	long ticks;
};
struct process {
	const struct look *look;
	pid_t pid;
	char *status; /* text of the file */
	struct top_stat stat;
};

static char *read_of(pid_t pid, const char *name)
{
	cleanup_free char *path = xasprintf("/proc/%d/%s", pid, name);
	struct buf text = BUF_INIT;

	if (io_read_file(AT_FDCWD, path, &text, PROC_BYTES_MAX, NULL) < 0) {
		buf_done(&text);
		return NULL;
	}
	/* Of a command line: its arguments end with a zero byte each. */
	for (size_t i = 0; i < text.len; i++)
		if (!text.data[i])
			text.data[i] = ' ';
	while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\n'))
		text.data[--text.len] = '\0';
	return buf_take(&text);
}

/* A file below a root that somebody else fills: nothing but a file is opened. */
static void read_below(int root, const char *name, struct buf *ret)
{
	cleanup_fd int found = path_open_in(root, name, O_PATH, 0, NULL);
	cleanup_free char *path = xasprintf("/proc/self/fd/%d", found);
	cleanup_fd int fd = -EBADF;
	struct stat st;

	if (found < 0 || fstat(found, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || io_read_all(fd, ret, USER_FILE_MAX) < 0)
		buf_reset(ret);
}

static void read_names(const char *root, struct names *ret)
{
	cleanup_fd int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	read_below(fd, "etc/passwd", &ret->passwd);
	read_below(fd, "etc/group", &ret->group);
}

static int names_file(void)
{
	return memfd_create("names", MFD_CLOEXEC);
}

static void take_names(int fd, struct buf *ret)
{
	if (lseek(fd, 0, SEEK_SET) != 0 || io_read_all(fd, ret, USER_FILE_MAX) < 0)
		buf_reset(ret);
}

/* A container's files may be on a file system of its own that never answers: another process reads
 * them, for as long as somebody likes to wait. Nothing of ours is open there, as even SIGKILL may
 * come to nothing. Without them there are numbers. */
static void read_names_inside(const char *root, struct names *ret)
{
	const struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	cleanup_fd int passwd = names_file(), group = names_file(), pidfd = -EBADF;
	pid_t parent = getpid(), pid = clone_process(&spec, &pidfd);

	if (pid == 0) {
		const int keep[] = { passwd, group };

		prctl_parent_death_signal(SIGKILL, parent);
		if (fd_close_from(0, keep, ARRAY_SIZE(keep)) < 0 || fd_ensure_stdio() < 0)
			_exit(1);
		read_names(root, ret);
		_exit(io_write(passwd, ret->passwd.data, ret->passwd.len) < 0 ||
		      io_write(group, ret->group.data, ret->group.len) < 0);
	}
	if (pid > 0 && !pidfd_reap(pidfd, NAMES_MS)) {
		pidfd_kill(pidfd, SIGKILL);
		log_warn("the container's files of names do not answer: numbers are shown");
		return;
	}
	take_names(passwd, &ret->passwd);
	take_names(group, &ret->group);
}

static void look_begin(pid_t first, const struct pids *pids, struct look *ret)
{
	cleanup_free char *root = xasprintf("/proc/%d/root", first);
	cleanup_free char *uids = xasprintf("/proc/%d/uid_map", first);
	cleanup_free char *gids = xasprintf("/proc/%d/gid_map", first);
	struct timespec boot, now;

	*ret = (struct look){ .pids = pids, .ticks = sysconf(_SC_CLK_TCK) };
	read_names_inside(root, &ret->inside);
	read_names("/", &ret->here);
	io_read_file(AT_FDCWD, uids, &ret->uid_map, PROC_BYTES_MAX, NULL);
	io_read_file(AT_FDCWD, gids, &ret->gid_map, PROC_BYTES_MAX, NULL);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &now);
	ret->boot_ns = boot.tv_sec * NS + boot.tv_nsec;
	ret->now_ns = now.tv_sec * NS + now.tv_nsec;
}

static void look_done(struct look *l)
{
	struct buf *all[] = { &l->inside.passwd, &l->inside.group, &l->here.passwd,
			      &l->here.group,    &l->uid_map,      &l->gid_map };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		buf_done(all[i]);
}

/* ---- ids ---- */

/* The next number of a line, behind blanks. */
static uint32_t next_number(const char **at)
{
	cleanup_free char *word = NULL;
	uint32_t n = 0;
	size_t len;

	*at += strspn(*at, " \t");
	len = strcspn(*at, " \t\n");
	word = xstrndup(*at, len);
	*at += len;
	return str_parse_u32(word, &n) < 0 ? 0 : n;
}

/* Number of the container's user namespace; what has none there is its overflow id. */
static uint32_t id_inside(const struct buf *map, uint32_t id)
{
	const char *line = buf_str(map);

	while (*line) {
		uint32_t inside = next_number(&line), outside = next_number(&line);
		uint32_t count = next_number(&line);

		if (id >= outside && id - outside < count)
			return inside + (id - outside);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return map->len ? OVERFLOW_ID : id;
}

static char *id_name(const struct process *p, uint32_t id, bool group, bool inside, bool named)
{
	const struct look *l = p->look;
	const struct names *names = inside ? &l->inside : &l->here;
	uint32_t n = inside ? id_inside(group ? &l->gid_map : &l->uid_map, id) : id;
	const struct buf *file = group ? &names->group : &names->passwd;
	char *name = named ? top_id_name(buf_str(file), n) : NULL;

	return name ? name : xasprintf("%u", n);
}

/* Word number n of a line of the status, as an id; those of Uid and Gid are real, effective. */
static char *id_column(const struct process *p, const char *line, size_t n, bool inside)
{
	cleanup_free char *value = top_status_value(p->status, line);
	cleanup_strv char **words = value ? strv_split(value, '\t') : NULL;
	uint32_t id;

	if (strv_len(words) <= n || user_parse_id(words[n], &id) < 0)
		return xstrdup("?");
	return id_name(p, id, line[0] == 'G', inside, true);
}

static char *groups_column(const struct process *p, bool inside)
{
	cleanup_free char *value = top_status_value(p->status, "Groups");
	cleanup_strv char **words = value ? strv_split(value, ' ') : NULL;
	struct buf out = BUF_INIT;
	uint32_t id;

	for (size_t i = 0; words && words[i]; i++) {
		cleanup_free char *name = NULL;

		if (user_parse_id(words[i], &id) < 0)
			continue;
		name = id_name(p, id, true, inside, i < NAMED_GROUPS_MAX);
		buf_addf(&out, "%s%s", out.len ? "," : "", name);
	}
	return out.len ? buf_take(&out) : id_column(p, "Gid", 1, inside);
}

static char *group(const struct process *p)
{
	return id_column(p, "Gid", 1, true);
}
static char *groups(const struct process *p)
{
	return groups_column(p, true);
}
static char *hgroup(const struct process *p)
{
	return id_column(p, "Gid", 1, false);
}
static char *hgroups(const struct process *p)
{
	return groups_column(p, false);
}
static char *huser(const struct process *p)
{
	return id_column(p, "Uid", 1, false);
}
static char *rgroup(const struct process *p)
{
	return id_column(p, "Gid", 0, true);
}
static char *ruser(const struct process *p)
{
	return id_column(p, "Uid", 0, true);
}
static char *user(const struct process *p)
{
	return id_column(p, "Uid", 1, true);
}

/* ---- processes ---- */

/* "NSpid: 4711 12": of each namespace, the innermost last. */
static char *innermost(const char *status, const char *line)
{
	cleanup_free char *value = top_status_value(status, line);
	const char *tab = value ? strrchr(value, '\t') : NULL;

	return xstrdup(tab ? tab + 1 : value ? value : "?");
}

static char *pid(const struct process *p)
{
	return innermost(p->status, "NSpid");
}
static char *pgid(const struct process *p)
{
	return innermost(p->status, "NSpgid");
}
static char *hpid(const struct process *p)
{
	return xasprintf("%d", p->pid);
}
/* 0, as inside, when the parent is not one of them. */
static char *ppid(const struct process *p)
{
	cleanup_free char *value = top_status_value(p->status, "PPid");
	cleanup_free char *status = NULL;
	int parent = 0;

	if (!value || str_parse_int(value, &parent) < 0)
		return xstrdup("?");
	for (size_t i = 0; !status && i < p->look->pids->n; i++)
		if (p->look->pids->items[i] == parent)
			status = read_of(parent, "status");
	return status ? innermost(status, "NSpid") : xstrdup("0");
}
static char *comm(const struct process *p)
{
	char *name = top_status_value(p->status, "Name");

	return name ? name : xstrdup("?");
}
static char *args(const struct process *p)
{
	cleanup_free char *line = read_of(p->pid, "cmdline");
	cleanup_free char *name = NULL;

	if (line && line[0])
		return take_ptr(line);
	name = comm(p);
	return xasprintf("[%s]", name);
}
static char *nice_value(const struct process *p)
{
	return xasprintf("%ld", p->stat.nice);
}
static char *state(const struct process *p)
{
	return xasprintf("%c", p->stat.state);
}
static char *tty(const struct process *p)
{
	unsigned int n = (unsigned int)p->stat.tty;
	unsigned int first = major(n), second = minor(n);

	if (first >= PTS_MAJOR && first < PTS_MAJOR + 8)
		return xasprintf("pts/%u", second + (first - PTS_MAJOR) * 256);
	return first == TTY_MAJOR ? xasprintf("tty%u", second) : xstrdup("?");
}
static char *vsz(const struct process *p)
{
	return xasprintf("%llu", (unsigned long long)p->stat.vsize / 1024);
}
static char *rss(const struct process *p)
{
	return xasprintf("%llu", (unsigned long long)p->stat.rss_pages *
				     (unsigned long long)sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- times, as Go writes them ---- */

static int64_t of_ticks(const struct process *p, uint64_t ticks)
{
	uint64_t hz = (uint64_t)p->look->ticks;

	return (int64_t)(ticks / hz * (uint64_t)NS + ticks % hz * ((uint64_t)NS / hz));
}
static int64_t age(const struct process *p)
{
	int64_t ns = p->look->boot_ns - of_ticks(p, p->stat.start_ticks);

	return ns > 0 ? ns : 0;
}
static char *duration(int64_t ns)
{
	int64_t s = ns / NS, h = s / 3600, m = s / 60 % 60;
	struct buf out = BUF_INIT;

	if (ns > 0 && ns < NS)
		return xasprintf("%lldms", (long long)(ns / (NS / 1000)));
	if (h)
		buf_addf(&out, "%lldh", (long long)h);
	if (h || m)
		buf_addf(&out, "%lldm", (long long)m);
	buf_addf(&out, "%lld", (long long)(s % 60));
	if (ns % NS) {
		buf_addf(&out, ".%09lld", (long long)(ns % NS));
		while (out.data[out.len - 1] == '0')
			out.data[--out.len] = '\0';
	}
	buf_addc(&out, 's');
	return buf_take(&out);
}
static char *etime(const struct process *p)
{
	return duration(age(p));
}
static char *cpu_time(const struct process *p)
{
	return duration(of_ticks(p, p->stat.cpu_ticks));
}
static char *pcpu(const struct process *p)
{
	int64_t lived = age(p);

	return xasprintf(
	    "%.3f", lived ? 100.0 * (double)of_ticks(p, p->stat.cpu_ticks) / (double)lived : 0.0);
}
static char *stime(const struct process *p)
{
	time_t at = (time_t)((p->look->now_ns - age(p)) / NS);
	char text[64];
	struct tm tm;

	if (!localtime_r(&at, &tm) || !strftime(text, sizeof(text), "%F %T %z %Z", &tm))
		return xstrdup("?");
	return xstrdup(text);
}

/* ---- what it may ---- */

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}
static char *caps(const struct process *p, const char *line)
{
	cleanup_free char *value = top_status_value(p->status, line);
	cleanup_strv char **names = NULL;
	uint64_t set, all = 0;
	char *end;

	if (!value)
		return xstrdup("?");
	set = strtoull(value, &end, 16);
	for (int cap = 0; cap <= cap_last() && cap < CAP_COUNT_MAX; cap++)
		all |= UINT64_C(1) << cap;
	if (!set || (set & all) == all)
		return xstrdup(set ? "full" : "none");
	for (int cap = 0; cap < CAP_COUNT_MAX; cap++)
		if (set >> cap & 1 && cap_name(cap))
			strv_add(&names, cap_name(cap) + strlen("CAP_"));
	if (names)
		qsort(names, strv_len(names), sizeof(*names), compare_words);
	return strv_join(names, ",");
}
static char *capamb(const struct process *p)
{
	return caps(p, "CapAmb");
}
static char *capbnd(const struct process *p)
{
	return caps(p, "CapBnd");
}
static char *capeff(const struct process *p)
{
	return caps(p, "CapEff");
}
static char *capinh(const struct process *p)
{
	return caps(p, "CapInh");
}
static char *capprm(const struct process *p)
{
	return caps(p, "CapPrm");
}
static char *label(const struct process *p)
{
	char *text = read_of(p->pid, "attr/current");

	return text && text[0] ? text : (free(text), xstrdup("?"));
}
static char *seccomp(const struct process *p)
{
	static const char *const modes[] = { "disabled", "strict", "filter" };
	cleanup_free char *value = top_status_value(p->status, "Seccomp");
	int mode = -1;

	if (!value || str_parse_int(value, &mode) < 0 || mode < 0 || mode > 2)
		return xstrdup("?");
	return xstrdup(modes[mode]);
}

/* ---- words ---- */

static const struct word {
	const char *name, *code, *title;
	char *(*column)(const struct process *p);
} words_table[] = {
	{ "args", "%a", "COMMAND", args },
	{ "capamb", NULL, "AMBIENT CAPS", capamb },
	{ "capbnd", NULL, "BOUNDING CAPS", capbnd },
	{ "capeff", NULL, "EFFECTIVE CAPS", capeff },
	{ "capinh", NULL, "INHERITED CAPS", capinh },
	{ "capprm", NULL, "PERMITTED CAPS", capprm },
	{ "comm", "%c", "COMMAND", comm },
	{ "etime", "%t", "ELAPSED", etime },
	{ "group", "%G", "GROUP", group },
	{ "groups", NULL, "GROUPS", groups },
	{ "hgroup", NULL, "HGROUP", hgroup },
	{ "hgroups", NULL, "HGROUPS", hgroups },
	{ "hpid", NULL, "HPID", hpid },
	{ "huser", NULL, "HUSER", huser },
	{ "label", NULL, "LABEL", label },
	{ "nice", "%n", "NI", nice_value },
	{ "pcpu", "%C", "%CPU", pcpu },
	{ "pgid", "%r", "PGID", pgid },
	{ "pid", "%p", "PID", pid },
	{ "ppid", "%P", "PPID", ppid },
	{ "rgroup", "%g", "RGROUP", rgroup },
	{ "rss", NULL, "RSS", rss },
	{ "ruser", "%u", "RUSER", ruser },
	{ "seccomp", NULL, "SECCOMP", seccomp },
	{ "state", NULL, "STATE", state },
	{ "stime", NULL, "STIME", stime },
	{ "time", "%x", "TIME", cpu_time },
	{ "tty", "%y", "TTY", tty },
	{ "user", "%U", "USER", user },
	{ "vsz", "%z", "VSZ", vsz },
};

static const struct word *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(words_table); i++)
		if (str_eq(words_table[i].name, name) || str_eq(words_table[i].code, name))
			return &words_table[i];
	return NULL;
}

static char **split_all(char *const *words)
{
	char **all = NULL;

	for (; words && *words; words++) {
		cleanup_strv char **parts = strv_split(*words, ',');

		strv_extend(&all, parts);
	}
	return all;
}

bool top_are_words(char *const *words)
{
	cleanup_strv char **all = split_all(words);
	bool r = all && all[0];

	for (size_t i = 0; r && all[i]; i++)
		r = find(all[i]) != NULL;
	return r;
}

/* A container chooses much of it: nothing of that drives a terminal. */
static char *printable(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	return text;
}

/* NULL: it has ended. */
static char **row_of(const struct look *l, pid_t number, char *const *all)
{
	struct process p = { .look = l, .pid = number, .status = read_of(number, "status") };
	cleanup_free char *stat = read_of(number, "stat");
	char **row = NULL;

	for (size_t i = 0; p.status && stat && top_stat_parse(stat, &p.stat) == 0 && all[i]; i++)
		strv_take(&row, printable(find(all[i])->column(&p)));
	free(p.status);
	return row;
}

int top_by_words(const struct pids *pids, pid_t first, char *const *words, struct top *ret,
		 struct err *err)
{
	cleanup_strv char **all = split_all(words);
	struct look l;

	if (!top_are_words(words))
		return err_fail(err, ERR_USAGE, "these are no columns of top");
	*ret = (struct top){ .rows = xcalloc(pids->n + 1, sizeof(*ret->rows)) };
	for (size_t i = 0; all[i]; i++)
		strv_add(&ret->titles, find(all[i])->title);
	look_begin(first, pids, &l);
	for (size_t i = 0; i < pids->n; i++) {
		char **row = row_of(&l, pids->items[i], all);

		if (row)
			ret->rows[ret->n_rows++] = row;
	}
	look_done(&l);
	return 0;
}
