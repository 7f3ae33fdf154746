/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/spec.h"

#include "base/str.h"
#include "base/strv.h"

bool spec_ns_own(const struct spec *spec, enum spec_ns type)
{
	const struct spec_namespace *ns = spec_namespace_find(spec, type);

	return ns && !ns->path;
}

/* docker's: what belongs to the network is that of the container whose network it is. */
static int check_joined_network(const struct run_options *o, struct err *err)
{
	if (!run_network_word(o) || !str_starts(run_network_word(o), "container:"))
		return 0;
	if (o->hostname)
		return err_fail(err, ERR_USAGE,
				"conflicting options: hostname and the network mode");
	if (o->dns || o->dns_search || o->dns_option)
		return err_fail(err, ERR_USAGE, "conflicting options: dns and the network mode");
	if (o->add_host || o->hosts_file)
		return err_fail(err, ERR_USAGE,
				"conflicting options: custom host-to-IP mapping and the network "
				"mode");
	return 0;
}

static int gen_hostname(const struct spec_input *in, struct spec *spec, struct err *err)
{
	const struct run_options *o = in->opts;
	struct ns_word uts;
	int r;

	r = ns_word_parse("uts", o->uts, &uts, err);
	if (r == 0)
		r = check_joined_network(o, err);
	if (r < 0)
		return r;
	if (uts.mode != NS_WORD_OWN) {
		if (o->hostname || o->domainname)
			return err_fail(
			    err, ERR_USAGE,
			    "conflicting options: --hostname and --domainname need a UTS "
			    "namespace of their own, --uts %s has none",
			    o->uts);
		return 0;
	}
	if (o->hostname)
		spec->hostname = xstrdup(o->hostname);
	else if (str_eq(run_network_word(o), "host"))
		spec->hostname = xstrdup(in->host_name);
	else if (in->joins && in->joins->hostname)
		spec->hostname = xstrdup(in->joins->hostname);
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
	spec->root->path = xstrdup(in->rootfs ? in->rootfs : "rootfs");
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
	return r == 0 && in->cdi ? spec_gen_cdi(in->cdi, spec, err) : r;
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
