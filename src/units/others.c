/* SPDX-License-Identifier: Apache-2.0 */
/* .volume, .network, .image, .artifact: services that make something once and are done. */
#include "base/str.h"
#include "base/strv.h"
#include "units/internal.h"

static const char no_modules[] = "inro has one file of settings and no modules";
static const char no_keys[] = "encrypted layers can't be read";

static const struct key volume_keys[] = {
	{ "ContainersConfModule", KEY_NO, .why = no_modules },
	{ "Copy", KEY_OTHER },
	{ "Device", KEY_OTHER },
	{ "Driver", KEY_OTHER },
	{ "GID", KEY_NO, .why = "inro volume create has no --gid: Options=gid=... for a tmpfs" },
	{ "GlobalArgs", KEY_OTHER },
	{ "Group", KEY_OTHER },
	{ "Image", KEY_NO, .why = "inro has volumes of the driver local alone" },
	{ "Label", KEY_WORDS, "--label" },
	{ "Options", KEY_OTHER },
	{ "PodmanArgs", KEY_OTHER },
	{ "ServiceName", KEY_OTHER },
	{ "Type", KEY_OTHER },
	{ "UID", KEY_NO, .why = "inro volume create has no --uid: Options=uid=... for a tmpfs" },
	{ "User", KEY_OTHER },
	{ "VolumeName", KEY_OTHER },
};

static const struct key network_keys[] = {
	{ "ContainersConfModule", KEY_NO, .why = no_modules },
	{ "DNS", KEY_ALL, "--dns" },
	{ "DisableDNS", KEY_SWITCH, "--disable-dns" },
	{ "Driver", KEY_STRING, "--driver" },
	{ "Gateway", KEY_ALL, "--gateway" },
	{ "GlobalArgs", KEY_OTHER },
	{ "IPAMDriver", KEY_STRING, "--ipam-driver" },
	{ "IPRange", KEY_ALL, "--ip-range" },
	{ "IPv6", KEY_BOOL, "--ipv6" },
	{ "InterfaceName", KEY_STRING, "--interface-name" },
	{ "Internal", KEY_SWITCH, "--internal" },
	{ "Label", KEY_WORDS, "--label" },
	{ "NetworkDeleteOnStop", KEY_OTHER },
	{ "NetworkName", KEY_OTHER },
	{ "Options", KEY_WORDS, "--opt" },
	{ "PodmanArgs", KEY_OTHER },
	{ "ServiceName", KEY_OTHER },
	{ "Subnet", KEY_ALL, "--subnet" },
};

static const struct key image_keys[] = {
	{ "AllTags", KEY_BOOL, "--all-tags" },
	{ "Arch", KEY_STRING, "--arch" },
	{ "AuthFile", KEY_STRING, "--authfile" },
	{ "CertDir", KEY_STRING, "--cert-dir" },
	{ "ContainersConfModule", KEY_NO, .why = no_modules },
	{ "Creds", KEY_STRING, "--creds" },
	{ "DecryptionKey", KEY_NO, .why = no_keys },
	{ "GlobalArgs", KEY_OTHER },
	{ "Image", KEY_OTHER },
	{ "ImageTag", KEY_OTHER },
	{ "OS", KEY_STRING, "--os" },
	{ "PodmanArgs", KEY_OTHER },
	{ "Policy", KEY_STRING, "--policy" },
	{ "Retry", KEY_STRING, "--retry" },
	{ "RetryDelay", KEY_STRING, "--retry-delay" },
	{ "ServiceName", KEY_OTHER },
	{ "TLSVerify", KEY_BOOL, "--tls-verify" },
	{ "Variant", KEY_STRING, "--variant" },
};

static const struct key artifact_keys[] = {
	{ "Artifact", KEY_OTHER },
	{ "AuthFile", KEY_STRING, "--authfile" },
	{ "CertDir", KEY_STRING, "--cert-dir" },
	{ "ContainersConfModule", KEY_NO, .why = no_modules },
	{ "Creds", KEY_STRING, "--creds" },
	{ "DecryptionKey", KEY_NO, .why = no_keys },
	{ "GlobalArgs", KEY_OTHER },
	{ "PodmanArgs", KEY_OTHER },
	{ "Quiet", KEY_SWITCH, "--quiet" },
	{ "Retry", KEY_STRING, "--retry" },
	{ "RetryDelay", KEY_STRING, "--retry-delay" },
	{ "ServiceName", KEY_OTHER },
	{ "TLSVerify", KEY_BOOL, "--tls-verify" },
};

void units_once(struct conversion *c)
{
	unit_file_default(c->out, "Service", "Type", "oneshot");
	unit_file_default(c->out, "Service", "RemainAfterExit", "yes");
	unit_file_default(c->out, "Service", "SyslogIdentifier", "%N");
}

static int add_all(struct conversion *c, const struct key *keys, size_t n, const char *what,
		   struct err *err)
{
	int r = units_keys(c, keys, n, err);

	if (r == 0)
		r = units_raw(c, "PodmanArgs", err);
	if (r < 0)
		return r;
	strv_add(&c->args, what);
	units_command_done(c, "ExecStart", "");
	units_once(c);
	return 0;
}

/* --- volumes --- */

static int check_driver(struct conversion *c, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&c->u->file, "Volume", "Driver");
	cleanup_free char *driver = unit_file_string(&c->u->file, "Volume", "Driver");

	if (!driver || str_eq(driver, "local"))
		return 0;
	return units_fail(
	    e, err, err_fail(err, ERR_UNSUPPORTED, "inro has volumes of the driver local alone"));
}

/* What the image has there is copied into a new volume in any case. */
static int check_copy(struct conversion *c, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&c->u->file, "Volume", "Copy");
	bool on = true;

	if (!e)
		return 0;
	if (unit_bool(e->value, &on) < 0)
		return units_fail(e, err, err_fail(err, ERR_INVALID, "expected true or false"));
	if (on)
		return 0;
	return units_fail(
	    e, err,
	    err_fail(err, ERR_UNSUPPORTED, "say nocopy where the volume is mounted instead"));
}

static int add_mount_options(struct conversion *c, struct err *err)
{
	static const struct {
		const char *key, *option;
	} parts[] = { { "Type", "type" }, { "Device", "device" } };
	static const struct {
		const char *key, *format;
	} words[] = { { "User", "uid" }, { "Group", "gid" }, { "Options", NULL } };
	cleanup_buf struct buf o = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup_free char *value = unit_file_string(&c->u->file, "Volume", parts[i].key);

		if (value)
			strv_addf(&c->args, "--opt=%s=%s", parts[i].option, value);
		if (value && i == 1 && *value == '/')
			units_mounts_for(c, value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cleanup_free char *value = unit_file_string(&c->u->file, "Volume", words[i].key);

		if (value && words[i].format)
			buf_addf(&o, "%s%s=%s", o.len ? "," : "", words[i].format, value);
		else if (value)
			buf_addf(&o, "%s%s", o.len ? "," : "", value);
	}
	if (o.len)
		strv_addf(&c->args, "--opt=o=%s", buf_str(&o));
	return 0;
}

int units_volume(struct conversion *c, struct err *err)
{
	cleanup_free char *name = units_resource(c->u);
	int r = units_command(c, err);

	strv_add(&c->args, "volume");
	strv_add(&c->args, "create");
	strv_add(&c->args, "--ignore");
	if (r == 0)
		r = check_driver(c, err);
	if (r == 0)
		r = check_copy(c, err);
	if (r == 0)
		r = add_mount_options(c, err);
	return r < 0 ? r : add_all(c, volume_keys, ARRAY_SIZE(volume_keys), name, err);
}

/* --- networks --- */

static int add_network_end(struct conversion *c, const char *name, struct err *err)
{
	const struct unit_entry *e =
	    unit_file_find(&c->u->file, c->u->kind->section, "NetworkDeleteOnStop");
	bool on = false;
	int r;

	if (e && unit_bool(e->value, &on) < 0)
		return units_fail(e, err, err_fail(err, ERR_INVALID, "expected true or false"));
	if (!on)
		return 0;
	r = units_command(c, err);
	if (r < 0)
		return r;
	strv_add(&c->args, "network");
	strv_add(&c->args, "rm");
	strv_add(&c->args, name);
	units_command_done(c, "ExecStopPost", "");
	return 0;
}

int units_network_unit(struct conversion *c, struct err *err)
{
	cleanup_free char *name = units_resource(c->u);
	int r = units_command(c, err);

	if (r < 0)
		return r;
	strv_add(&c->args, "network");
	strv_add(&c->args, "create");
	strv_add(&c->args, "--ignore");
	r = add_all(c, network_keys, ARRAY_SIZE(network_keys), name, err);
	return r < 0 ? r : add_network_end(c, name, err);
}

/* --- what comes from a registry --- */

static int pull(struct conversion *c, const char *group, const char *key, const struct key *keys,
		size_t n, struct err *err)
{
	cleanup_free char *what = unit_file_string(&c->u->file, c->u->kind->section, key);
	int r;

	if (!what)
		return err_fail(err, ERR_INVALID, "%s= is needed", key);
	r = units_command(c, err);
	if (r < 0)
		return r;
	strv_add(&c->args, group);
	strv_add(&c->args, "pull");
	return add_all(c, keys, n, what, err);
}

int units_image_unit(struct conversion *c, struct err *err)
{
	return pull(c, "image", "Image", image_keys, ARRAY_SIZE(image_keys), err);
}

int units_artifact(struct conversion *c, struct err *err)
{
	return pull(c, "artifact", "Artifact", artifact_keys, ARRAY_SIZE(artifact_keys), err);
}
