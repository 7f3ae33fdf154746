/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry_tls.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"

#define FILE_MAX_BYTES (1u << 20)
#define NAMES_MAX      1000

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(int dir_fd, char ***ret)
{
	cleanup_strv char **names = NULL;
	int fd = fd_dup(dir_fd, 3);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		int r = fd < 0 ? fd : -errno;
		fd_close(fd);
		return r;
	}
	for (struct dirent *e; (e = readdir(dir)) && strv_len(names) < NAMES_MAX;)
		strv_add(&names, e->d_name);
	closedir(dir);
	if (names)
		qsort(names, strv_len(names), sizeof(*names), compare);
	*ret = take_ptr(names);
	return 0;
}

static int file_add(int dir_fd, const char *name, struct buf *text, struct err *err)
{
	int r = io_read_file(dir_fd, name, text, text->len + FILE_MAX_BYTES, err);
	if (r == 0 && text->len > REGISTRY_TLS_MAX / 4)
		r = err_fail(err, ERR_LIMIT, "reading %s: more than %u bytes of certificates", name,
			     REGISTRY_TLS_MAX / 4);
	if (r == 0 && text->len > 0 && text->data[text->len - 1] != '\n')
		buf_addc(text, '\n');
	return r;
}

static int pair_read(int dir_fd, const char *cert_name, struct registry_tls *tls, struct err *err)
{
	cleanup_buf struct buf cert = BUF_INIT, key = BUF_INIT;
	cleanup_free char *key_name =
	    xasprintf("%.*s.key", (int)(strlen(cert_name) - strlen(".cert")), cert_name);

	int r = file_add(dir_fd, cert_name, &cert, err);
	if (r == 0)
		r = file_add(dir_fd, key_name, &key, err);
	if (r == -ENOENT)
		return err_hint(err, r, "a client certificate NAME.cert needs its NAME.key");
	if (r < 0)
		return r;
	tls->cert = buf_take(&cert);
	tls->key = buf_take(&key);
	return 0;
}

int registry_tls_read(const char *dir, struct registry_tls *ret, struct err *err)
{
	cleanup_strv char **names = NULL;
	cleanup_buf struct buf ca = BUF_INIT;
	struct registry_tls tls = { NULL };

	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		*ret = tls;
		return 0;
	}
	int r = fd < 0 ? -errno : names_read(fd, &names);
	if (r < 0)
		return err_errno(err, -r, "reading certificates in %s", dir);
	for (char **name = names; name && *name && r == 0; name++) {
		if (str_ends(*name, ".crt"))
			r = file_add(fd, *name, &ca, err);
		else if (str_ends(*name, ".cert") && !tls.cert)
			r = pair_read(fd, *name, &tls, err);
	}
	if (r < 0) {
		json_free(&registry_tls_desc, &tls);
		return err_wrap(err, r, "reading certificates in %s", dir);
	}
	if (ca.len > 0)
		tls.ca = buf_take(&ca);
	*ret = tls;
	return 0;
}
