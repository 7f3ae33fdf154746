/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/user_entry.h"

#include "base/str.h"

struct variable {
	const char *name, *value;
};

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

int user_entry_check(const char *option, const char *custom, struct err *err)
{
	if (!custom || (*custom && !has_control(custom)))
		return 0;
	return err_fail(err, ERR_USAGE, "%s: expected one line", option);
}

/* Values are not looked at again. */
static void add_line(struct buf *to, const char *text, const struct variable *vars)
{
	if (to->len && to->data[to->len - 1] != '\n')
		buf_addc(to, '\n');
	while (*text) {
		const struct variable *v = vars;

		while (v->name && !str_starts(text, v->name))
			v++;
		if (v->name)
			buf_adds(to, v->value);
		else
			buf_addc(to, *text);
		text += v->name ? strlen(v->name) : 1;
	}
	buf_addc(to, '\n');
}

void user_entry_add(struct buf *passwd, const char *custom, const struct user_entry *e)
{
	cleanup_free char *uid = xasprintf("%u", e->uid), *gid = xasprintf("%u", e->gid);
	const char *home = strchr(e->home, ':') || has_control(e->home) ? "/" : e->home;
	const struct variable vars[] = {
		{ "$USERNAME", e->name }, { "$UID", uid },   { "$GID", gid },
		{ "$NAME", e->gecos },    { "$HOME", home }, { 0 },
	};

	add_line(passwd, custom ? custom : "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh", vars);
}

void group_entry_add(struct buf *group, const char *custom, const struct group_entry *e)
{
	cleanup_free char *gid = xasprintf("%u", e->gid);
	const struct variable vars[] = {
		{ "$GROUPNAME", e->name }, { "$GID", gid }, { "$USERLIST", e->members }, { 0 }
	};

	add_line(group, custom ? custom : "$GROUPNAME:x:$GID:$USERLIST", vars);
}
