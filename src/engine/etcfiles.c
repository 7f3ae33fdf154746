/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/etcfiles.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"

#define ETC_FILE_MAX (1u << 20)

static const char hosts_default[] = "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::\tip6-localnet\n"
				    "ff00::\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n";

int etc_hosts_text(const struct run_options *opts, const char *host, struct buf *out,
		   struct err *err)
{
	size_t i;

	buf_adds(out, str_eq(opts->network, "host") ? host : hosts_default);
	for (i = 0; opts->add_host && opts->add_host[i]; i++) {
		const char *word = opts->add_host[i];
		size_t n = strcspn(word, ":=");

		if (!n || !word[n] || !word[n + 1] || strpbrk(word, " \t\n"))
			return err_fail(err, ERR_USAGE,
					"bad format for --add-host: \"%s\", expected NAME:ADDRESS",
					word);
		if (out->len && out->data[out->len - 1] != '\n')
			buf_addc(out, '\n');
		buf_addf(out, "%s\t%.*s\n", word + n + 1, (int)n, word);
	}
	return 0;
}

static void add_list(struct buf *out, const char *keyword, char *const *words)
{
	cleanup_free char *joined = NULL;

	if (!strv_len(words))
		return;
	joined = strv_join(words, " ");
	buf_addf(out, "%s %s\n", keyword, joined);
}

void etc_resolv_text(const struct run_options *opts, const char *host, struct buf *out)
{
	size_t i;

	if (!opts->dns && !opts->dns_search && !opts->dns_option) {
		buf_adds(out, host);
		return;
	}
	for (i = 0; opts->dns && opts->dns[i]; i++)
		buf_addf(out, "nameserver %s\n", opts->dns[i]);
	add_list(out, "search", opts->dns_search);
	add_list(out, "options", opts->dns_option);
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

int etc_files_write(int dirfd, const struct run_options *opts, const char *hostname,
		    struct err *err)
{
	cleanup_buf struct buf host = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	buf_addf(&text, "%s\n", hostname);
	r = write_new(dirfd, "hostname", &text, err);
	if (r < 0)
		return r;
	buf_reset(&text);
	if (str_eq(opts->network, "host"))
		read_host("/etc/hosts", &host);
	r = etc_hosts_text(opts, buf_str(&host), &text, err);
	if (r == 0)
		r = write_new(dirfd, "hosts", &text, err);
	if (r < 0)
		return r;
	buf_reset(&host);
	buf_reset(&text);
	read_host("/etc/resolv.conf", &host);
	etc_resolv_text(opts, buf_str(&host), &text);
	return write_new(dirfd, "resolv.conf", &text, err);
}
