/* SPDX-License-Identifier: Apache-2.0 */
/* artifact add, pull, push, rm. */
#include "engine/artifact.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/transfer.h"
#include "cli/transport.h"
#include "engine/registries.h"

static int print_digest(const char *digest, struct err *err)
{
	const char *hex = str_after(digest, "sha256:");
	cleanup_buf struct buf out = BUF_INIT;

	buf_addf(&out, "%s\n", hex ? hex : digest);
	return cli_print(&out, err);
}

/* ---- add ---- */

struct add_cmd {
	bool append, replace;
	char *type, *file_type;
	char **annotations;
};

static const struct opt add_opts[] = {
	{ .name = "annotation",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct add_cmd, annotations),
	  .arg = "KEY=VALUE",
	  .help = "annotation of the files" },
	{ .name = "append",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct add_cmd, append),
	  .help = "add the files to the artifact of that name" },
	{ .name = "file-type",
	  .kind = OPT_STR,
	  OPT_FIELD(struct add_cmd, file_type),
	  .arg = "TYPE",
	  .help = "media type of the files (default application/octet-stream)" },
	{ .name = "replace",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct add_cmd, replace),
	  .help = "take the place of an artifact that has the name" },
	{ .name = "artifact-type",
	  .kind = OPT_STR,
	  OPT_FIELD(struct add_cmd, type),
	  .arg = "TYPE",
	  .help = "the same as --type" },
	{ .name = "type",
	  .kind = OPT_STR,
	  OPT_FIELD(struct add_cmd, type),
	  .arg = "TYPE",
	  .help = "type of the artifact (default application/vnd.unknown.artifact.v1)" },
};

static int annotations_read(const struct add_cmd *o, struct json_map *ret, struct err *err)
{
	for (size_t i = 0; o->annotations && o->annotations[i]; i++) {
		const char *eq = strchr(o->annotations[i], '=');
		if (!eq || eq == o->annotations[i])
			return err_fail(err, ERR_USAGE, "--annotation: expected KEY=VALUE");
		cleanup_free char *key =
		    xstrndup(o->annotations[i], (size_t)(eq - o->annotations[i]));
		json_map_set(ret, key, eq + 1);
	}
	return 0;
}

static int files_open(char **paths, struct artifact_file *files, struct err *err)
{
	for (size_t i = 0; paths[i]; i++) {
		const char *slash = strrchr(paths[i], '/');

		files[i].title = slash ? slash + 1 : paths[i];
		files[i].fd = open(paths[i], O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (files[i].fd < 0)
			return err_errno(err, errno, "opening %s", paths[i]);
	}
	return 0;
}

static int run_add(const void *globals, void *options, char **args, struct err *err)
{
	const struct add_cmd *o = options;
	struct artifact_add_options add = { .type = o->type,
					    .file_type = o->file_type,
					    .append = o->append,
					    .replace = o->replace };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *digest = NULL;
	size_t n = strv_len(args + 1);
	cleanup_free struct artifact_file *files = xcalloc(n + 1, sizeof(*files));

	for (size_t i = 0; i < n; i++)
		files[i].fd = -EBADF;
	if (o->append && (o->replace || o->type))
		return err_fail(err, ERR_USAGE, "--append goes without --%s",
				o->replace ? "replace" : "type");
	int r = annotations_read(o, &add.annotations, err);
	if (r == 0)
		r = files_open(args + 1, files, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = artifact_add(&eng, args[0], files, n, &add, &digest, err);
	for (size_t i = 0; i < n; i++)
		fd_close(files[i].fd);
	json_map_done(&add.annotations);
	return r < 0 ? r : print_digest(digest, err);
}

const struct cmd cmd_artifact_add = {
	.name = "add",
	.args = "[OPTIONS] NAME FILE [FILE...]",
	.summary = "Make an artifact of files",
	.opts = add_opts,
	.n_opts = ARRAY_SIZE(add_opts),
	.opts_size = sizeof(struct add_cmd),
	.min_args = 2,
	.max_args = -1,
	.run = run_add,
};

/* ---- pull ---- */

struct transfer_cmd {
	char *digestfile;
	struct cli_progress progress;
	struct cli_retry retry;
	struct cli_access access;
};

#define T struct transfer_cmd
#define TRANSFER_OPTS                                                                              \
	CLI_PROGRESS_OPTS(T, progress, "show no progress"), CLI_RETRY_OPTS(T, retry, "retry"),     \
	    CLI_ACCESS_OPTS(T, access)

static const struct opt pull_opts[] = { TRANSFER_OPTS, CLI_REFUSE_DECRYPTION };
static const struct opt push_opts[] = {
	CLI_DIGESTFILE_OPT(T, digestfile, "pushed"),
	TRANSFER_OPTS,
	CLI_REFUSE_SIGNING,
};

/* What the artifact is to be called here. */
static int local_name(const char *word, char **ret, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	int r = reference_parse(word, &ref, err);

	if (r == 0 && ref.digest)
		r = err_fail(err, ERR_INVALID, "the name of an artifact has no digest");
	if (r == 0)
		*ret = reference_format(&ref);
	return r;
}

/* The names that a registry's artifact may have: with a transport a name is whole. */
static int names_of(struct engine *eng, const struct transport_name *from, char ***ret,
		    struct err *err)
{
	char *full = NULL;

	if (from->kind == TRANSPORT_STORE)
		return registries_candidates(eng, from->name, ret, err);
	int r = reference_normalize(from->name, &full, err);
	if (r == 0)
		strv_take(ret, full);
	return r;
}

/* As for images: of several that a short name may mean the first that has it, and only one that
 * says that it has none is passed over. */
static int pull_registry(struct engine *eng, const struct transfer_cmd *o,
			 const struct transport_name *word, const char *name,
			 struct copy_result *ret, struct err *err)
{
	struct copy_options copy = { .artifact = true,
				     .out_fd = -EBADF,
				     .from = cli_access(&o->access) };
	cleanup_strv char **names = NULL;
	struct err one = ERR_INIT;

	int r = names_of(eng, word, &names, err);
	if (r < 0)
		return r;
	for (size_t i = 0; names[i]; i++) {
		const struct transport_name from = { .kind = TRANSPORT_DOCKER, .name = names[i] };
		const struct transport_name to = { .kind = TRANSPORT_STORE,
						   .name =
						       name ? (char *)(uintptr_t)name : names[i] };

		one = (struct err)ERR_INIT;
		ret->found = false;
		r = cli_copy(eng, &from, &to, &copy, cli_progress(&o->progress), ret, &one);
		if (r == 0 || !names[i + 1] || ret->found || one.kind != ERR_NOT_FOUND)
			break;
	}
	if (r < 0 && err)
		*err = one;
	return r;
}

static int pull_file(struct engine *eng, const struct transfer_cmd *o,
		     const struct transport_name *from, char *name, struct copy_result *ret,
		     struct err *err)
{
	struct transport_name to = { .kind = TRANSPORT_STORE, .name = name };
	struct copy_options copy = { .artifact = true, .out_fd = -EBADF };

	if (!name)
		return err_hint(
		    err, err_fail(err, ERR_USAGE, "%s says no name for the artifact", from->path),
		    "inro artifact pull SOURCE NAME");
	return cli_copy(eng, from, &to, &copy, cli_progress(&o->progress), ret, err);
}

static int run_pull(const void *globals, void *options, char **args, struct err *err)
{
	const struct transfer_cmd *o = options;
	cleanup_transport struct transport_name from = { 0 };
	cleanup_copy_result struct copy_result result = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *name = NULL;

	int r = transport_parse(args[0], &from, err);
	if (r == 0 && args[1])
		r = local_name(args[1], &name, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	if (r == 0)
		r = from.path ? pull_file(&eng, o, &from, name, &result, err)
			      : pull_registry(&eng, o, &from, name, &result, err);
	return r < 0 || cli_progress(&o->progress) == PROGRESS_JSON
		   ? r
		   : print_digest(result.digest, err);
}

const struct cmd cmd_artifact_pull = {
	.name = "pull",
	.args = "[OPTIONS] SOURCE [NAME]",
	.summary = "Get an artifact from a registry",
	.details = "SOURCE is the name of an artifact at a registry, or with a transport in an "
		   "archive or directory: oci:DIR[:REF], oci-archive:FILE[:REF], dir:DIR.",
	.opts = pull_opts,
	.n_opts = ARRAY_SIZE(pull_opts),
	.opts_size = sizeof(struct transfer_cmd),
	.min_args = 1,
	.max_args = 2,
	.run = run_pull,
};

/* ---- push ---- */

static int push_registry(struct engine *eng, const struct transfer_cmd *o, const char *word,
			 const char *destination, struct err *err)
{
	struct push_options push_options = { .access = cli_access(&o->access),
					     .event = progress_push_event };
	cleanup_push_result struct push_result result = { 0 };
	cleanup_reference struct reference ref = { 0 };

	int r = reference_parse(destination, &ref, err);
	if (r < 0)
		return r;
	struct progress *progress =
	    progress_new_push(cli_progress(&o->progress), STDOUT_FILENO, &ref);
	push_options.ctx = progress;
	r = push(eng, word, &ref, &push_options, &result, err);
	if (r == 0)
		progress_pushed(progress, &result);
	progress_free(progress);
	return r < 0 ? r : cli_write_digest(o->digestfile, result.digest, err);
}

static int push_file(struct engine *eng, const struct transfer_cmd *o, const char *word,
		     const struct transport_name *to, struct err *err)
{
	struct transport_name from = { .kind = TRANSPORT_STORE, .name = (char *)(uintptr_t)word };
	struct copy_options copy = { .out_fd = -EBADF };
	cleanup_copy_result struct copy_result result = { 0 };

	int r = cli_copy(eng, &from, to, &copy, cli_progress(&o->progress), &result, err);
	return r < 0 ? r : cli_write_digest(o->digestfile, result.digest, err);
}

/* Without a destination its name says where; what else leads to it doesn't. */
static int check_name(const struct artifact *artifact, const char *word, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	int r = reference_parse(word, &ref, err);
	cleanup_free char *full = r == 0 ? reference_format(&ref) : NULL;

	if (r == 0 && !ref.digest && !strv_has(artifact->row.names, full))
		r = err_fail(err, ERR_USAGE, "%s is no name of the artifact", word);
	return r < 0
		   ? err_hint(err, r,
			      "name the destination: inro artifact push %s REGISTRY/NAME:TAG", word)
		   : 0;
}

static int run_push(const void *globals, void *options, char **args, struct err *err)
{
	const struct transfer_cmd *o = options;
	cleanup_artifact struct artifact artifact = { 0 };
	cleanup_transport struct transport_name to = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;

	int r = transport_parse(args[1] ? args[1] : args[0], &to, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	if (r == 0)
		r = artifact_read(&eng, args[0], &artifact, err);
	if (r == 0 && !args[1])
		r = check_name(&artifact, args[0], err);
	if (r < 0)
		return r;
	return to.path ? push_file(&eng, o, args[0], &to, err)
		       : push_registry(&eng, o, args[0], to.name, err);
}

const struct cmd cmd_artifact_push = {
	.name = "push",
	.args = "[OPTIONS] NAME [DESTINATION]",
	.summary = "Push an artifact to a registry",
	.details =
	    "Without a DESTINATION it goes to where its name says. It may also be an archive "
	    "or a directory: oci:DIR[:REF], oci-archive:FILE[:REF], dir:DIR.",
	.opts = push_opts,
	.n_opts = ARRAY_SIZE(push_opts),
	.opts_size = sizeof(struct transfer_cmd),
	.min_args = 1,
	.max_args = 2,
	.run = run_push,
};

/* ---- rm ---- */

static int remove_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_free char *digest = NULL;
	int r = artifact_remove(eng, word, &digest, err);

	if (r < 0)
		return force && err->kind == ERR_NOT_FOUND ? 0 : r;
	return print_digest(digest, err);
}

static int list_all(struct engine *eng, char ***ret, struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r = artifact_list(eng, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.n; i++)
		strv_add(ret, rows.items[i].id);
	return r;
}

static int run_rm(const void *globals, void *options, char **args, struct err *err)
{
	return cli_rm(globals, options, args, list_all, remove_one, err);
}

const struct cmd cmd_artifact_rm = {
	.name = "rm",
	.args = "[OPTIONS] [NAME...]",
	.summary = "Remove artifacts",
	.opts = cli_rm_opts,
	.n_opts = ARRAY_SIZE(cli_rm_opts),
	.opts_size = sizeof(struct cli_rm),
	.max_args = -1,
	.run = run_rm,
};
