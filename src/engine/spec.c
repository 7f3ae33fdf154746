/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spec.h"

#include "base/str.h"
#include "base/strv.h"

int spec_ns_private(const char *option, const char *value, bool *ret, struct err *err)
{
	if (!value || !value[0] || str_eq(value, "private")) {
		*ret = true;
		return 0;
	}
	if (str_eq(value, "host")) {
		*ret = false;
		return 0;
	}
	if (str_starts(value, "container:"))
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "--%s %s: sharing another container's namespace is not implemented yet", option,
		    value);
	return err_fail(err, ERR_USAGE, "--%s: expected host or private, got \"%s\"", option,
			value);
}

static int gen_hostname(const struct spec_input *in, struct spec *spec, struct err *err)
{
	const struct run_options *o = in->opts;
	bool own_uts;
	int r;

	r = spec_ns_private("uts", o->uts, &own_uts, err);
	if (r < 0)
		return r;
	if (!own_uts) {
		if (o->hostname || o->domainname)
			return err_fail(
			    err, ERR_USAGE,
			    "conflicting options: --hostname and --domainname need a UTS "
			    "namespace of their own, --uts host has none");
		return 0;
	}
	if (o->hostname)
		spec->hostname = xstrdup(o->hostname);
	else if (str_eq(o->network, "host"))
		spec->hostname = xstrdup(in->host_name);
	else
		spec->hostname = xstrndup(in->id, 12);
	if (strlen(spec->hostname) > 64)
		return err_fail(err, ERR_USAGE, "--hostname: longer than 64 bytes: %s",
				spec->hostname);
	if (o->domainname)
		spec->domainname = xstrdup(o->domainname);
	return 0;
}

static int gen_annotations(const struct spec_input *in, struct spec *spec, struct err *err)
{
	const struct run_options *o = in->opts;
	const char *stop =
	    o->stop_signal ? o->stop_signal : (in->config ? in->config->stop_signal : NULL);
	size_t i;
	int r, signo;

	for (i = 0; o->annotation && o->annotation[i]; i++) {
		r = label_parse(o->annotation[i], "annotation", &spec->annotations, err);
		if (r < 0)
			return r;
	}
	if (!stop)
		return 0;
	r = signal_parse(stop, &signo, err);
	if (r < 0)
		return err_wrap(err, r, o->stop_signal ? "--stop-signal" : "image's stop signal");
	json_map_set(&spec->annotations, "org.opencontainers.image.stopSignal", stop);
	return 0;
}

static int gen_personality(const struct spec_input *in, struct spec *spec, struct err *err)
{
	const char *word = in->opts->personality;

	if (!word)
		return 0;
	if (!str_eq(word, "LINUX") && !str_eq(word, "LINUX32"))
		return err_fail(err, ERR_USAGE,
				"--personality: expected LINUX or LINUX32, got \"%s\"", word);
	spec->linux_->personality = xcalloc(1, sizeof(*spec->linux_->personality));
	spec->linux_->personality->domain = xstrdup(word);
	return 0;
}

static int generate(struct spec_input *in, struct spec *spec, struct err *err)
{
	uint64_t caps;
	int r;

	spec->oci_version = xstrdup(SPEC_VERSION_WRITTEN);
	spec->root = xcalloc(1, sizeof(*spec->root));
	spec->root->path = xstrdup("rootfs");
	spec->root->readonly = in->opts->read_only;
	spec->linux_ = xcalloc(1, sizeof(*spec->linux_));

	r = gen_hostname(in, spec, err);
	if (r == 0)
		r = spec_gen_process(in, spec, err);
	if (r == 0)
		r = spec_gen_caps(in, &caps, err);
	if (r == 0)
		r = spec_gen_namespaces(in, spec, err);
	if (r == 0)
		r = spec_gen_mounts(in, spec, err);
	if (r == 0)
		r = spec_gen_resources(in, spec->linux_, err);
	if (r == 0)
		r = spec_gen_limits(in, spec->linux_, err);
	if (r == 0)
		r = spec_gen_security(in, spec, caps, err);
	if (r == 0)
		r = gen_personality(in, spec, err);
	if (r == 0)
		r = gen_annotations(in, spec, err);
	return r;
}

int spec_generate(struct spec_input *in, struct spec *ret, struct err *err)
{
	struct spec spec = { 0 };
	int r = generate(in, &spec, err);

	if (r < 0) {
		spec_free(&spec);
		return r;
	}
	*ret = spec;
	return 0;
}
