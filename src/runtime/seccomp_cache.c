/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp_cache.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/seccomp_policy.h"
#include "sys/seccomp.h"

#define CACHE_FILE_MAX (8u << 20)

/* File: this, the key, the program. */
struct header {
	char magic[8];
	uint64_t key_len, bpf_len;
};
static const char magic[8] = "inrobpf1";

/* FNV-1a, 64 bits. */
static uint64_t hash(const struct buf *b)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < b->len; i++)
		h = (h ^ (unsigned char)b->data[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void write_key(const struct spec_seccomp *s, struct buf *key)
{
	const struct scmp_version *v = seccomp_version();
	struct spec_seccomp filter = *s;
	struct utsname uts = { 0 };

	/* Who is notified makes no other filter, and the metadata may differ for each container. */
	filter.listener_path = filter.listener_metadata = NULL;
	/* Actions that the kernel lacks are compiled differently: its release is part of the key.
	 */
	uname(&uts);
	buf_addf(key, "%s libseccomp %u.%u.%u linux %s %s\n", INRO_VERSION, v->major, v->minor,
		 v->micro, uts.release, uts.machine);
	json_write(&spec_seccomp_desc, &filter, 0, key);
}

/* The directory, which must be ours alone: what is in it becomes a filter. */
static int open_cache(const struct runtime *rt, struct err *err)
{
	cleanup_free char *path = path_join(rt->root, ".cache/seccomp");
	cleanup_fd int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		fd = path_mkdirs(path, 0700, err);
	else if (fd < 0)
		return err_errno(err, errno, "opening %s", path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "reading %s", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_fail(err, ERR_DENIED, "%s is open to other users", path);
	return take_fd(fd);
}

/* true: bpf holds the program. Anything that is not exactly what was written is no hit. */
static bool cache_read(int dir, const char *name, const struct buf *key, struct buf *bpf)
{
	CLEANUP(buf_done) struct buf file = BUF_INIT;
	struct header h;

	if (io_read_file(dir, name, &file, CACHE_FILE_MAX, NULL) < 0 || file.len < sizeof(h))
		return false;
	memcpy(&h, file.data, sizeof(h));
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.key_len != key->len || h.bpf_len == 0 ||
	    h.bpf_len % sizeof(struct sock_filter) != 0 || h.bpf_len > CACHE_FILE_MAX ||
	    file.len != sizeof(h) + h.key_len + h.bpf_len)
		return false;
	if (memcmp(file.data + sizeof(h), key->data, key->len) != 0)
		return false;
	buf_add(bpf, file.data + sizeof(h) + h.key_len, h.bpf_len);
	return true;
}

static void cache_write(int dir, const char *name, const struct buf *key, const struct buf *bpf)
{
	CLEANUP(buf_done) struct buf file = BUF_INIT;
	struct header h = { .key_len = key->len, .bpf_len = bpf->len };

	memcpy(h.magic, magic, sizeof(magic));
	buf_add(&file, &h, sizeof(h));
	buf_add(&file, key->data, key->len);
	buf_add(&file, bpf->data, bpf->len);
	/* Without it the next container compiles again: no failure. */
	io_replace_file(dir, name, file.data, file.len, 0600, false, NULL);
}

static int compile(const struct spec_seccomp *s, struct buf *bpf, struct err *err)
{
	struct seccomp_policy_holder holder;
	int r = seccomp_policy_make(s, &holder, err);

	if (r >= 0)
		r = seccomp_compile(&holder.policy, bpf, err);
	seccomp_policy_done(&holder);
	return r < 0 ? err_wrap(err, r, "compiling linux.seccomp") : 0;
}

int seccomp_prepare(const struct runtime *rt, const struct spec_seccomp *s, struct buf *bpf,
		    unsigned int *ret_flags, struct err *err)
{
	CLEANUP(buf_done) struct buf key = BUF_INIT;
	cleanup_fd int dir = -EBADF;
	char name[20];
	int r;

	r = seccomp_flags_make(s, ret_flags, err);
	if (r < 0)
		return r;
	write_key(s, &key);
	snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash(&key));
	dir = open_cache(rt, NULL);
	if (dir >= 0 && cache_read(dir, name, &key, bpf))
		return 0;
	buf_reset(bpf);
	r = compile(s, bpf, err);
	if (r >= 0 && dir >= 0)
		cache_write(dir, name, &key, bpf);
	return r < 0 ? r : 0;
}
