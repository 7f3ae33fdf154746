/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/transport.h"

#include "cli/output.h"
#include "image/layout.h"
#include "runtime/cancel.h"

static int open_output(const struct transport_name *to, struct copy_options *options,
		       struct output *out, struct err *err)
{
	int r = 0;

	if (transport_is_archive(to->kind)) {
		r = output_epoch(&options->mtime, err);
		return r < 0 ? r : output_open(to->path, "copy", out, err);
	}
	if (to->kind != TRANSPORT_DIR)
		return 0;
	/* A file vanishes with a process that is killed; a directory has to be removed. */
	options->cancel_fd = cancel_begin(err);
	if (options->cancel_fd < 0)
		return options->cancel_fd;
	return output_open_dir(to->path, layout_is_dir, out, err);
}

int cli_copy(struct engine *eng, const struct transport_name *from, const struct transport_name *to,
	     struct copy_options *options, enum progress_mode mode, struct copy_result *ret,
	     struct err *err)
{
	cleanup_output struct output out = OUTPUT_INIT;
	struct progress *pulling = NULL, *copying = NULL;

	int r = open_output(to, options, &out, err);
	if (r < 0)
		return r;
	options->out_fd = out.fd;
	int shown = output_is_stdout(&out) ? STDERR_FILENO : STDOUT_FILENO;
	if (copy_is_pull(from, to, options)) {
		pulling = progress_new(mode, shown);
		options->pull = progress_events(pulling);
	} else {
		copying = progress_new_copy(mode, shown, from, to);
		options->event = progress_push_event;
		options->ctx = copying;
	}
	r = engine_copy(eng, from, to, options, ret, err);
	if (r == 0)
		r = output_finish(&out, err);
	if (r == 0 && copying)
		progress_copied(copying, ret);
	progress_free(pulling);
	progress_free(copying);
	return r;
}

int cli_write_digest(const char *file, const char *digest, struct err *err)
{
	return file ? output_text(file, digest, err) : 0;
}
