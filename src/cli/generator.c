/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-generator: a generator of systemd's (systemd.generator(7)), which turns .container files and
 * their like into services. Called with three directories early in the boot, and at each
 * `systemctl daemon-reload`; it runs no containers and needs no database.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/generator.h"
#include "cli/run_options.h"
#include "net/netspec.h"

struct generator_options {
	bool dryrun, user, version, no_kmsg, verbose;
};

static const struct opt opts[] = {
	{ .name = "dryrun",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct generator_options, dryrun),
	  .help = "print the services instead of writing them" },
	{ .name = "no-kmsg-log",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct generator_options, no_kmsg),
	  .help = "messages go to standard error and not to the kernel's log" },
	{ .name = "user",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct generator_options, user),
	  .help = "services of this user's systemd" },
	{ .name = "v",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct generator_options, verbose),
	  .help = "for the sake of podman's users" },
	{ .name = "version",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct generator_options, version),
	  .help = "print the version" },
};

/* --- messages --- */

/* priority: syslog(3)'s. */
static void say_text(const struct generator_options *o, const char *msg, const char *hint)
{
	cleanup_fd int kmsg = -EBADF;
	cleanup_free char *line = NULL;

	if (!o->dryrun && !o->no_kmsg)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (kmsg >= 0) {
		line = xasprintf("<%d>inro-generator[%d]: %s\n", LOG_ERR, getpid(), msg);
		if (io_write(kmsg, line, strlen(line)) == 0)
			return;
	}
	fprintf(stderr, "inro-generator: %s\n", msg);
	if (hint[0])
		fprintf(stderr, "%s\n", hint);
}

static void say(void *ctx, const struct err *err)
{
	say_text(ctx, err->msg, err->hint);
}

/* --- what `inro run` can do --- */

static bool allows(const char *const *words, const char *value)
{
	for (size_t i = 0; words[i]; i++) {
		size_t n = strlen(words[i]);

		if (n && words[i][n - 1] == ':' ? str_starts(value, words[i])
						: str_eq(value, words[i]))
			return true;
	}
	return false;
}

/* Of options whose values are told apart by other code than the table's. */
static int check_value(const struct opt *opt, const char *value, struct err *err)
{
	struct netspec net = { 0 };
	int r;

	if (strchr(value, '%')) /* only systemd knows */
		return 0;
	if (opt->choices && !allows(opt->choices, value))
		return err_fail(err, ERR_INVALID, "inro run has no --%s %s", opt->name, value);
	if (!str_eq(opt->name, "network"))
		return 0;
	r = netspec_parse(value, &net, err);
	netspec_done(&net);
	return r;
}

static int check_run(const char *option, const char *value, struct err *err)
{
	const char *name = str_after(option, "--");
	const struct opt *opt =
	    name ? opt_find(run_opts.rows, run_opts.n, name, strlen(name)) : NULL;

	if (!opt)
		return err_fail(err, ERR_UNSUPPORTED, "inro run has no %s", option);
	if (opt->kind == OPT_REFUSED)
		return err_fail(err, ERR_UNSUPPORTED, "%s: %s", option, opt->help);
	return value ? check_value(opt, value, err) : 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* --- where files are --- */

/* Does podman's generator make services of podman's directories? One that is masked does not. */
static bool is_podman_here(bool user)
{
	static const char *const places[] = { "/run/systemd", "/etc/systemd",
					      "/usr/local/lib/systemd", "/usr/lib/systemd",
					      "/lib/systemd" };
	const char *who = user ? "user" : "system";

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_free char *path =
		    xasprintf("%s/%s-generators/podman-%s-generator", places[i], who, who);
		struct stat st;

		if (stat(path, &st) == 0)
			return S_ISREG(st.st_mode) && st.st_size > 0;
	}
	return false;
}

static void find_dirs(const struct generator_options *o, char ***dirs)
{
	const char *given = getenv("QUADLET_UNIT_DIRS");
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	cleanup_free char *below_home = home ? path_join(home, ".config") : NULL;
	const struct units_who who = {
		.user = o->user,
		.foreign = is_podman_here(o->user),
		.runtime_dir = getenv("XDG_RUNTIME_DIR"),
		.config_home = config && *config ? config : below_home,
		.uid = getuid(),
	};

	if (given && *given)
		*dirs = strv_split(given, ':');
	else
		units_dirs(&who, dirs);
}

/* --- services --- */

struct output {
	const struct generator_options *opts;
	int dir;
	char **services; /* made so far */
};

static int make_link(int dir, const char *where, const char *target, struct err *err)
{
	const char *slash = strchr(where, '/');
	cleanup_free char *parent = slash ? xstrndup(where, (size_t)(slash - where)) : NULL;
	struct stat st;

	if (parent && mkdirat(dir, parent, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making the directory %s", parent);
	/* Another name must not take away what has that name. */
	if (fstatat(dir, where, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		return err_fail(err, ERR_EXISTS, "Alias=%s of %s: there is a service of that name",
				where, target);
	unlinkat(dir, where, 0);
	if (symlinkat(target, dir, where) < 0)
		return err_errno(err, errno, "making the link %s", where);
	return 0;
}

static int write_unit(struct output *out, const struct units_unit *u, const char *service,
		      const struct unit_file *unit, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **links = NULL;
	int r;

	buf_addf(&text, "# Made by inro-generator of %s\n", u->path);
	unit_file_write(unit, &text);
	if (out->opts->dryrun) {
		printf("---%s---\n%s\n", service, buf_str(&text));
		return 0;
	}
	r = units_links(u, service, &links, err);
	if (r == 0)
		r = io_replace_file(out->dir, service, text.data, text.len, 0644, false, err);
	for (size_t i = 0; r == 0 && links && links[i]; i += 2)
		r = make_link(out->dir, links[i], links[i + 1], err);
	return r;
}

static int make(struct output *out, const struct units *set, const struct units_unit *u,
		struct err *err)
{
	cleanup_unit_file struct unit_file unit = { 0 };
	cleanup_free char *service = NULL;
	int r = units_convert(set, u, &unit, err);

	if (r == 0)
		r = units_service(u, &service, err);
	if (r < 0)
		return r;
	if (strv_has(out->services, service))
		return err_fail(err, ERR_EXISTS, "%s: there is a file already that makes %s",
				u->path, service);
	strv_add(&out->services, service);
	return write_unit(out, u, service, &unit, err);
}

static int generate(struct generator_options *o, char **args, struct err *err)
{
	const struct units_env env = {
		.user = o->user,
		.inro = INRO_BINDIR "/inro",
		.check = check_run,
		.exists = exists,
	};
	struct units set = { .env = &env };
	struct generator_log log = { .say = say, .ctx = o };
	struct output out = { .opts = o, .dir = -EBADF };
	cleanup_strv char **dirs = NULL;

	if (!o->dryrun && !args[0])
		return err_fail(err, ERR_USAGE,
				"expected the directory that the services are written to");
	if (!o->dryrun) {
		out.dir = open(args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (out.dir < 0)
			return err_errno(err, errno, "opening %s", args[0]);
	}
	find_dirs(o, &dirs);
	generator_load(&set, dirs, &log);
	for (size_t i = 0; i < set.n; i++) {
		struct err one = ERR_INIT;

		if (make(&out, &set, &set.items[i], &one) < 0) {
			say(o, &one);
			log.n++;
		}
	}
	units_done(&set);
	strv_free(out.services);
	fd_close(out.dir);
	return log.n ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct generator_options o = { 0 };
	struct err err = ERR_INIT;
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
	char **args = NULL;
	int r;

	if (argc < 1 || fd_ensure_stdio() < 0)
		return 1;
	/* systemd gives directories alone: the link's name tells whose services are wanted. */
	o.user = strstr(name ? name : argv[0], "user") != NULL;
	r = opt_parse(opts, ARRAY_SIZE(opts), &o, argv, CMD_ONE_DASH, &args, &err);
	if (r == 1) {
		puts("usage: inro-generator [--dryrun] [--no-kmsg-log] [--user] [--version] "
		     "DIRECTORY [DIRECTORY DIRECTORY]\n\n"
		     "Makes services of .container, .pod, .volume, .image and .artifact files. "
		     "systemd runs it; see inro-systemd.unit(5).");
		return 0;
	}
	if (r == 0 && o.version) {
		puts(INRO_VERSION);
		return 0;
	}
	if (r == 0)
		r = generate(&o, args, &err);
	if (r < 0) {
		say(&o, &err);
		return 1;
	}
	return fflush(stdout) == 0 ? r : 1;
}
