/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cdi_spec.h"

#include <string.h>

#include "base/csv.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

#define GPU_KIND "nvidia.com/gpu"
#define GPUS_MAX 1024

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

/* Of letters, digits and these, with a letter (or digit) in front and at the end none of these. */
static bool is_word(const char *word, size_t len, bool digit_first, const char *others)
{
	if (!len || !(digit_first ? is_alnum(word[0]) : is_letter(word[0])) ||
	    !is_alnum(word[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(word[i]) && (!word[i] || !strchr(others, word[i])))
			return false;
	return true;
}

static bool is_kind(const char *kind, size_t len)
{
	const char *slash = memchr(kind, '/', len);
	size_t vendor = slash ? (size_t)(slash - kind) : 0;

	return slash && is_word(kind, vendor, false, "_-.") &&
	       is_word(slash + 1, len - vendor - 1, false, "_-.");
}

static bool is_device_name(const char *name)
{
	return is_word(name, strlen(name), true, "_-.:");
}

int cdi_name_parse(const char *word, size_t *ret_kind_len)
{
	const char *eq = strchr(word, '=');

	if (!eq || !is_kind(word, (size_t)(eq - word)) || !is_device_name(eq + 1))
		return 0;
	*ret_kind_len = (size_t)(eq - word);
	return 1;
}

spec_hook_list *cdi_hooks_of(struct spec_hooks *hooks, const char *name)
{
	const struct {
		const char *name;
		spec_hook_list *list;
	} table[] = {
		{ "prestart", &hooks->prestart },
		{ "createRuntime", &hooks->create_runtime },
		{ "createContainer", &hooks->create_container },
		{ "startContainer", &hooks->start_container },
		{ "poststart", &hooks->poststart },
		{ "poststop", &hooks->poststop },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (str_eq(table[i].name, name))
			return table[i].list;
	return NULL;
}

/* ---- what single fields can't say ---- */

static int check_node(const void *object, struct err *err)
{
	const struct cdi_node *n = object;

	if (n->path[0] != '/')
		return json_fail(err, "path", "expected an absolute path");
	if (n->host_path && n->host_path[0] != '/')
		return json_fail(err, "hostPath", "expected an absolute path");
	if (n->type && !str_eq(n->type, "c") && !str_eq(n->type, "b") && !str_eq(n->type, "u") &&
	    !str_eq(n->type, "p"))
		return json_fail(err, "type", "expected b, c, u or p, got \"%s\"", n->type);
	if (n->permissions && strspn(n->permissions, "rwm") != strlen(n->permissions))
		return json_fail(err, "permissions", "expected letters of rwm, got \"%s\"",
				 n->permissions);
	return 0;
}

static int check_mount(const void *object, struct err *err)
{
	const struct cdi_mount *m = object;

	if (m->host_path[0] != '/')
		return json_fail(err, "hostPath", "expected an absolute path");
	if (m->container_path[0] != '/')
		return json_fail(err, "containerPath", "expected an absolute path");
	return 0;
}

static int check_hook(const void *object, struct err *err)
{
	const struct cdi_hook *h = object;
	struct spec_hooks none = { 0 };

	if (!cdi_hooks_of(&none, h->hook_name))
		return json_fail(err, "hookName", "\"%s\" is no hook", h->hook_name);
	if (h->hook.path[0] != '/')
		return json_fail(err, "path", "expected an absolute path");
	return 0;
}

static int check_net_device(const void *object, struct err *err)
{
	const struct spec_net_device *d = object;

	if (!str_is_ifname(d->host_name))
		return json_fail(err, "hostInterfaceName", "\"%s\" is no name of an interface",
				 d->host_name);
	if (!str_is_ifname(d->name))
		return json_fail(err, "name", "\"%s\" is no name of an interface", d->name);
	return 0;
}

static int check_edits(const void *object, struct err *err)
{
	const struct cdi_edits *e = object;

	for (size_t i = 0; e->env && e->env[i]; i++)
		if (!strchr(e->env[i], '=') || e->env[i][0] == '=')
			return json_fail(err, "env", "expected NAME=VALUE, got \"%s\"", e->env[i]);
	return 0;
}

static int check_device(const void *object, struct err *err)
{
	const struct cdi_device *d = object;

	return is_device_name(d->name)
		   ? 0
		   : json_fail(err, "name", "\"%s\" is no name of a device", d->name);
}

static int check_spec(const void *object, struct err *err)
{
	const struct cdi_spec *s = object;

	if (!is_kind(s->kind, strlen(s->kind)))
		return json_fail(err, "kind", "expected VENDOR/CLASS, got \"%s\"", s->kind);
	for (size_t i = 0; i < s->devices.n; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(s->devices.items[i].name, s->devices.items[k].name))
				return json_fail(err, "devices", "two have the name \"%s\"",
						 s->devices.items[i].name);
	return 0;
}

#define REQUIRED .flags = JSON_REQUIRED | JSON_NOT_EMPTY

static const struct json_field node_fields[] = {
	JSON_FIELD(struct cdi_node, path, "path", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_node, host_path, "hostPath", JSON_STR),
	JSON_FIELD(struct cdi_node, type, "type", JSON_STR),
	JSON_FIELD(struct cdi_node, permissions, "permissions", JSON_STR),
	JSON_FIELD(struct cdi_node, major, "major", JSON_OPT_I64),
	JSON_FIELD(struct cdi_node, minor, "minor", JSON_OPT_I64),
	JSON_FIELD(struct cdi_node, file_mode, "fileMode", JSON_OPT_U32),
	JSON_FIELD(struct cdi_node, uid, "uid", JSON_OPT_U32),
	JSON_FIELD(struct cdi_node, gid, "gid", JSON_OPT_U32),
};
static const struct json_desc node_desc =
    JSON_DESC(struct cdi_node, node_fields, .check = check_node);

static const struct json_field mount_fields[] = {
	JSON_FIELD(struct cdi_mount, host_path, "hostPath", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_mount, container_path, "containerPath", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_mount, type, "type", JSON_STR),
	JSON_FIELD(struct cdi_mount, options, "options", JSON_STRV),
};
static const struct json_desc mount_desc =
    JSON_DESC(struct cdi_mount, mount_fields, .check = check_mount);

static const struct json_field hook_fields[] = {
	JSON_FIELD(struct cdi_hook, hook_name, "hookName", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_hook, hook.path, "path", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_hook, hook.args, "args", JSON_STRV),
	JSON_FIELD(struct cdi_hook, hook.env, "env", JSON_STRV),
	JSON_FIELD(struct cdi_hook, hook.timeout, "timeout", JSON_OPT_I32),
};
static const struct json_desc hook_desc =
    JSON_DESC(struct cdi_hook, hook_fields, .check = check_hook);

static const struct json_field net_device_fields[] = {
	JSON_FIELD(struct spec_net_device, host_name, "hostInterfaceName", JSON_STR, REQUIRED),
	JSON_FIELD(struct spec_net_device, name, "name", JSON_STR, REQUIRED),
};
static const struct json_desc net_device_desc =
    JSON_DESC(struct spec_net_device, net_device_fields, .check = check_net_device);

static const struct json_field edits_fields[] = {
	JSON_FIELD(struct cdi_edits, env, "env", JSON_STRV),
	JSON_FIELD(struct cdi_edits, nodes, "deviceNodes", JSON_ARRAY, .desc = &node_desc),
	JSON_FIELD(struct cdi_edits, mounts, "mounts", JSON_ARRAY, .desc = &mount_desc),
	JSON_FIELD(struct cdi_edits, hooks, "hooks", JSON_ARRAY, .desc = &hook_desc),
	JSON_FIELD(struct cdi_edits, gids, "additionalGids", JSON_U32S),
	JSON_FIELD(struct cdi_edits, rdt, "intelRdt", JSON_OBJ, .desc = &spec_intel_rdt_desc),
	JSON_FIELD(struct cdi_edits, net_devices, "netDevices", JSON_ARRAY,
		   .desc = &net_device_desc),
};
static const struct json_desc edits_desc =
    JSON_DESC(struct cdi_edits, edits_fields, .check = check_edits);

static const struct json_field device_fields[] = {
	JSON_FIELD(struct cdi_device, name, "name", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_device, edits, "containerEdits", JSON_STRUCT, .desc = &edits_desc),
};
static const struct json_desc device_desc =
    JSON_DESC(struct cdi_device, device_fields, .check = check_device);

static const struct json_field spec_fields[] = {
	JSON_FIELD(struct cdi_spec, version, "cdiVersion", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_spec, kind, "kind", JSON_STR, REQUIRED),
	JSON_FIELD(struct cdi_spec, devices, "devices", JSON_ARRAY, .desc = &device_desc),
	JSON_FIELD(struct cdi_spec, edits, "containerEdits", JSON_STRUCT, .desc = &edits_desc),
};
static const struct json_desc spec_cdi_desc =
    JSON_DESC(struct cdi_spec, spec_fields, .check = check_spec);

int cdi_spec_parse(const char *text, size_t len, const char *what, struct cdi_spec *ret,
		   struct err *err)
{
	*ret = (struct cdi_spec){ 0 };
	return json_parse(&spec_cdi_desc, ret, text, len, what, err);
}

void cdi_spec_done(struct cdi_spec *spec)
{
	json_free(&spec_cdi_desc, spec);
}

/* ---- --gpus ---- */

static int add_gpu(const char *name, char ***out, const char *text, struct err *err)
{
	if (!is_device_name(name))
		return err_fail(err, ERR_USAGE, "--gpus %s: \"%s\" is no name of a device", text,
				name);
	strv_addf(out, GPU_KIND "=%s", name);
	return 0;
}

/* The first so many. */
static int add_count(const char *word, char ***out, const char *text, struct err *err)
{
	uint32_t n;
	int r = 0;

	if (str_eq(word, "all") || str_eq(word, "-1"))
		return add_gpu("all", out, text, err);
	if (str_parse_u32(word, &n) < 0 || n > GPUS_MAX)
		return err_fail(err, ERR_USAGE,
				"--gpus %s: expected all, a number or device=NAME,...", text);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		cleanup_free char *name = xasprintf("%u", i);

		r = add_gpu(name, out, text, err);
	}
	return r;
}

static int add_devices(const char *list, char ***out, const char *text, struct err *err)
{
	cleanup_strv char **names = strv_split(list, ',');
	int r = 0;

	for (size_t i = 0; r == 0 && names[i]; i++)
		r = add_gpu(names[i], out, text, err);
	return r;
}

/* "all", "2", "device=0", "\"device=0,1\"", with capabilities= and driver=; docker's default is 1.
 */
int gpus_parse(const char *text, char ***out, struct err *err)
{
	cleanup_strv char **words = NULL, **names = NULL;
	int r = csv_parse(text, &words, err);
	bool counted = false;

	for (size_t i = 0; r == 0 && words[i]; i++) {
		const char *word = words[i], *value;

		if ((value = str_after(word, "device=")))
			r = add_devices(value, &names, text, err);
		else if ((value = str_after(word, "count=")))
			r = add_count(value, &names, text, err);
		else if ((value = str_after(word, "driver=")) && !str_eq(value, "nvidia"))
			r = err_fail(err, ERR_UNSUPPORTED,
				     "--gpus %s: only the driver nvidia is known; others' devices "
				     "by --device VENDOR/CLASS=NAME",
				     text);
		else if (!value && !str_starts(word, "capabilities=") && strchr(word, '='))
			r = err_fail(err, ERR_UNSUPPORTED, "--gpus %s: \"%s\" is not supported",
				     text, word);
		else if (!strchr(word, '='))
			r = add_count(word, &names, text, err);
		counted = counted || !strchr(word, '=') || str_starts(word, "count=");
	}
	if (r == 0 && !names && !counted)
		r = add_count("1", &names, text, err);
	if (r == 0)
		strv_extend(out, names);
	return r;
}
