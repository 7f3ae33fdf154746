/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/etcfiles.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/ipam.h"
#include "net/names.h"

#define ETC_FILE_MAX (1u << 20)
#define HOST_NAMES   "host.containers.internal host.docker.internal"
#define ZONE_DIR     "/usr/share/zoneinfo/"

static const char hosts_default[] = "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::\tip6-localnet\n"
				    "ff00::\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n";

static bool has_empty_name(const char *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (names[i] == ';' && (i == 0 || i + 1 == n || names[i - 1] == ';'))
			return true;
	return false;
}

/* docker's: "NAME:ADDRESS" or "NAME=ADDRESS", the address in brackets, too; podman's:
 * "NAME;NAME:ADDRESS". "host-gateway" is this machine, which a container without a network of the
 * machine's can't reach. */
static int host_line(const struct run_options *opts, const struct etc_network *net,
		     const char *word, struct buf *out, struct err *err)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	size_t n = strcspn(word, ":=");
	cleanup_free char *address = NULL;
	size_t len;

	if (!n || !word[n] || !word[n + 1] || strpbrk(word, " \t\r\n") || has_empty_name(word, n))
		return err_fail(err, ERR_USAGE,
				"bad format for --add-host: \"%s\", expected NAME:ADDRESS", word);
	address = xstrdup(word + n + 1);
	len = strlen(address);
	if (address[0] == '[' && address[len - 1] == ']') {
		address[len - 1] = '\0';
		memmove(address, address + 1, len - 1);
	}
	if (str_eq(address, "host-gateway")) {
		const char *here = net ? net->gateway : NULL;

		if (!here && !str_eq(run_network_word(opts), "host"))
			return err_fail(err, ERR_UNSUPPORTED,
					"--add-host %s: only on a network with a gateway, and with "
					"--network host, can this machine be reached",
					word);
		free(address);
		address = xstrdup(here ? here : "127.0.0.1");
	} else if (inet_pton(AF_INET, address, bytes) != 1 &&
		   inet_pton(AF_INET6, address, bytes) != 1) {
		return err_fail(err, ERR_USAGE, "invalid IP address in --add-host: \"%s\"",
				address);
	}
	if (out->len && out->data[out->len - 1] != '\n')
		buf_addc(out, '\n');
	cleanup_free char *names = xstrndup(word, n);
	for (char *p = names; (p = strchr(p, ';'));)
		*p = ' ';
	buf_addf(out, "%s\t%s\n", address, names);
	return 0;
}

int etc_hosts_text(const struct run_options *opts, const struct etc_network *net, const char *host,
		   struct buf *out, struct err *err)
{
	int r = 0;

	buf_adds(out,
		 opts->hosts_file || str_eq(run_network_word(opts), "host") ? host : hosts_default);
	if (net && net->gateway)
		buf_addf(out, "%s\t%s\n", net->gateway, HOST_NAMES);
	for (size_t i = 0; r == 0 && opts->add_host && opts->add_host[i]; i++)
		r = host_line(opts, net, opts->add_host[i], out, err);
	return r;
}

bool etc_without_resolv(const struct run_options *opts)
{
	return opts->dns && str_eq(opts->dns[0], "none");
}

bool etc_zone_valid(const char *zone)
{
	cleanup_strv char **parts = strv_split(zone, '/');

	for (size_t i = 0; parts[i]; i++)
		if (!parts[i][0] || parts[i][0] == '.')
			return false;
	return true;
}

static void add_list(struct buf *out, const char *keyword, char *const *words)
{
	cleanup_free char *joined = NULL;

	if (!strv_len(words))
		return;
	joined = strv_join(words, " ");
	buf_addf(out, "%s %s\n", keyword, joined);
}

/* What the machine's file says beside servers, unless the user says otherwise. */
static void resolv_with_names(const struct run_options *opts, const char *host, struct buf *out)
{
	cleanup_strv char **lines = strv_split(host, '\n');

	buf_adds(out, "nameserver " NET_NAMES_ADDRESS "\n");
	for (size_t i = 0; lines[i]; i++)
		if ((!opts->dns_search &&
		     (str_starts(lines[i], "search ") || str_starts(lines[i], "domain "))) ||
		    (!opts->dns_option && str_starts(lines[i], "options ")))
			buf_addf(out, "%s\n", lines[i]);
	add_list(out, "search", opts->dns_search);
	add_list(out, "options", opts->dns_option);
}

void etc_resolv_text(const struct run_options *opts, const struct etc_network *net,
		     const char *host, struct buf *out)
{
	size_t i;

	if (net && net->names) {
		resolv_with_names(opts, host, out);
		return;
	}
	if (!opts->dns && !opts->dns_search && !opts->dns_option) {
		buf_adds(out, host);
		return;
	}
	for (i = 0; opts->dns && opts->dns[i]; i++)
		buf_addf(out, "nameserver %s\n", opts->dns[i]);
	add_list(out, "search", opts->dns_search);
	add_list(out, "options", opts->dns_option);
}

/* A word each of a line. */
static int check_words(char *const *words, const char *option, struct err *err)
{
	for (; words && *words; words++)
		if (!**words || strpbrk(*words, " \t\r\n"))
			return err_fail(err, ERR_USAGE, "invalid --%s \"%s\": expected one word",
					option, *words);
	return 0;
}

static int check_dns(const struct run_options *o, struct err *err)
{
	struct net_addr a;
	int r = 0;

	for (char *const *w = o->dns; r == 0 && w && *w; w++) {
		r = net_addr_parse(*w, &a, err);
		if (r < 0)
			err_wrap(err, err_set_kind(err, r, ERR_USAGE), "--dns");
	}
	if (r == 0)
		r = check_words(o->dns_search, "dns-search", err);
	return r < 0 ? r : check_words(o->dns_option, "dns-option", err);
}

static int check(const struct run_options *o, struct err *err)
{
	if (o->no_hosts && (o->add_host || o->hosts_file))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --no-hosts and --add-host or --hosts-file");
	if (etc_without_resolv(o) && (o->dns[1] || o->dns_search || o->dns_option))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --dns none and others of /etc/resolv.conf");
	return etc_without_resolv(o) ? 0 : check_dns(o, err);
}

static int write_new(int dirfd, const char *name, const struct buf *text, struct err *err)
{
	cleanup_fd int fd =
	    openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r = fd < 0 ? -errno : io_write(fd, buf_str(text), text->len);

	return r < 0 ? err_errno(err, -r, "writing the container's /etc/%s", name) : 0;
}

/* A machine without the file is as good as one with an empty one. */
static void read_host(const char *path, struct buf *out)
{
	if (io_read_file(AT_FDCWD, path, out, ETC_FILE_MAX, NULL) < 0)
		buf_reset(out);
}

static int write_hosts(int dirfd, const struct run_options *o, const struct etc_network *net,
		       struct err *err)
{
	cleanup_buf struct buf host = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	int r = 0;

	if (o->hosts_file && !str_eq(o->hosts_file, "none"))
		r = io_read_file(AT_FDCWD, o->hosts_file, &host, ETC_FILE_MAX, err);
	else if (!o->hosts_file && str_eq(run_network_word(o), "host"))
		read_host("/etc/hosts", &host);
	if (r < 0)
		return err_wrap(err, r, "--hosts-file");
	r = etc_hosts_text(o, net, buf_str(&host), &text, err);
	return r < 0 ? r : write_new(dirfd, "hosts", &text, err);
}

static int write_zone(int dirfd, const char *zone, struct err *err)
{
	cleanup_free char *path =
	    str_eq(zone, "local") ? xstrdup("/etc/localtime") : xasprintf(ZONE_DIR "%s", zone);
	cleanup_buf struct buf text = BUF_INIT;

	if (!etc_zone_valid(zone))
		return err_fail(err, ERR_USAGE, "--tz: unrecognized timezone %s", zone);
	if (io_read_file(AT_FDCWD, path, &text, ETC_FILE_MAX, NULL) < 0)
		return err_hint(err,
				err_fail(err, ERR_NOT_FOUND,
					 "--tz: unrecognized timezone %s: no file %s", zone, path),
				"it is this machine's package tzdata that has them");
	return write_new(dirfd, "localtime", &text, err);
}

int etc_files_write(int dirfd, const struct run_options *opts, const char *hostname,
		    const struct etc_network *net, struct err *err)
{
	cleanup_buf struct buf host = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	int r = check(opts, err);

	buf_addf(&text, "%s\n", hostname);
	if (r == 0)
		r = write_new(dirfd, "hostname", &text, err);
	if (r == 0)
		r = write_hosts(dirfd, opts, net, err);
	if (r == 0 && opts->tz)
		r = write_zone(dirfd, opts->tz, err);
	if (r < 0)
		return r;
	buf_reset(&text);
	read_host("/etc/resolv.conf", &host);
	etc_resolv_text(opts, net, buf_str(&host), &text);
	return write_new(dirfd, "resolv.conf", &text, err);
}
