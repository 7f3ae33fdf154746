/* SPDX-License-Identifier: Apache-2.0 */
/* systemd.unit(5), systemd.slice(5): names, and where a unit's cgroup is. */
#include "base/str.h"
#include "base/strv.h"
#include "runtime/systemd.h"

#define UNIT_NAME_MAX 255
#define SLICE_SUFFIX  ".slice"
#define UNIT_CHARS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"

static bool name_valid(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= UNIT_NAME_MAX && strspn(s, UNIT_CHARS) == len && s[0] != '.';
}

static int invalid(const char *what, const char *value, struct err *err)
{
	cleanup_free char *shown = str_escape(value);

	return err_fail(err, ERR_INVALID, "linux.cgroupsPath: invalid %s \"%s\"", what, shown);
}

/* "a-b.slice" is in a.slice: "/a.slice/a-b.slice". "-.slice" is the root. */
static int expand_slice(const char *slice, struct buf *path, struct err *err)
{
	size_t len = strlen(slice);

	if (!name_valid(slice) || !str_ends(slice, SLICE_SUFFIX) || str_eq(slice, SLICE_SUFFIX))
		return invalid("slice", slice, err);
	len -= strlen(SLICE_SUFFIX);
	if (len == 1 && slice[0] == '-')
		return 0;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && slice[i] != '-')
			continue;
		if (i == 0 || slice[i - 1] == '-')
			return invalid("slice", slice, err);
		buf_addc(path, '/');
		buf_add(path, slice, i);
		buf_adds(path, SLICE_SUFFIX);
	}
	return 0;
}

/* What a container id may have and a unit's name may not, as systemd-escape(1) does. */
static char *escaped(const char *id)
{
	cleanup_buf struct buf b = BUF_INIT;

	for (; *id; id++)
		if (strchr(UNIT_CHARS, *id) && *id != '\\')
			buf_addc(&b, *id);
		else
			buf_addf(&b, "\\x%02x", (unsigned char)*id);
	return buf_take(&b);
}

static int split(const char *cgroups_path, const char *id, bool user, struct unit_name *n,
		 struct err *err)
{
	const char *usual = user ? "user.slice" : "system.slice";

	if (!cgroups_path || !*cgroups_path) {
		cleanup_free char *name = escaped(id);
		n->slice = xstrdup(usual);
		n->unit = xasprintf("inro-%s.scope", name);
		return 0;
	}
	cleanup_strv char **parts = strv_split(cgroups_path, ':');
	if (strv_len(parts) != 3) {
		cleanup_free char *shown = str_escape(cgroups_path);
		int r = err_fail(err, ERR_INVALID,
				 "linux.cgroupsPath: expected \"slice:prefix:name\" for systemd "
				 "cgroups, got \"%s\"",
				 shown);
		return err_hint(err, r, "\":inro:NAME\" is inro-NAME.scope in the usual slice");
	}
	if (str_ends(parts[2], SLICE_SUFFIX))
		return err_fail(err, ERR_UNSUPPORTED,
				"linux.cgroupsPath: a container is put into a scope, not into the "
				"slice \"%s\"",
				parts[2]);
	if (!*parts[2])
		return invalid("name", parts[2], err);
	n->slice = xstrdup(!*parts[0]              ? usual
			   : str_eq(parts[0], "-") ? "-" SLICE_SUFFIX
						   : parts[0]);
	n->unit = xasprintf("%s-%s.scope", parts[1], parts[2]);
	return 0;
}

int unit_name_parse(const char *cgroups_path, const char *id, bool user, struct unit_name *ret,
		    struct err *err)
{
	struct unit_name n = { 0 };
	cleanup_buf struct buf path = BUF_INIT;
	int r = split(cgroups_path, id, user, &n, err);

	if (r >= 0 && n.slice)
		r = expand_slice(n.slice, &path, err);
	if (r >= 0 && n.unit && !name_valid(n.unit))
		r = invalid("name of a unit", n.unit, err);
	if (r < 0) {
		unit_name_done(&n);
		return r;
	}
	buf_addf(&path, "/%s", n.unit);
	n.path = buf_take(&path);
	*ret = n;
	return 0;
}

void unit_name_done(struct unit_name *n)
{
	free(n->unit);
	free(n->slice);
	free(n->path);
	*n = (struct unit_name){ 0 };
}
