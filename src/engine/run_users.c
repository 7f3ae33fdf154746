/* SPDX-License-Identifier: Apache-2.0 */
/* Who the container's program runs as, and the lines that its /etc/passwd and /etc/group get. */
#include "base/path.h"
#include "base/str.h"
#include "engine/run_internal.h"
#include "engine/users_layer.h"

static int write_lines(struct run *run, const struct userdb *db, struct err *err)
{
	const struct record_options *o = &run->rec.options;
	bool plain = o->rootfs && !o->rootfs_overlay;
	struct userdb own = *db;
	uid_t uid = 0;
	gid_t gid = 0;

	run->in.own_passwd = plain && db->passwd.changed;
	run->in.own_group = plain && db->group.changed;
	/* What is mounted belongs to the container's root; a layer's ids are mapped with those of
	 * the other layers. */
	if (plain && run_container_root(run, &uid, &gid))
		own.passwd.st.st_mode = own.group.st.st_mode = own.etc.st_mode = 0;
	int r = users_layer_write(run->launch.bundle_fd, &own, uid, gid, err);
	return r < 0 || plain ? r
			      : users_layer_open(run->eng, run->rec.id, &run->launch.layers,
						 &run->launch.n_layers, err);
}

int run_users(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	const struct oci_config *c = run->config.config;
	const char *dir = o->workdir ? o->workdir : c ? c->working_dir : NULL;
	cleanup_free char *workdir = path_clean(dir && dir[0] ? dir : "/");
	const struct users_asked asked = {
		.user = o->user          ? o->user
			: run->keep_user ? run->keep_user
			: c              ? c->user
					 : NULL,
		.kept = run->keep_user,
		.hostuser = o->hostuser,
		.passwd_entry = o->passwd_entry,
		.group_entry = o->group_entry,
		.workdir = workdir,
		.mounts = run->mounts,
		.n_mounts = run->n_mounts,
	};
	bool adds = !str_eq(o->passwd, "false");
	cleanup_userdb struct userdb db = { 0 };
	int r = 0;

	userdb_read(run->launch.layers, run->launch.n_layers, &db);
	if (adds)
		r = users_add_host(&db, &asked, err);
	if (r == 0)
		r = userdb_resolve(&db, asked.user, o->group_add, &run->user, &run->groups, err);
	if (r == 0 && adds)
		users_add_own(&db, &asked, &run->user);
	return r < 0 ? r : write_lines(run, &db, err);
}
