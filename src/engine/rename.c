/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rename.h"

#include "base/fd.h"
#include "base/str.h"
#include "engine/life.h"
#include "engine/names.h"
#include "engine/network_names.h"
#include "engine/update.h"

int engine_rename(struct engine *eng, const char *word, const char *name, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_fd int dir = -EBADF;
	int r;

	if (name[0] == '/')
		name++;
	if (!word[0] || !name[0])
		return err_fail(err, ERR_USAGE, "neither old nor new names may be empty");
	r = name_check(name, err);
	if (r == 0)
		r = dir = update_begin(eng, word, &rec, err);
	if (r < 0)
		return r;
	if (str_eq(rec.name, name))
		return err_fail(err, ERR_INVALID,
				"renaming a container with the same name as its current name: %s",
				name);
	r = record_rename(eng, &rec, name, err);
	if (r < 0 && err->kind == ERR_EXISTS && life_name_is_free(eng, name))
		r = record_rename(eng, &rec, name, err);
	if (r == 0)
		net_names_renamed(eng, rec.id);
	return r;
}
