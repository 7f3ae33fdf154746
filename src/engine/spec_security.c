/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities, seccomp, masked and read-only paths. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/seccomp_default.h"
#include "engine/spec.h"
#include "sys/cap.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* docker's default set. */
static const char *const caps_default[] = {
	"CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",     "CAP_FSETID",
	"CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",    "CAP_SETFCAP",
	"CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT",
};

static const char *const masked_default[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/devices/virtual/powercap",
	"/sys/firmware",
};

static const char *const readonly_default[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* One list of --cap-add or --cap-drop. */
static int caps_list(char *const *words, const char *option, uint64_t *ret, bool *ret_all,
		     struct err *err)
{
	size_t i;

	*ret = 0;
	*ret_all = false;
	for (i = 0; words && words[i]; i++) {
		cleanup_free char *name = cap_word(words[i]);
		int cap;

		if (str_eq(name, "CAP_ALL")) {
			*ret_all = true;
			continue;
		}
		cap = cap_from_name(name);
		if (cap < 0)
			return err_fail(err, ERR_USAGE, "%s: invalid capability: \"%s\"", option,
					words[i]);
		*ret |= BIT(cap);
	}
	return 0;
}

int spec_gen_caps(const struct spec_input *in, uint64_t *ret, struct err *err)
{
	uint64_t all = in->own_caps, base = 0, add, drop;
	bool add_all, drop_all;
	size_t i;
	int r;

	r = caps_list(in->opts->cap_add, "--cap-add", &add, &add_all, err);
	if (r == 0)
		r = caps_list(in->opts->cap_drop, "--cap-drop", &drop, &drop_all, err);
	if (r < 0)
		return r;
	for (i = 0; i < ARRAY_SIZE(caps_default); i++)
		base |= BIT(cap_from_name(caps_default[i]));
	/* Defaults are what this machine lets us give; what was asked for by name stays, and the
	 * runtime says so when it cannot be had. */
	base &= all;
	if (in->opts->privileged)
		*ret = all;
	else if (add_all)
		*ret = all & ~drop;
	else if (drop_all)
		*ret = add;
	else
		*ret = (base & ~drop) | add;
	return 0;
}

static char **caps_names(uint64_t caps)
{
	char **names = NULL;
	int i;

	for (i = 0; i < CAP_COUNT_MAX; i++)
		if ((caps & BIT(i)) && cap_name(i))
			strv_add(&names, cap_name(i));
	return names;
}

static void gen_cap_sets(struct spec_process *p, uint64_t caps)
{
	struct spec_caps *c = xcalloc(1, sizeof(*c));

	c->bounding = caps_names(caps);
	/* As execve(2) would leave them: another user than root starts without any. */
	if (p->user.uid == 0) {
		c->effective = caps_names(caps);
		c->permitted = caps_names(caps);
	}
	p->capabilities = c;
}

struct security {
	bool seccomp_off, paths_open;
};

static void paths_set(char ***list, const char *const *defaults, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		strv_add(list, defaults[i]);
}

static void strv_remove(char **v, const char *s)
{
	size_t i, k = 0;

	for (i = 0; v && v[i]; i++) {
		if (str_eq(v[i], s))
			free(v[i]);
		else
			v[k++] = v[i];
	}
	if (v)
		v[k] = NULL;
}

static void strv_drop_if_empty(char ***v)
{
	if (*v && !(*v)[0]) {
		free(*v);
		*v = NULL;
	}
}

/* "mask=/a:/b" and "unmask=ALL" or "unmask=/a:/b". */
static void mask_paths(struct spec_linux *l, const char *paths, bool mask)
{
	cleanup_strv char **list = strv_split(paths, ':');
	size_t i;

	for (i = 0; list[i]; i++) {
		if (mask && list[i][0] == '/') {
			strv_add(&l->masked_paths, list[i]);
		} else if (!mask && strcasecmp(list[i], "all") == 0) {
			strv_free(l->masked_paths);
			strv_free(l->readonly_paths);
			l->masked_paths = l->readonly_paths = NULL;
		} else if (!mask) {
			strv_remove(l->masked_paths, list[i]);
			strv_remove(l->readonly_paths, list[i]);
		}
	}
	strv_drop_if_empty(&l->masked_paths);
	strv_drop_if_empty(&l->readonly_paths);
}

/* Where nothing has labels, one that is asked for changes nothing, as with docker and podman. */
static int label_word(const struct spec_input *in, const char *value, struct err *err)
{
	static const char *const keys[] = { "user:", "role:", "type:", "level:", "filetype:" };

	if (str_eq(value, "disable") || str_eq(value, "nested"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!str_starts(value, keys[i]))
			continue;
		return !in->selinux
			   ? 0
			   : err_fail(err, ERR_UNSUPPORTED,
				      "--security-opt label=%s: labels can't be chosen", value);
	}
	return err_fail(err, ERR_USAGE, "invalid --security-opt: \"label=%s\"", value);
}

static int security_word(const struct spec_input *in, struct spec *spec, const char *word,
			 struct security *sec, struct err *err)
{
	size_t key_len = strcspn(word, "=:");
	cleanup_free char *key = xstrndup(word, key_len);
	const char *value = word[key_len] ? word + key_len + 1 : NULL;

	if (str_eq(key, "no-new-privileges")) {
		spec->process->no_new_privileges = true;
		if (value && str_parse_bool(value, &spec->process->no_new_privileges) < 0)
			return err_fail(err, ERR_USAGE, "invalid --security-opt: \"%s\"", word);
		return 0;
	}
	if (str_eq(key, "seccomp") && value) {
		sec->seccomp_off = str_eq(value, "unconfined");
		return 0;
	}
	if (str_eq(key, "systempaths") && str_eq(value, "unconfined")) {
		mask_paths(spec->linux_, "ALL", false);
		return 0;
	}
	if ((str_eq(key, "mask") || str_eq(key, "unmask")) && value) {
		mask_paths(spec->linux_, value, key[0] == 'm');
		return 0;
	}
	if (str_eq(key, "apparmor") && str_eq(value, "unconfined"))
		return 0;
	if (str_eq(key, "label") && value)
		return label_word(in, value, err);
	return err_fail(err, ERR_USAGE, "invalid --security-opt: \"%s\"", word);
}

int spec_gen_security(struct spec_input *in, struct spec *spec, uint64_t caps, struct err *err)
{
	const struct run_options *o = in->opts;
	struct spec_linux *l = spec->linux_;
	struct security sec = { .seccomp_off = o->privileged };
	size_t i;
	int r;

	gen_cap_sets(spec->process, caps);
	if (!o->privileged) {
		paths_set(&l->masked_paths, masked_default, ARRAY_SIZE(masked_default));
		paths_set(&l->readonly_paths, readonly_default, ARRAY_SIZE(readonly_default));
	}
	for (i = 0; o->security_opt && o->security_opt[i]; i++) {
		r = security_word(in, spec, o->security_opt[i], &sec, err);
		if (r < 0)
			return r;
	}
	if (sec.seccomp_off)
		return 0;
	l->seccomp = xcalloc(1, sizeof(*l->seccomp));
	if (in->seccomp_file) {
		*l->seccomp = *in->seccomp_file;
		*in->seccomp_file = (struct spec_seccomp){ 0 };
		return 0;
	}
	r = seccomp_default(caps, l->seccomp);
	return r < 0 ? err_errno(err, -r, "building the default seccomp profile") : 0;
}
