/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_files.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/network_place.h"

#define FILE_MAX (1u << 20)

char *net_hostname(const struct record *rec)
{
	return rec->options.hostname ? xstrdup(rec->options.hostname) : xstrndup(rec->id, 12);
}

/* The container may have written anything there. */
static void cut_behind(struct buf *text, const char *mark)
{
	const char *at = text->len ? memmem(text->data, text->len, mark, strlen(mark)) : NULL;

	if (at)
		text->len = (size_t)(at - (const char *)text->data);
}

void net_hosts_text(const struct net_start *ns, const char *hostname, const char *name,
		    struct buf *text)
{
	char addr[NET_ADDR_TEXT];

	cut_behind(text, NET_HOSTS_MARK);
	if (text->len && text->data[text->len - 1] != '\n')
		buf_addc(text, '\n');
	buf_adds(text, NET_HOSTS_MARK);
	for (size_t i = 0; i < ns->n; i++) {
		const struct net_addr *const of[] = { &ns->links[i].addrs.ip4,
						      &ns->links[i].addrs.ip6 };

		for (size_t k = 0; k < ARRAY_SIZE(of); k++)
			if (of[k]->family)
				buf_addf(text, "%s\t%s%s%s\n", net_addr_format(of[k], addr),
					 hostname, str_eq(hostname, name) ? "" : " ",
					 str_eq(hostname, name) ? "" : name);
	}
}

struct file {
	int dir;
	const char *name;
	const struct buf *text;
};

static int rewrite(void *data, struct err *err)
{
	const struct file *h = data;
	cleanup_fd int fd = openat(h->dir, h->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : io_write(fd, h->text->data, h->text->len);

	if (r >= 0 && ftruncate(fd, (off_t)h->text->len) < 0)
		r = -errno;
	return r < 0 ? err_errno(err, -r, "writing its /etc/%s", h->name) : 0;
}

/* A user's file may be the container's root's (MONITOR_OPT_GIVE), another id of the user's. */
static int rewrite_given(struct engine *eng, struct file *h, struct err *err)
{
	struct net_place place;
	int r = network_place(eng, true, &place, err);

	return r < 0 ? r : net_place_run(&place, rewrite, h, err);
}

static int open_bundle(struct engine *eng, const struct record *rec, struct err *err)
{
	int fd =
	    openat(eng->containers_fd, rec->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_errno(err, errno, "opening the directory of container %s", rec->name)
		      : fd;
}

int net_hosts_write(struct engine *eng, const struct record *rec, const struct net_start *ns,
		    struct err *err)
{
	cleanup_fd int dir = open_bundle(eng, rec, err);
	cleanup_free char *hostname = net_hostname(rec);
	cleanup_buf struct buf text = BUF_INIT;
	int r = dir < 0 ? dir : io_read_file(dir, "hosts", &text, FILE_MAX, err);

	if (r == -EFBIG) { /* it is the container's own, who is not kept from starting by it */
		log_warn("/etc/hosts of container %s is left as it is: it is larger than %u bytes",
			 rec->name, FILE_MAX);
		return 0;
	}
	if (r < 0)
		return r;
	net_hosts_text(ns, hostname, rec->name, &text);
	struct file h = { dir, "hosts", &text };
	r = rewrite(&h, err);
	return r == -EACCES && eng->rootless ? rewrite_given(eng, &h, err) : r;
}

int net_resolv_write(struct engine *eng, const struct record *rec, const struct buf *text,
		     struct err *err)
{
	cleanup_fd int dir = open_bundle(eng, rec, err);
	struct file f = { dir, "resolv.conf", text };
	struct err own = ERR_INIT;
	int r = dir < 0 ? dir : rewrite(&f, &own);

	if (dir >= 0 && r < 0 && r != -ENOENT && err)
		*err = own;
	return r == -ENOENT ? 0 : r;
}
