/* SPDX-License-Identifier: Apache-2.0 */
/* Where image_save() puts its members: into a tar, or as files into a directory. */
#pragma once

#include "image/store.h"

struct save_out {
	int fd;
	bool dir; /* fd is a directory, not an archive */
	int64_t mtime;
	struct buf pending; /* of the archive, not yet written */
};
int save_out_dir(struct save_out *out, const char *name, struct err *err);
int save_out_text(struct save_out *out, const char *name, const struct buf *text, struct err *err);
/* All of the file in_fd, which has size bytes. */
int save_out_file(struct save_out *out, const char *name, int in_fd, uint64_t size,
		  struct err *err);
int save_out_end(struct save_out *out, struct err *err);
