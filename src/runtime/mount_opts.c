/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mount.h>

#include "base/str.h"
#include "runtime/mount_opts.h"
#include "sys/uapi.h"

enum kind {
	ATTR,        /* set value */
	ATTR_CLEAR,  /* clear value */
	ATIME,       /* set value in the atime field, which is not a bit */
	PROPAGATION, /* value MS_* */
	FS_FLAG,     /* a flag of the superblock: handed to the filesystem's context */
	FS_FLAG_OFF, /* takes the flag of that name (without "no") away again */
	BIND,
	REMOUNT,
	COPYUP,
	IDMAP,
	NOTHING,
};

struct word {
	const char *name;
	enum kind kind;
	bool recursive;
	uint64_t value;
	const char *flag; /* FS_FLAG, FS_FLAG_OFF */
};

#define TREE true
static const struct word words[] = {
	{ "async", FS_FLAG_OFF, false, 0, "sync" },
	{ "atime", ATIME, false, MOUNT_ATTR_RELATIME },
	{ "bind", BIND },
	{ "defaults", NOTHING },
	{ "dev", ATTR_CLEAR, false, MOUNT_ATTR_NODEV },
	{ "diratime", ATTR_CLEAR, false, MOUNT_ATTR_NODIRATIME },
	{ "dirsync", FS_FLAG, false, 0, "dirsync" },
	{ "exec", ATTR_CLEAR, false, MOUNT_ATTR_NOEXEC },
	{ "idmap", IDMAP },
	{ "iversion", FS_FLAG, false, 0, "iversion" },
	{ "lazytime", FS_FLAG, false, 0, "lazytime" },
	{ "loud", NOTHING },
	{ "mand", FS_FLAG, false, 0, "mand" },
	{ "noatime", ATIME, false, MOUNT_ATTR_NOATIME },
	{ "nodev", ATTR, false, MOUNT_ATTR_NODEV },
	{ "nodiratime", ATTR, false, MOUNT_ATTR_NODIRATIME },
	{ "noexec", ATTR, false, MOUNT_ATTR_NOEXEC },
	{ "noiversion", FS_FLAG_OFF, false, 0, "iversion" },
	{ "nolazytime", FS_FLAG_OFF, false, 0, "lazytime" },
	{ "nomand", FS_FLAG_OFF, false, 0, "mand" },
	{ "norelatime", NOTHING },
	{ "nostrictatime", ATIME, false, MOUNT_ATTR_RELATIME },
	{ "nosuid", ATTR, false, MOUNT_ATTR_NOSUID },
	{ "nosymfollow", ATTR, false, MOUNT_ATTR_NOSYMFOLLOW },
	{ "private", PROPAGATION, false, MS_PRIVATE },
	{ "ratime", ATIME, TREE, MOUNT_ATTR_RELATIME },
	{ "rbind", BIND, TREE },
	{ "rdev", ATTR_CLEAR, TREE, MOUNT_ATTR_NODEV },
	{ "rdiratime", ATTR_CLEAR, TREE, MOUNT_ATTR_NODIRATIME },
	{ "relatime", ATIME, false, MOUNT_ATTR_RELATIME },
	{ "remount", REMOUNT },
	{ "rexec", ATTR_CLEAR, TREE, MOUNT_ATTR_NOEXEC },
	{ "ridmap", IDMAP, TREE },
	{ "rnoatime", ATIME, TREE, MOUNT_ATTR_NOATIME },
	{ "rnodev", ATTR, TREE, MOUNT_ATTR_NODEV },
	{ "rnodiratime", ATTR, TREE, MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", ATTR, TREE, MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", NOTHING },
	{ "rnostrictatime", ATIME, TREE, MOUNT_ATTR_RELATIME },
	{ "rnosuid", ATTR, TREE, MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", ATTR, TREE, MOUNT_ATTR_NOSYMFOLLOW },
	{ "ro", ATTR, false, MOUNT_ATTR_RDONLY },
	{ "rprivate", PROPAGATION, TREE, MS_PRIVATE },
	{ "rrelatime", ATIME, TREE, MOUNT_ATTR_RELATIME },
	{ "rro", ATTR, TREE, MOUNT_ATTR_RDONLY },
	{ "rrw", ATTR_CLEAR, TREE, MOUNT_ATTR_RDONLY },
	{ "rshared", PROPAGATION, TREE, MS_SHARED },
	{ "rslave", PROPAGATION, TREE, MS_SLAVE },
	{ "rstrictatime", ATIME, TREE, MOUNT_ATTR_STRICTATIME },
	{ "rsuid", ATTR_CLEAR, TREE, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", ATTR_CLEAR, TREE, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", PROPAGATION, TREE, MS_UNBINDABLE },
	{ "rw", ATTR_CLEAR, false, MOUNT_ATTR_RDONLY },
	{ "shared", PROPAGATION, false, MS_SHARED },
	{ "silent", NOTHING },
	{ "slave", PROPAGATION, false, MS_SLAVE },
	{ "strictatime", ATIME, false, MOUNT_ATTR_STRICTATIME },
	{ "suid", ATTR_CLEAR, false, MOUNT_ATTR_NOSUID },
	{ "symfollow", ATTR_CLEAR, false, MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync", FS_FLAG, false, 0, "sync" },
	{ "tmpcopyup", COPYUP },
	{ "unbindable", PROPAGATION, false, MS_UNBINDABLE },
};

const char *mount_opts_word(size_t i)
{
	return i < ARRAY_SIZE(words) ? words[i].name : NULL;
}

static const struct word *find_word(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i].name, name))
			return &words[i];
	return NULL;
}

bool mount_propagation_parse(const char *word, uint64_t *ret_flag, bool *ret_recursive)
{
	const struct word *w = find_word(word);

	if (!w || w->kind != PROPAGATION)
		return false;
	*ret_flag = w->value;
	*ret_recursive = w->recursive;
	return true;
}

const char *mount_opts_data(const struct mount_opts *o, const char *key)
{
	for (size_t i = 0; i < o->n_data; i++)
		if (str_eq(o->data[i].key, key))
			return o->data[i].value ? o->data[i].value : "";
	return NULL;
}

bool mount_opts_known(const char *word)
{
	return find_word(word) != NULL;
}

void mount_opts_add_label(struct mount_opts *o, const char *type, const char *label)
{
	/* Those of the kernel's have rules of their own in the policy. */
	static const char *const without[] = { "proc",    "sysfs", "mqueue", "cgroup",
					       "cgroup2", "bind",  "none",   NULL };

	if (!label || !label[0] || !type || o->bind || o->remount || mount_opts_data(o, "context"))
		return;
	for (size_t i = 0; without[i]; i++)
		if (str_eq(type, without[i]))
			return;
	mount_opts_add_data(o, "context", label);
}

void mount_opts_remove_data(struct mount_opts *o, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->n_data; i++) {
		if (str_eq(o->data[i].key, key))
			free((void *)(uintptr_t)o->data[i].key);
		else
			o->data[kept++] = o->data[i];
	}
	o->n_data = kept;
}

/* One allocation holds "key\0value\0". */
static void add_data(struct mount_opts *o, const char *key, size_t key_len, const char *value)
{
	size_t value_len = value ? strlen(value) : 0;
	char *text = xcalloc(1, key_len + value_len + 2);

	memcpy(text, key, key_len);
	if (value)
		memcpy(text + key_len + 1, value, value_len);
	o->data = xrealloc(o->data, (o->n_data + 1) * sizeof(*o->data));
	o->data[o->n_data++] = (struct mount_option){
		.key = text,
		.value = value ? text + key_len + 1 : NULL,
	};
}

void mount_opts_add_data(struct mount_opts *o, const char *key, const char *value)
{
	add_data(o, key, strlen(key), value);
}

static void set_attr(struct mount_opts *o, bool recursive, uint64_t value)
{
	*(recursive ? &o->rec_set : &o->set) |= value;
	*(recursive ? &o->rec_clear : &o->clear) &= ~value;
}

static void clear_attr(struct mount_opts *o, bool recursive, uint64_t value)
{
	*(recursive ? &o->rec_set : &o->set) &= ~value;
	*(recursive ? &o->rec_clear : &o->clear) |= value;
}

static void apply_word(struct mount_opts *o, const struct word *w)
{
	switch (w->kind) {
	case ATTR:
		set_attr(o, w->recursive, w->value);
		break;
	case ATTR_CLEAR:
		clear_attr(o, w->recursive, w->value);
		break;
	case ATIME:
		/* mount_setattr(2): the whole field is cleared, then one value set. */
		clear_attr(o, w->recursive, MOUNT_ATTR__ATIME);
		*(w->recursive ? &o->rec_set : &o->set) |= w->value;
		break;
	case PROPAGATION:
		o->propagation = w->value;
		o->rec_propagation = w->recursive;
		break;
	case FS_FLAG:
		mount_opts_remove_data(o, w->flag);
		mount_opts_add_data(o, w->flag, NULL);
		break;
	case FS_FLAG_OFF:
		mount_opts_remove_data(o, w->flag);
		break;
	case BIND:
		o->bind = true;
		o->rec_bind = w->recursive;
		break;
	case REMOUNT:
		o->remount = true;
		break;
	case COPYUP:
		o->tmpcopyup = true;
		break;
	case IDMAP:
		o->idmap = true;
		o->rec_idmap = w->recursive;
		break;
	case NOTHING:
		break;
	}
}

/* context="system_u:object_r:container_file_t:s0:c1,c2": for mount(2), whose options a comma
 * separates, SELinux takes quotes away, but not for fsconfig(2). */
static void add_value(struct mount_opts *o, const char *option, const char *eq)
{
	static const char *const contexts[] = { "context=", "fscontext=", "defcontext=",
						"rootcontext=" };
	cleanup_free char *plain = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(contexts) && !plain; i++)
		plain = str_starts(option, contexts[i]) ? xstrdup(eq + 1) : NULL;
	for (const char *p = eq + 1; plain && *p; p++)
		if (*p != '"')
			plain[n++] = *p;
	if (plain)
		plain[n] = '\0';
	add_data(o, option, (size_t)(eq - option), plain ? plain : eq + 1);
}

int mount_opts_parse(char *const *options, struct mount_opts *ret, struct err *err)
{
	struct mount_opts o = { 0 };

	for (size_t i = 0; options && options[i]; i++) {
		const struct word *w = find_word(options[i]);
		const char *eq = strchr(options[i], '=');
		const char *below = str_after(options[i], MOUNT_OPT_BELOW "=");
		const char *part = str_after(options[i], MOUNT_OPT_PART "=");

		if (below || part) {
			char **to = below ? &o.below : &o.part;

			free(*to);
			*to = xstrdup(below ? below : part);
		} else if (w)
			apply_word(&o, w);
		else if (!eq)
			add_data(&o, options[i], strlen(options[i]), NULL);
		else if (eq > options[i])
			add_value(&o, options[i], eq);
		else {
			mount_opts_done(&o);
			return err_fail(err, ERR_INVALID, "mount option \"%s\" has no name",
					options[i]);
		}
	}
	o.readonly = (o.set & MOUNT_ATTR_RDONLY) != 0;
	*ret = o;
	return 0;
}

void mount_opts_done(struct mount_opts *o)
{
	for (size_t i = 0; i < o->n_data; i++)
		free((void *)(uintptr_t)o->data[i].key);
	free(o->data);
	free(o->below);
	free(o->part);
	*o = (struct mount_opts){ 0 };
}
