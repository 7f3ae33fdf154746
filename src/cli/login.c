/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/login.h"

#include <termios.h>

#include "base/io.h"
#include "base/str.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "engine/secrets.h"

#define SECRET_MAX (64u << 10)

struct login_options {
	char *username, *password, *secret, *docker_file;
	bool password_stdin, get_login, verbose;
	struct cli_access access;
};

static const struct opt opts[] = {
	{ .name = "username",
	  .short_name = 'u',
	  .kind = OPT_STR,
	  OPT_FIELD(struct login_options, username),
	  .arg = "NAME",
	  .help = "user name" },
	{ .name = "password",
	  .short_name = 'p',
	  .kind = OPT_STR,
	  OPT_FIELD(struct login_options, password),
	  .arg = "PASSWORD",
	  .help = "password, or - for one on standard input; other users may see it in the list of "
		  "processes" },
	{ .name = "password-stdin",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct login_options, password_stdin),
	  .help = "take the password from standard input" },
	{ .name = "secret",
	  .kind = OPT_STR,
	  OPT_FIELD(struct login_options, secret),
	  .arg = "NAME",
	  .help = "take the password from this secret, whose name is the user's if none is given" },
	{ .name = "compat-auth-file",
	  .kind = OPT_STR,
	  OPT_FIELD(struct login_options, docker_file),
	  .arg = "FILE",
	  .help = "keep the credentials in this file, in a form that docker reads, too" },
	{ .name = "get-login",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct login_options, get_login),
	  .help = "show the name of the user who is logged in" },
	{ .name = "verbose",
	  .short_name = 'v',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct login_options, verbose),
	  .help = "show where the credentials are kept" },
	CLI_ACCESS_FILE_OPTS(struct login_options, access),
};

static int say(const char *text, struct err *err)
{
	struct buf out = { .data = (char *)(uintptr_t)text, .len = strlen(text) };

	return cli_print(&out, err);
}

/* ---- asking ---- */

/* A line of the terminal, or of what there is; without its end. */
static int read_line(char **ret, struct err *err)
{
	char line[1024];
	size_t n = 0;

	for (;;) {
		ssize_t r = io_read(STDIN_FILENO, line + n, 1);

		if (r < 0)
			return err_errno(err, (int)-r, "reading standard input");
		if (r == 0 || line[n] == '\n')
			break;
		if (++n == sizeof(line))
			return err_fail(err, ERR_LIMIT, "the line is too long");
	}
	*ret = xstrndup(line, n);
	explicit_bzero(line, sizeof(line));
	return 0;
}

static int prompt(const char *text, bool echo, char **ret, struct err *err)
{
	struct termios old, quiet;
	int r;

	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "cannot perform an interactive login from a non TTY "
					 "device"),
				"give --username and --password-stdin");
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	/* before the prompt: what is typed at once would be shown, or thrown away */
	if (!echo)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fputs(text, stderr);
	r = read_line(ret, err);
	if (!echo) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	return r;
}

/* Without the end of its line. text is wiped. */
static char *password_of(struct buf *text)
{
	while (text->len > 0 && strchr("\r\n", text->data[text->len - 1]))
		text->data[--text->len] = '\0';
	char *password = xstrdup(buf_str(text));
	if (text->data)
		explicit_bzero(text->data, text->len);
	return password;
}

static int read_password(char **ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_all(STDIN_FILENO, &text, SECRET_MAX);

	if (r < 0)
		return err_errno(err, -r, "reading the password");
	*ret = password_of(&text);
	return 0;
}

static bool is_on_stdin(const struct login_options *o)
{
	return o->password_stdin || (!o->secret && str_eq(o->password, "-"));
}

/* What was not given is asked for. known: the user who is logged in, or NULL. */
static int ask(const struct login_options *o, const char *known, struct registry_auth *ret,
	       struct err *err)
{
	cleanup_free char *question =
	    known ? xasprintf("Username (%s): ", known) : xstrdup("Username: ");
	int r = 0;

	if (o->username)
		ret->username = xstrdup(o->username);
	else
		r = prompt(question, true, &ret->username, err);
	if (r == 0 && !*ret->username && known) {
		free(ret->username);
		ret->username = xstrdup(known);
	}
	if (r == 0 && is_on_stdin(o))
		r = read_password(&ret->password, err);
	else if (r == 0 && o->password)
		ret->password = xstrdup(o->password);
	else if (r == 0)
		r = prompt("Password: ", false, &ret->password, err);
	if (r == 0 && (!*ret->username || !*ret->password))
		r = err_fail(err, ERR_USAGE, "a user name and a password are required");
	return r;
}

/* ---- doing ---- */

static int check_options(const struct login_options *o, struct err *err)
{
	if (o->password && o->password_stdin)
		return err_fail(err, ERR_USAGE,
				"--password and --password-stdin are mutually exclusive");
	if (o->secret && (o->password || o->password_stdin))
		return err_fail(err, ERR_USAGE,
				"--secret can not be used with --password or --password-stdin");
	if (is_on_stdin(o) && !o->username)
		return err_fail(err, ERR_USAGE, "must provide --username with --password-stdin");
	if (o->docker_file && o->access.authfile)
		return err_fail(err, ERR_USAGE, "give --authfile or --compat-auth-file, not both");
	return 0;
}

/* The secret, as if its name and what it holds had been given. */
static int take_secret(struct engine *eng, struct login_options *o, struct err *err)
{
	cleanup_secret struct secret secret = { 0 };
	cleanup_buf struct buf data = BUF_INIT;
	int r = secret_find(eng, o->secret, &secret, err);

	if (r == 0)
		r = secret_data(eng, secret.id, &data, err);
	if (r == 0 && strlen(buf_str(&data)) != data.len)
		r = err_fail(err, ERR_INVALID, "secret %s is no password: it holds a NUL byte",
			     o->secret);
	if (r < 0)
		return r;
	o->password = password_of(&data);
	if (!o->username)
		o->username = xstrdup(o->secret);
	return 0;
}

/* Are the credentials that are kept good? 1, or 0: others are wanted. */
static int try_known(struct engine *eng, const char *name, const struct registry_access *access,
		     const struct registry_auth *known, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err why = ERR_INIT;
	int r;

	fprintf(stderr, "Authenticating with existing credentials for %s\n", name);
	r = login_check(eng, name, access, known, &why);
	if (r < 0 && why.kind != ERR_DENIED) {
		*err = why;
		return err_wrap(err, r, "logging in to %s", name);
	}
	if (r < 0) {
		fputs("Existing credentials are invalid, please enter valid username and "
		      "password\n",
		      stderr);
		return 0;
	}
	buf_addf(&out, "Existing credentials are valid. Already logged in to %s\n", name);
	r = cli_print(&out, err);
	return r < 0 ? r : 1;
}

static int do_login(struct engine *eng, const struct login_options *o, const char *name,
		    const struct registry_auth *known, struct err *err)
{
	struct registry_access access = cli_access(&o->access);
	struct registry_auth auth = { 0 };
	cleanup_free char *path = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r;

	if (!o->username && !o->password && (known->password || known->identity_token)) {
		r = try_known(eng, name, &access, known, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	if (o->docker_file)
		access.authfile = o->docker_file;
	r = ask(o, known->username, &auth, err);
	if (r == 0)
		r = login(eng, name, &access, &auth, o->docker_file, &path, err);
	registry_auth_done(&auth);
	if (r < 0)
		return r;
	if (o->verbose)
		buf_addf(&out, "Used: %s\n", path);
	buf_adds(&out, "Login Succeeded!\n");
	return cli_print(&out, err);
}

static int get_login(const char *name, const struct registry_auth *known, struct err *err)
{
	if (!known->username || !*known->username)
		return err_fail(err, ERR_NOT_FOUND, "not logged in to %s", name);
	str_mask_controls(known->username, "");
	int r = say(known->username, err);
	return r < 0 ? r : say("\n", err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct login_options *o = options;
	const char *file = o->docker_file ? o->docker_file : o->access.authfile;
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct registry_auth known = { 0 };
	cleanup_free char *name = NULL;
	int r;

	r = check_options(o, err);
	if (r == 0)
		r = login_name(args[0], &name, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0 && o->secret)
		r = take_secret(&eng, o, err);
	if (r == 0)
		r = auth_find(file, name, &known, NULL, err);
	if (r < 0)
		return r;
	r = o->get_login ? get_login(name, &known, err) : do_login(&eng, o, name, &known, err);
	registry_auth_done(&known);
	return r;
}

const struct cmd cmd_login = {
	.name = "login",
	.args = "[OPTIONS] [REGISTRY]",
	.summary = "Log in to a registry",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct login_options),
	.max_args = 1,
	.run = run,
};
