/* SPDX-License-Identifier: Apache-2.0 */
/* The settings, and what their values must look like. */
#include "engine/config.h"

#include "base/str.h"
#include "engine/log_options.h"
#include "net/netspec.h"
#include "oci/reference.h"

#define GLOBAL(member)   offsetof(struct config, member)
#define REGISTRY(member) offsetof(struct config_registry, member)

/* "host[:port][/path]": what a whole reference may begin with. */
static int check_location(const char *word, struct err *err)
{
	cleanup_free char *name = xasprintf("%s/any/path", word);
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *whole = NULL;

	if (reference_parse(name, &ref, NULL) == 0)
		whole = reference_repository(&ref);
	if (whole && str_eq(whole, name))
		return 0;
	return err_fail(
	    err, ERR_INVALID,
	    "expected a registry like host.example:5000 or host.example/path, got \"%s\"", word);
}

static int check_mirror(const char *word, struct err *err)
{
	const char *rest = str_after(word, "https://");

	if (!rest)
		rest = str_after(word, "http://");
	return check_location(rest ? rest : word, err);
}

static int check_reference(const char *word, struct err *err)
{
	const char *slash = strchr(word, '/');
	cleanup_free char *domain = xstrndup(word, slash ? (size_t)(slash - word) : 0);
	cleanup_reference struct reference ref = { 0 };

	if (reference_parse(word, &ref, err) < 0)
		return -EINVAL;
	if (!str_eq(ref.domain, domain))
		return err_fail(err, ERR_INVALID,
				"expected a whole reference like docker.io/library/debian, got "
				"\"%s\"",
				word);
	return 0;
}

static int check_path(const char *word, struct err *err)
{
	if (word[0] == '/')
		return 0;
	return err_fail(err, ERR_INVALID, "expected an absolute path, got \"%s\"", word);
}

static int check_proxy(const char *word, struct err *err)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		const char *rest = str_after(word, schemes[i]);

		if (rest && *rest && *rest != '/')
			return 0;
	}
	return err_fail(err, ERR_INVALID,
			"expected an address like http://proxy.example:3128, got \"%s\"", word);
}

static int check_network(const char *word, struct err *err)
{
	struct netspec spec = { .kind = NETSPEC_NONE };
	int r = netspec_parse(word, &spec, err);

	if (r == 0 && spec.kind == NETSPEC_CONTAINER)
		r = err_fail(err, ERR_INVALID, "expected a network, host or none, got \"%s\"",
			     word);
	netspec_done(&spec);
	return r;
}

const struct config_setting config_settings[] = {
	{ .section = "image",
	  .key = "short_names",
	  .kind = CONFIG_LIST,
	  .offset = GLOBAL(image.short_names),
	  .initial = "docker.io",
	  .arg = "REGISTRY[, ...]",
	  .check = check_location,
	  .help =
	      "Where an image is looked for whose name has no registry, in this order. An entry "
	      "may have a path: \"quay.io/team\". Only a registry that says that it has no such "
	      "image is passed over; any other failure ends the search, so that nobody gets to "
	      "choose where an image comes from by making a registry fail." },
	{ .section = "image",
	  .key = "alias.",
	  .kind = CONFIG_MAP,
	  .offset = GLOBAL(image.aliases),
	  .arg = "REFERENCE",
	  .check = check_reference,
	  .help = "What a short name stands for, instead of a search: with \"alias.web = "
		  "quay.io/team/web\", \"inro run web:2\" takes quay.io/team/web:2." },
	{ .section = "image",
	  .key = "policy",
	  .kind = CONFIG_STR,
	  .offset = GLOBAL(image.policy),
	  .arg = "FILE",
	  .check = check_path,
	  .help = "The policy that says which images are let in, and by whose keys they must be "
		  "signed, in the format of containers-policy.json(5). Not set: "
		  "~/.config/containers/policy.json of an unprivileged user, else "
		  "/etc/containers/policy.json, which podman and skopeo read, too. Without any of "
		  "these all images are let in." },
	{ .section = "image",
	  .key = "max_size",
	  .kind = CONFIG_BYTES,
	  .offset = GLOBAL(image.max_size),
	  .initial = "0",
	  .arg = "BYTES",
	  .help = "How much images may take on the disk, like \"20g\"; then those that nobody has "
		  "used for the longest time and no container needs are removed in the background "
		  "when one has been added. What counts is what their files and partial downloads "
		  "take. Would that not be enough, none is removed. 0: no limit." },
	{ .section = "log",
	  .key = "driver",
	  .kind = CONFIG_STR,
	  .offset = GLOBAL(log.driver),
	  .initial = "k8s-file",
	  .arg = "DRIVER",
	  .check = log_driver_check,
	  .help = "Where the output of new containers goes: \"k8s-file\", \"json-file\", "
		  "\"journald\" or \"none\"; see --log-driver of inro-run(1)." },
	{ .section = "log",
	  .key = "max_size",
	  .kind = CONFIG_BYTES,
	  .offset = GLOBAL(log.max_size),
	  .initial = "10m",
	  .arg = "BYTES",
	  .help = "How long one file of a container's log becomes. 0: no limit." },
	{ .section = "log",
	  .key = "max_files",
	  .kind = CONFIG_COUNT,
	  .offset = GLOBAL(log.max_files),
	  .initial = "3",
	  .arg = "NUMBER",
	  .min = 1,
	  .max = LOGLINE_FILES_MAX,
	  .help = "How many files of a container's log there are, with the newest one." },
	{ .section = "network",
	  .key = "default",
	  .kind = CONFIG_STR,
	  .offset = GLOBAL(network.fallback),
	  .initial = NETSPEC_DEFAULT,
	  .arg = "NETWORK",
	  .check = check_network,
	  .help = "The network of new containers and pods that are made without --network, in "
		  "words of that option: the name of a network, \"none\", \"host\", or what else "
		  "--network takes." },
	{ .section = "transfer",
	  .key = "parallel",
	  .kind = CONFIG_COUNT,
	  .offset = GLOBAL(transfer.parallel),
	  .initial = "6",
	  .arg = "NUMBER",
	  .min = 1,
	  .max = 32,
	  .help = "How many layers are downloaded or uploaded at the same time." },
	{ .section = "transfer",
	  .key = "retries",
	  .kind = CONFIG_COUNT,
	  .offset = GLOBAL(transfer.retries),
	  .initial = "5",
	  .arg = "NUMBER",
	  .max = CONFIG_RETRIES_MAX,
	  .help =
	      "How often a request to a registry is tried again when it fails for a reason that "
	      "may pass, such as a broken connection." },
	{ .section = "transfer",
	  .key = "timeout",
	  .kind = CONFIG_DURATION,
	  .offset = GLOBAL(transfer.timeout_s),
	  .initial = "60s",
	  .arg = "DURATION",
	  .min = 1,
	  .max = 24 * 3600,
	  .help = "How long to wait for a registry that doesn't answer or stops sending: \"90s\", "
		  "\"2m\"." },
	{ .section = "transfer",
	  .key = "http_proxy",
	  .kind = CONFIG_STR,
	  .offset = GLOBAL(transfer.http_proxy),
	  .arg = "URL",
	  .check = check_proxy,
	  .help = "The proxy for http://. The environment's http_proxy comes first." },
	{ .section = "transfer",
	  .key = "https_proxy",
	  .kind = CONFIG_STR,
	  .offset = GLOBAL(transfer.https_proxy),
	  .arg = "URL",
	  .check = check_proxy,
	  .help = "The proxy for https://. The environment's https_proxy comes first." },
	{ .section = "transfer",
	  .key = "no_proxy",
	  .kind = CONFIG_STR,
	  .offset = GLOBAL(transfer.no_proxy),
	  .arg = "HOST[, ...]",
	  .help = "Hosts and domains that are reached without a proxy. The environment's no_proxy "
		  "comes first." },
	{ .section = CONFIG_REGISTRY,
	  .key = "mirror",
	  .kind = CONFIG_LIST,
	  .offset = REGISTRY(mirrors),
	  .arg = "URL",
	  .check = check_mirror,
	  .help = "A mirror that pulls try before the registry itself: \"https://mirror.example\", "
		  "with a path when it keeps this registry's repositories below one. What is said "
		  "of the mirror (insecure, tls_dir) stands in a section of its own." },
	{ .section = CONFIG_REGISTRY,
	  .key = "location",
	  .kind = CONFIG_STR,
	  .offset = REGISTRY(location),
	  .arg = "HOST[:PORT][/PATH]",
	  .check = check_location,
	  .help = "Where this registry really is. Names of images stay what they are." },
	{ .section = CONFIG_REGISTRY,
	  .key = "blocked",
	  .kind = CONFIG_BOOL,
	  .offset = REGISTRY(blocked),
	  .arg = "BOOL",
	  .help = "Refuse to pull from it, to push to it and to log in, however its name is "
		  "written." },
	{ .section = CONFIG_REGISTRY,
	  .key = "insecure",
	  .kind = CONFIG_BOOL,
	  .offset = REGISTRY(insecure),
	  .arg = "BOOL",
	  .help = "Don't check its certificate, and use plain http when it has no https. That "
		  "holds for its own host, not for others that it names as token server or where "
		  "its blobs lie. The registries of this machine (localhost, 127.0.0.0/8, ::1) are "
		  "taken so unless it is false here." },
	{ .section = CONFIG_REGISTRY,
	  .key = "tls_dir",
	  .kind = CONFIG_STR,
	  .offset = REGISTRY(tls_dir),
	  .arg = "DIRECTORY",
	  .check = check_path,
	  .help = "Certificates: *.crt of authorities besides the system's, *.cert with *.key "
		  "for this machine to show. Not set: the directory of its name and port in "
		  "/etc/inro/certs.d, /etc/containers/certs.d or /etc/docker/certs.d." },
};
const size_t config_n_settings = ARRAY_SIZE(config_settings);
