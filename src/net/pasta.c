/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pasta.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/program.h"
#include "sys/pidfd.h"
#include "sys/rtnetlink.h"
#include "sys/rtnetlink_link.h"

#define CMDLINE_MAX 65536
#define END_MS      2000

static const char *const paths[] = { "/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta", NULL };
static const struct net_program program = { "pasta", "passt", paths };

/* What inro says itself, and what would be another's namespaces, rights or files, or would keep it
 * from ever being ready. */
static const char *const refused[] = {
	"--config-net",    "--userns",     "--netns",    "--netns-only", "--pid",
	"--runas",         "--foreground", "--log-file", "--pcap",       "--fd",
	"--socket",        "--vhost-user", "--help",     "--version",    "--one-off",
	"--no-netns-quit", "--debug",      "--trace",
};
#define REFUSED_LETTERS "PflpFsh1d"
#define WITHOUT_VALUE   "qe46"

/* Short options may stand together, and the value of one right behind it. */
static bool is_refused(const char *word)
{
	size_t len = strcspn(word, "=");

	if (word[1] != '-') {
		const char *p = word + 1;

		p += strspn(p, WITHOUT_VALUE);
		return *p && strchr(REFUSED_LETTERS, *p);
	}
	/* its parser takes those that are cut short */
	for (size_t i = 0; len > 2 && i < ARRAY_SIZE(refused); i++)
		if (strncmp(word, refused[i], len) == 0)
			return true;
	return len == 2;
}

int pasta_options_parse(const char *text, char ***ret, struct err *err)
{
	cleanup_strv char **words = text && text[0] ? strv_split(text, ',') : NULL;

	for (size_t i = 0; words && words[i]; i++) {
		if (words[i][0] == '\0')
			return err_fail(err, ERR_USAGE, "--network pasta: an option is empty");
		if (words[i][0] == '-' && is_refused(words[i]))
			return err_fail(err, ERR_USAGE,
					"--network pasta: %s is not for users to say", words[i]);
	}
	if (words && words[0][0] != '-')
		return err_fail(err, ERR_USAGE, "--network pasta: %s is no option of pasta's",
				words[0]);
	*ret = take_ptr(words);
	return 0;
}

static int read_pid(const char *pid_file, pid_t *ret)
{
	cleanup_buf struct buf text = BUF_INIT;
	int pid;

	if (io_read_file(AT_FDCWD, pid_file, &text, 64, NULL) < 0)
		return -ESRCH;
	cleanup_free char *word = xstrndup(buf_str(&text), strcspn(buf_str(&text), "\n"));
	if (str_parse_int(word, &pid) < 0 || pid <= 0)
		return -ESRCH;
	*ret = pid;
	return 0;
}

/* Its arguments name the file: it is this one's, whoever has had the pid meanwhile. Who has none
 * any more is just ending, and keeps the interface for a moment, which would be in the next one's
 * way. */
static bool is_ours(pid_t pid, int pidfd, const char *pid_file)
{
	cleanup_buf struct buf line = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (io_read_file(AT_FDCWD, path, &line, CMDLINE_MAX, NULL) < 0)
		return false;
	if (!line.len)
		pidfd_poll(pidfd, END_MS);
	const char *p = buf_str(&line), *end = p + line.len;
	for (; p < end; p += strlen(p) + 1)
		if (str_eq(p, pid_file))
			return true;
	return false;
}

int pasta_find(const char *pid_file)
{
	pid_t pid;

	if (read_pid(pid_file, &pid) < 0)
		return -ESRCH;
	cleanup_fd int pidfd = pidfd_of(pid);
	if (pidfd < 0 || !is_ours(pid, pidfd, pid_file) || pidfd_poll(pidfd, 0) != 0)
		return -ESRCH;
	return take_fd(pidfd);
}

void pasta_end(const char *pid_file)
{
	cleanup_fd int pidfd = pasta_find(pid_file);

	if (pidfd >= 0 && pidfd_kill(pidfd, SIGTERM) == 0 && pidfd_poll(pidfd, END_MS) != 1)
		pidfd_kill(pidfd, SIGKILL);
	unlink(pid_file);
}

/* It gives up where a family that it is to have is without a default route. */
static int find_families(bool ret[2], struct err *err)
{
	cleanup_rtnl_routes struct rtnl_routes routes = { 0 };
	cleanup_fd int sock = rtnl_open(err);
	int r = sock < 0 ? sock : rtnl_routes_read(sock, &routes, err);

	ret[0] = ret[1] = false;
	for (size_t i = 0; r >= 0 && i < routes.n; i++) {
		const struct rtnl_route *route = &routes.items[i];

		if (route->prefix_len == 0 && route->type == RTN_UNICAST &&
		    route->table == RT_TABLE_MAIN)
			ret[route->family == AF_INET6] = true;
	}
	return r;
}

/* Has somebody said what is to be forwarded so? */
static bool has(char *const *words, const char *option, const char *name)
{
	for (size_t i = 0; words && words[i]; i++)
		if (strncmp(words[i], option, 2) == 0 || str_starts(words[i], name))
			return true;
	return false;
}

/* All of pasta's defaults that open something are off. --map-gw is podman's word. */
static void add_defaults(char ***argv, const struct pasta *p)
{
	static const struct {
		const char *option, *name;
	} forwards[] = {
		{ "-t", "--tcp-ports" },
		{ "-u", "--udp-ports" },
		{ "-T", "--tcp-ns" },
		{ "-U", "--udp-ns" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forwards); i++) {
		if (has(p->options, forwards[i].option, forwards[i].name) ||
		    has(p->ports, forwards[i].option, forwards[i].name))
			continue;
		strv_add(argv, forwards[i].option);
		strv_add(argv, "none");
	}
	if (!p->options || !strv_has(p->options, "--map-gw"))
		strv_add(argv, "--no-map-gw");
}

static char **make_argv(const struct pasta *p, const bool families[2])
{
	char **argv = NULL;

	strv_add(&argv, program.name);
	strv_add(&argv, "--config-net");
	strv_add(&argv, "-q");
	if (!families[0] || !families[1])
		strv_add(&argv, families[0] ? "-4" : "-6");
	add_defaults(&argv, p);
	strv_extend(&argv, p->ports);
	for (size_t i = 0; p->options && p->options[i]; i++)
		if (!str_eq(p->options[i], "--map-gw"))
			strv_add(&argv, p->options[i]);
	strv_add(&argv, "-P");
	strv_add(&argv, p->pid_file);
	strv_add(&argv, "--userns");
	strv_addf(&argv, "/proc/%d/ns/user", (int)p->pid);
	strv_add(&argv, "--netns");
	strv_addf(&argv, "/proc/%d/ns/net", (int)p->pid);
	return argv;
}

/* Without a logger it says that for each line, which is no help. */
static void without_noise(struct buf *said)
{
	cleanup_strv char **lines = strv_split(buf_str(said), '\n');
	cleanup_buf struct buf out = BUF_INIT;

	for (size_t i = 0; lines[i]; i++)
		if (lines[i][0] && !strstr(lines[i], "to syslog"))
			buf_addf(&out, "%s%s", out.len ? "; " : "", lines[i]);
	said->len = 0;
	buf_adds(said, buf_str(&out));
}

static int fail(struct buf *said, int status, struct err *err)
{
	without_noise(said);
	err_fail(err, ERR_SYSTEM, "pasta: %s", said->len ? buf_str(said) : "");
	if (!said->len)
		err_fail(err, ERR_SYSTEM, "pasta ended with status %d", status);
	if (strstr(err->msg, "/dev/net/tun") || strstr(err->msg, "tun socket"))
		err_hint(err, -EIO,
			 "this user has to be able to open /dev/net/tun (as root: chmod 666 "
			 "/dev/net/tun); without a network: --network none");
	return -EIO;
}

int pasta_start(const struct pasta *p, struct err *err)
{
	cleanup_buf struct buf said = BUF_INIT;
	bool families[2];

	cleanup_fd int there = pasta_find(p->pid_file);
	if (there >= 0)
		return 0;
	int r = find_families(families, err);
	if (r < 0)
		return r;
	if (!families[0] && !families[1])
		return err_errno(err, ENETUNREACH,
				 "connecting to the outside: this machine has no default route");
	cleanup_strv char **argv = make_argv(p, families);
	r = net_program_run(&program, argv, NULL, &said, err);
	return r > 0 ? fail(&said, r, err) : r;
}

char *pasta_version(void)
{
	char *const argv[] = { (char[]){ "pasta" }, (char[]){ "--version" }, NULL };
	cleanup_buf struct buf said = BUF_INIT;

	if (net_program_run(&program, argv, NULL, &said, NULL) != 0 || !said.len)
		return NULL;
	return xasprintf("%.*s", (int)strcspn(buf_str(&said), "\n"), buf_str(&said));
}
