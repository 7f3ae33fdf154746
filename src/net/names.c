/* SPDX-License-Identifier: Apache-2.0 */
#include "net/names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/nft.h"

#define NAMES   "names"
#define TABLE   "inro-names"
#define PORT    45053 /* where programs of the container expect nothing */
#define BACKLOG 64

static bool is_id(const char *s)
{
	return strlen(s) == HEX_ID_LEN && hex_is_id_prefix(s);
}

/* A directory below run_dir that is there or is made. */
static int make_dir(int dir, const char *name, struct err *err)
{
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making directory %s", name);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening directory %s", name) : fd;
}

bool net_names_valid(const char *name)
{
	size_t len = strlen(name), label = 0;

	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i <= len; i++) {
		const char c = name[i];

		if (c == '.' || c == '\0') {
			if (label == 0 || label > 63 || name[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '_' && !(c == '-' && label > 0))
			return false;
		label++;
	}
	return true;
}

static bool is_repeated(const struct net_names *n, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcasecmp(n->names[i], n->names[at]) == 0)
			return true;
	return false;
}

void net_names_format(const struct net_names *n, struct buf *out)
{
	cleanup_buf struct buf words = BUF_INIT;
	char text[NET_ADDR_TEXT];

	for (size_t i = 0; i < n->n_names; i++)
		if (net_names_valid(n->names[i]) && !is_repeated(n, i))
			buf_addf(&words, " %s", n->names[i]);
	if (words.len == 0)
		return;
	for (size_t i = 0; i < n->n_addresses; i++)
		buf_addf(out, "%s%s\n", net_addr_format(&n->addresses[i], text), buf_str(&words));
}

int net_names_write(int run_dir, const struct net_names *n, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (!is_id(n->network) || !is_id(n->container))
		return err_fail(err, ERR_INVALID, "writing names: no id of a network or container");
	cleanup_fd int all = make_dir(run_dir, NAMES, err);
	if (all < 0)
		return all;
	cleanup_fd int dir = make_dir(all, n->network, err);
	if (dir < 0)
		return err_wrap(err, dir, "writing names");
	net_names_format(n, &text);
	int r = io_replace_file(dir, n->container, buf_str(&text), text.len, 0600, false, err);
	return r < 0 ? err_wrap(err, r, "writing names") : 0;
}

int net_names_remove(int run_dir, const char *network, const char *container, struct err *err)
{
	char path[sizeof(NAMES) + 2 * (HEX_ID_LEN + 1)];

	if (!is_id(network) || !is_id(container))
		return 0;
	snprintf(path, sizeof(path), NAMES "/%s/%s", network, container);
	if (unlinkat(run_dir, path, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing the names of container %.12s", container);
	return 0;
}

int net_names_forget(int run_dir, const char *network, struct err *err)
{
	cleanup_fd int all = -EBADF;

	if (!is_id(network))
		return 0;
	all = make_dir(run_dir, NAMES, err);
	return all < 0 ? all : path_remove_tree(all, network, err);
}

/* Not by $PATH, which is the user's. */
static const char *const programs[] = { "/usr/sbin/dnsmasq", "/usr/bin/dnsmasq",
					"/usr/local/sbin/dnsmasq", "/sbin/dnsmasq" };

const char *net_names_program(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	return NULL;
}

static int make_socket(int type, struct err *err)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_port = htons(PORT),
					.sin_addr.s_addr = htonl(0x7f00000b) };
	const int on = 1;

	cleanup_fd int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, errno, "making a socket for names");
	/* FREEBIND: lo may not be up yet. REUSEPORT: one that a dead service's heir makes. */
	if (setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG) < 0))
		return err_errno(err, errno, "binding a socket for names to " NET_NAMES_ADDRESS);
	return take_fd(fd);
}

static int redirect(struct err *err)
{
	static const uint8_t addr[4] = { 127, 0, 0, 11 };

	cleanup_fd int nf = nft_open(err);
	if (nf < 0)
		return nf;
	int r = nft_redirect_add(nf, TABLE, addr, 53, PORT, err);
	return r == -EEXIST ? 0 : r;
}

int net_names_sockets(int *ret_udp, int *ret_tcp, struct err *err)
{
	cleanup_fd int udp = make_socket(SOCK_DGRAM, err);
	cleanup_fd int tcp = udp < 0 ? udp : make_socket(SOCK_STREAM, err);
	int r = udp < 0 ? udp : tcp < 0 ? tcp : redirect(err);

	if (r < 0)
		return r;
	*ret_udp = take_fd(udp);
	*ret_tcp = take_fd(tcp);
	return 0;
}
