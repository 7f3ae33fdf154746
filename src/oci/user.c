/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "oci/user.h"

#define FIELDS_MAX 7

/* A line of passwd or group, cut at its colons. */
struct line {
	struct {
		const char *s;
		size_t len;
	} field[FIELDS_MAX];
	size_t n;
};

/* Cuts the next line off *text. Lines that are empty, comments, NIS marks or hold a NUL byte come
 * back with n == 0. False at the end. */
static bool next_line(const char **text, size_t *len, struct line *line)
{
	const char *s = *text, *end, *colon;
	size_t n;

	if (*len == 0)
		return false;
	end = memchr(s, '\n', *len);
	n = end ? (size_t)(end - s) : *len;
	*text += n + (end ? 1 : 0);
	*len -= n + (end ? 1 : 0);
	line->n = 0;
	if (n == 0 || strchr("#+-", s[0]) || memchr(s, '\0', n))
		return true;
	for (end = s + n;; s = colon + 1) {
		colon = line->n < FIELDS_MAX - 1 ? memchr(s, ':', (size_t)(end - s)) : NULL;
		line->field[line->n].s = s;
		line->field[line->n].len = (size_t)((colon ? colon : end) - s);
		line->n++;
		if (!colon)
			return true;
	}
}

static char *field_dup(const struct line *line, size_t i)
{
	return xstrndup(line->field[i].s, line->field[i].len);
}

static bool field_eq(const struct line *line, size_t i, const char *s)
{
	return line->field[i].len == strlen(s) &&
	       memcmp(line->field[i].s, s, line->field[i].len) == 0;
}

int user_parse_id(const char *text, uint32_t *ret)
{
	uint32_t id;

	if (str_parse_u32(text, &id) < 0 || id == UINT32_MAX)
		return -EINVAL;
	*ret = id;
	return 0;
}

static bool field_id(const struct line *line, size_t i, uint32_t *ret)
{
	char text[11];

	if (line->field[i].len == 0 || line->field[i].len >= sizeof(text))
		return false;
	memcpy(text, line->field[i].s, line->field[i].len);
	text[line->field[i].len] = '\0';
	return user_parse_id(text, ret) == 0;
}

static char *field_absolute(const struct line *line, size_t i)
{
	if (i >= line->n || line->field[i].len == 0 || line->field[i].s[0] != '/')
		return NULL;
	return field_dup(line, i);
}

/* One half of "user:group": a number or a name. */
struct who {
	const char *name; /* NULL: id is the answer */
	uint32_t id;
};

static bool name_valid(const char *s)
{
	const unsigned char *p;

	if (!*s || strlen(s) > USER_NAME_MAX || strchr("+-#", *s))
		return false;
	for (p = (const unsigned char *)s; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == ':' || *p == '/' || *p == ',')
			return false;
	return true;
}

static int parse_who(const char *text, const char *what, struct who *ret, struct err *err)
{
	cleanup_free char *shown = NULL;

	*ret = (struct who){ NULL, 0 };
	if (user_parse_id(text, &ret->id) == 0)
		return 0;
	/* Digits alone that are no strict number are a mistake or an attack, never a name. */
	if (name_valid(text) && strspn(text, "0123456789") != strlen(text)) {
		ret->name = text;
		return 0;
	}
	shown = str_escape(text);
	return err_fail(err, ERR_INVALID,
			"invalid %s \"%.80s\": expected a name or a number from 0 to 4294967294",
			what, shown);
}

static bool find_user(const struct user_files *files, const struct who *who,
		      struct user_result *user)
{
	const char *text = files->passwd;
	size_t len = text ? files->passwd_len : 0;
	struct line line;
	uint32_t uid, gid;

	while (next_line(&text, &len, &line)) {
		if (line.n < 4 || line.field[0].len == 0 || !field_id(&line, 2, &uid) ||
		    !field_id(&line, 3, &gid))
			continue;
		if (who->name ? !field_eq(&line, 0, who->name) : uid != who->id)
			continue;
		user->uid = uid;
		user->gid = gid;
		user->name = field_dup(&line, 0);
		user->gecos = line.n > 4 ? field_dup(&line, 4) : xstrdup("");
		user->home = field_absolute(&line, 5);
		user->shell = field_absolute(&line, 6);
		return true;
	}
	return false;
}

static bool find_group(const struct user_files *files, const char *name, uint32_t *ret)
{
	const char *text = files->group;
	size_t len = text ? files->group_len : 0;
	struct line line;
	uint32_t gid;

	while (next_line(&text, &len, &line)) {
		if (line.n < 3 || !field_id(&line, 2, &gid) || !field_eq(&line, 0, name))
			continue;
		*ret = gid;
		return true;
	}
	return false;
}

char *user_group_name(const struct user_files *files, uint32_t gid)
{
	const char *text = files->group;
	size_t len = text ? files->group_len : 0;
	struct line line;
	uint32_t id;

	while (next_line(&text, &len, &line))
		if (line.n >= 3 && line.field[0].len && field_id(&line, 2, &id) && id == gid)
			return field_dup(&line, 0);
	return NULL;
}

static bool members_have(const struct line *line, const char *name)
{
	const char *s = line->field[3].s, *end = s + line->field[3].len, *comma;
	size_t len = strlen(name);

	for (;; s = comma + 1) {
		comma = memchr(s, ',', (size_t)(end - s));
		if ((size_t)((comma ? comma : end) - s) == len && memcmp(s, name, len) == 0)
			return true;
		if (!comma)
			return false;
	}
}

/* Keeps the list ascending and without duplicates. False when it is full. */
static bool add_group(struct json_u32s *list, uint32_t gid)
{
	size_t i;

	for (i = list->n; i > 0 && list->items[i - 1] >= gid; i--)
		if (list->items[i - 1] == gid)
			return true;
	if (list->n == USER_GROUPS_MAX)
		return false;
	if (!list->items)
		list->items = xcalloc(USER_GROUPS_MAX, sizeof(*list->items));
	memmove(&list->items[i + 1], &list->items[i], (list->n - i) * sizeof(*list->items));
	list->items[i] = gid;
	list->n++;
	return true;
}

static int find_supplementary(const struct user_files *files, struct user_result *user,
			      struct err *err)
{
	const char *text = files->group;
	size_t len = text ? files->group_len : 0;
	struct line line;
	uint32_t gid;

	while (next_line(&text, &len, &line)) {
		if (line.n < 4 || !field_id(&line, 2, &gid) || gid == user->gid ||
		    !members_have(&line, user->name))
			continue;
		if (!add_group(&user->groups, gid))
			return err_fail(err, ERR_LIMIT, "user is in more than %d groups",
					USER_GROUPS_MAX);
	}
	return 0;
}

static int check_files(const struct user_files *files, struct err *err)
{
	if (files->passwd && files->passwd_len > USER_FILE_MAX)
		return err_fail(err, ERR_LIMIT, "/etc/passwd is larger than %u bytes",
				USER_FILE_MAX);
	if (files->group && files->group_len > USER_FILE_MAX)
		return err_fail(err, ERR_LIMIT, "/etc/group is larger than %u bytes",
				USER_FILE_MAX);
	return 0;
}

int user_resolve_group(const char *spec, const struct user_files *files, uint32_t *ret_gid,
		       struct err *err)
{
	struct who who;
	int r;

	r = check_files(files, err);
	if (r < 0)
		return r;
	r = parse_who(spec, "group", &who, err);
	if (r < 0)
		return r;
	if (who.name && !find_group(files, who.name, &who.id))
		return err_fail(err, ERR_NOT_FOUND, "no such group in /etc/group: %s", who.name);
	*ret_gid = who.id;
	return 0;
}

static int resolve_user(const char *spec, const struct user_files *files, struct user_result *user,
			struct err *err)
{
	struct who who;
	int r;

	r = parse_who(spec, "user", &who, err);
	if (r < 0)
		return r;
	if (!find_user(files, &who, user)) {
		if (who.name)
			return err_fail(err, ERR_NOT_FOUND, "no such user in /etc/passwd: %s",
					who.name);
		user->uid = who.id;
	}
	return 0;
}

int user_resolve(const char *spec, const struct user_files *files, struct user_result *ret,
		 struct err *err)
{
	cleanup_user struct user_result user = { 0 };
	cleanup_free char *name = xstrdup(*spec ? spec : "0");
	char *colon = strchr(name, ':');
	int r;

	if (colon)
		*colon = '\0';
	r = check_files(files, err);
	if (r < 0)
		return r;
	r = resolve_user(name, files, &user, err);
	if (r < 0)
		return r;
	if (colon)
		r = user_resolve_group(colon + 1, files, &user.gid, err);
	else if (user.name)
		r = find_supplementary(files, &user, err);
	if (r < 0)
		return r;
	*ret = user;
	user = (struct user_result){ 0 };
	return 0;
}

void user_result_done(struct user_result *user)
{
	free(user->groups.items);
	free(user->name);
	free(user->gecos);
	free(user->home);
	free(user->shell);
	*user = (struct user_result){ 0 };
}
