/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cdi.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/spec.h"

#define FILES_MAX       1024
#define YAML_TIMEOUT_MS 10000

struct cdi_file {
	char *path;
	size_t dir; /* in CDI_DIRS */
	bool applied;
	struct cdi_spec spec;
};
struct cdi_files {
	struct engine *eng;
	bool quiet;
	struct cdi_file *items;
	size_t n;
};

static void files_done(struct cdi_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->items[i].path);
		cdi_spec_done(&files->items[i].spec);
	}
	free(files->items);
}

/* ---- reading ---- */

static bool has_end(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len > n && str_eq(name + len - n, end);
}

static bool is_yaml(const char *name)
{
	return has_end(name, ".yaml") || has_end(name, ".yml");
}

/* What it says of what is wrong. */
static int not_yaml(int said, struct err *err)
{
	char text[256];
	ssize_t n = pread(said, text, sizeof(text) - 1, 0);
	const char *line;

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	line = str_after(text, "inro-yaml: ");
	return err_fail(err, ERR_INVALID, "it is no YAML that inro understands%s%s",
			line ? ": " : "", line ? line : "");
}

/* YAML is taken apart by a program of its own. */
static int yaml_to_json(struct engine *eng, struct buf *text, struct err *err)
{
	static const char *const argv[] = { "inro-yaml", NULL };
	struct proc_spawn spec = PROC_SPAWN_INIT;
	cleanup_buf struct buf json = BUF_INIT;
	cleanup_free char *path = NULL;
	cleanup_fd int said = memfd_create("inro-yaml", MFD_CLOEXEC);
	const struct proc_fd fds[] = { { said, STDERR_FILENO } };
	int r = engine_program(eng, "inro-yaml", &path, NULL);

	if (said < 0)
		return err_errno(err, errno, "making a file for what inro-yaml says");
	if (r < 0)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "it is YAML, and inro was built without libyaml"),
				"JSON can be read: nvidia-ctk cdi generate --format json");
	spec.path = path;
	spec.argv = (char **)argv;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	r = proc_run(&spec, text, &json, CDI_BYTES_MAX, YAML_TIMEOUT_MS, err);
	if (r != 0)
		return r < 0 ? r : not_yaml(said, err);
	buf_reset(text);
	buf_add(text, buf_str(&json), json.len);
	return 0;
}

static int check_owner(const struct engine *eng, const struct stat *st, struct err *err)
{
	bool own = st->st_uid == 0 || (eng->rootless && st->st_uid == geteuid());

	if (!own)
		return err_fail(err, ERR_DENIED, "it belongs to user %u", (unsigned int)st->st_uid);
	if (st->st_mode & 022)
		return err_fail(err, ERR_DENIED, "others than its owner can write to it");
	return 0;
}

static int read_checked(struct engine *eng, int dir, const char *name, struct buf *text,
			struct err *err)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "opening it");
	if (!S_ISREG(st.st_mode))
		return err_fail(err, ERR_INVALID, "it is no file");
	r = check_owner(eng, &st, err);
	if (r == 0 && io_read_all(fd, text, CDI_BYTES_MAX) < 0)
		r = err_fail(err, ERR_LIMIT, "it can't be read, or is larger than %u bytes",
			     CDI_BYTES_MAX);
	return r;
}

static void add_file(struct cdi_files *files, int dirfd, const char *dir, size_t number,
		     const char *name)
{
	cleanup_free char *path = path_join(dir, name);
	cleanup_buf struct buf text = BUF_INIT;
	struct cdi_spec spec = { 0 };
	struct err err = ERR_INIT;
	int r = read_checked(files->eng, dirfd, name, &text, &err);

	if (r == 0 && is_yaml(name))
		r = yaml_to_json(files->eng, &text, &err);
	if (r == 0)
		r = cdi_spec_parse(buf_str(&text), text.len, "specification", &spec, &err);
	if (r < 0) {
		if (!files->quiet)
			log_warn("%s: %s", path, err.msg);
		return;
	}
	files->items = xrealloc(files->items, (files->n + 1) * sizeof(*files->items));
	files->items[files->n++] =
	    (struct cdi_file){ .path = take_ptr(path), .dir = number, .spec = spec };
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static void add_dir(struct cdi_files *files, const char *path, size_t number)
{
	CLEANUP(dir_cleanup) DIR *dir = opendir(path);
	struct err err = ERR_INIT;
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return;
	if (fstat(dirfd(dir), &st) < 0 || check_owner(files->eng, &st, &err) < 0) {
		if (!files->quiet)
			log_warn("%s: %s", path, err.msg);
		return;
	}
	while ((entry = readdir(dir)) && files->n < FILES_MAX)
		if (entry->d_name[0] != '.' &&
		    (has_end(entry->d_name, ".json") || is_yaml(entry->d_name)))
			add_file(files, dirfd(dir), path, number, entry->d_name);
}

static void add_all(struct cdi_files *files)
{
	static const char *const dirs[] = { CDI_DIRS };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		add_dir(files, dirs[i], i);
}

/* ---- finding ---- */

static struct cdi_device *device_in(struct cdi_file *f, const char *name, size_t kind_len)
{
	if (strlen(f->spec.kind) != kind_len || strncmp(f->spec.kind, name, kind_len) != 0)
		return NULL;
	for (size_t i = 0; i < f->spec.devices.n; i++)
		if (str_eq(f->spec.devices.items[i].name, name + kind_len + 1))
			return &f->spec.devices.items[i];
	return NULL;
}

static int find(struct cdi_files *files, const char *name, struct cdi_file **ret,
		struct cdi_device **ret_device, struct err *err)
{
	const struct cdi_file *other = NULL;
	size_t kind_len = 0;

	*ret = NULL;
	cdi_name_parse(name, &kind_len);
	for (size_t i = 0; i < files->n; i++) {
		struct cdi_file *f = &files->items[i];
		struct cdi_device *d = device_in(f, name, kind_len);

		if (!d || (*ret && f->dir < (*ret)->dir))
			continue;
		other = *ret && f->dir == (*ret)->dir ? *ret : NULL;
		*ret = f;
		*ret_device = d;
	}
	if (other)
		return err_fail(err, ERR_CONFLICT, "device %s is described in %s and in %s", name,
				other->path, (*ret)->path);
	if (*ret)
		return 0;
	err_fail(err, ERR_NOT_FOUND, "no CDI specification describes the device %s", name);
	return str_starts(name, "nvidia.com/")
		   ? err_hint(err, -ENOENT, "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml")
		   : err_hint(err, -ENOENT, "they are read from /etc/cdi and /var/run/cdi");
}

/* ---- applying ---- */

static void add_gid(struct json_u32s *list, uint32_t gid)
{
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] = gid;
}

static void add_mount(struct cdi_changes *c, const struct cdi_mount *from)
{
	struct cdi_mount *m = LIST_ADD(c->mounts);

	m->host_path = xstrdup(from->host_path);
	m->container_path = path_clean(from->container_path);
	m->type = xstrdup(from->type && from->type[0] && !str_eq(from->type, "none") ? from->type
										     : "bind");
	m->options = strv_copy(from->options);
	if (str_eq(m->type, "bind") && !strv_has(m->options, "bind") &&
	    !strv_has(m->options, "rbind"))
		strv_add(&m->options, "bind");
}

static void add_hook(struct cdi_changes *c, const struct cdi_hook *from)
{
	struct cdi_hook *h = LIST_ADD(c->hooks);

	h->hook_name = xstrdup(from->hook_name);
	h->hook.path = xstrdup(from->hook.path);
	h->hook.args = strv_copy(from->hook.args);
	h->hook.env = strv_copy(from->hook.env);
	h->hook.timeout = from->hook.timeout;
}

/* What several say of an interface: the last one. */
static void add_net_device(struct cdi_changes *c, const struct spec_net_device *from)
{
	struct spec_net_device *d = NULL;

	for (size_t i = 0; !d && i < c->net_devices.n; i++)
		if (str_eq(c->net_devices.items[i].host_name, from->host_name))
			d = &c->net_devices.items[i];
	if (!d) {
		d = LIST_ADD(c->net_devices);
		d->host_name = xstrdup(from->host_name);
	}
	free(d->name);
	d->name = xstrdup(from->name);
}

static void rdt_free(struct spec_intel_rdt *rdt)
{
	if (rdt)
		json_free(&spec_intel_rdt_desc, rdt);
	free(rdt);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void cdi_rdt_copy(const struct spec_intel_rdt *from, struct spec_intel_rdt *ret)
{
	*ret = *from;
	ret->clos_id = copy(from->clos_id);
	ret->l3_cache_schema = copy(from->l3_cache_schema);
	ret->mem_bw_schema = copy(from->mem_bw_schema);
	ret->schemata = strv_copy(from->schemata);
}

static int add_node(struct engine *eng, struct device_list *devices, const struct cdi_node *n,
		    struct err *err)
{
	const struct spec_device want = {
		.path = n->path,
		.type = n->type,
		.major = n->major,
		.minor = n->minor,
		.file_mode = n->file_mode,
		.uid = n->uid,
		.gid = n->gid,
	};

	return devices_add_described(devices, n->host_path ? n->host_path : n->path, &want,
				     n->permissions && n->permissions[0] ? n->permissions : "rwm",
				     !eng->rootless, err);
}

static int apply_edits(struct engine *eng, const struct cdi_edits *e, struct device_list *devices,
		       struct cdi_changes *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; e->env && e->env[i]; i++)
		strv_env_set(&c->env, e->env[i]);
	for (size_t i = 0; r == 0 && i < e->nodes.n; i++)
		r = add_node(eng, devices, &e->nodes.items[i], err);
	for (size_t i = 0; i < e->mounts.n; i++)
		add_mount(c, &e->mounts.items[i]);
	for (size_t i = 0; i < e->hooks.n; i++)
		add_hook(c, &e->hooks.items[i]);
	for (size_t i = 0; i < e->gids.n; i++)
		if (e->gids.items[i])
			add_gid(&c->gids, e->gids.items[i]);
	for (size_t i = 0; i < e->net_devices.n; i++)
		add_net_device(c, &e->net_devices.items[i]);
	if (e->rdt) {
		rdt_free(c->rdt);
		c->rdt = xcalloc(1, sizeof(*c->rdt));
		cdi_rdt_copy(e->rdt, c->rdt);
	}
	return r;
}

int cdi_apply(struct engine *eng, char *const *names, struct device_list *devices,
	      struct cdi_changes *ret, struct err *err)
{
	CLEANUP(files_done) struct cdi_files files = { .eng = eng };
	int r = 0;

	if (!names || !names[0])
		return 0;
	add_all(&files);
	for (size_t i = 0; r == 0 && names[i]; i++) {
		struct cdi_device *d = NULL;
		struct cdi_file *f;

		r = find(&files, names[i], &f, &d, err);
		if (r < 0)
			break;
		if (!f->applied)
			r = apply_edits(eng, &f->spec.edits, devices, ret, err);
		f->applied = true;
		if (r == 0)
			r = apply_edits(eng, &d->edits, devices, ret, err);
		if (r < 0)
			err_wrap(err, r, "device %s of %s", names[i], f->path);
	}
	return r;
}

void cdi_changes_done(struct cdi_changes *c)
{
	for (size_t i = 0; i < c->mounts.n; i++) {
		free(c->mounts.items[i].host_path);
		free(c->mounts.items[i].container_path);
		free(c->mounts.items[i].type);
		strv_free(c->mounts.items[i].options);
	}
	free(c->mounts.items);
	for (size_t i = 0; i < c->hooks.n; i++) {
		free(c->hooks.items[i].hook_name);
		free(c->hooks.items[i].hook.path);
		strv_free(c->hooks.items[i].hook.args);
		strv_free(c->hooks.items[i].hook.env);
	}
	free(c->hooks.items);
	for (size_t i = 0; i < c->net_devices.n; i++) {
		free(c->net_devices.items[i].host_name);
		free(c->net_devices.items[i].name);
	}
	free(c->net_devices.items);
	rdt_free(c->rdt);
	free(c->gids.items);
	strv_free(c->env);
	*c = (struct cdi_changes){ 0 };
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void cdi_list(struct engine *eng, char ***ret)
{
	CLEANUP(files_done) struct cdi_files files = { .eng = eng, .quiet = true };

	add_all(&files);
	for (size_t i = 0; i < files.n; i++) {
		const struct cdi_spec *s = &files.items[i].spec;

		for (size_t k = 0; k < s->devices.n; k++) {
			cleanup_free char *name =
			    xasprintf("%s=%s", s->kind, s->devices.items[k].name);

			if (!strv_has(*ret, name))
				strv_add(ret, name);
		}
	}
	if (*ret)
		qsort(*ret, strv_len(*ret), sizeof(**ret), compare);
}
