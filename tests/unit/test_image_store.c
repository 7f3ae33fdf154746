/* SPDX-License-Identifier: Apache-2.0 */
/* The image store's files, as any user: locks, staging, blobs, lists of layers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/sha256.h"
#include "image/shim.h"
#include "image/store.h"
#include "image/verify.h"
#include "oci/digest.h"
#include "sys/mount.h"

#define UPPER32 "BA7816BF8F01CFEA414140DE5DAE2223"

struct fixture {
	char *root;
	struct image_store store;
};

static int setup(void **state)
{
	struct fixture *fx = xcalloc(1, sizeof(*fx));
	char id[HEX_ID_LEN + 1];
	struct err err = ERR_INIT;

	if (hex_random_id(id) < 0)
		return -1;
	fx->root = xasprintf("/tmp/inro-test-%s/a/store", id);
	*state = fx;
	return image_store_open(fx->root, geteuid() != 0, &fx->store, &err);
}

static int teardown(void **state)
{
	struct fixture *fx = *state;
	cleanup_free char *top = xstrdup(fx->root);

	image_store_done(&fx->store);
	top[strlen(top) - strlen("/a/store")] = '\0';
	cleanup_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path_remove_tree(tmp, top + strlen("/tmp/"), NULL);
	free(fx->root);
	free(fx);
	return 0;
}

static bool exists(const struct fixture *fx, const char *path)
{
	struct stat st;

	return fstatat(fx->store.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_sha256(void **state)
{
	uint8_t data[300], ours[32], theirs[EVP_MAX_MD_SIZE];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 3);
	for (size_t len = 0; len <= sizeof(data); len++) {
		sha256(data, len, ours);
		assert_int_equal(EVP_Digest(data, len, theirs, NULL, EVP_sha256(), NULL), 1);
		assert_memory_equal(ours, theirs, 32);
	}
	char text[SHA256_TEXT_MAX];
	assert_string_equal(
	    sha256_text("abc", 3, text),
	    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_directories_are_private(void **state)
{
	struct fixture *fx = *state;
	struct stat st;

	assert_int_equal(fstat(fx->store.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(exists(fx, "blobs/sha256"));
	assert_true(exists(fx, "layers"));
}

static void test_staging_outlives_no_command(void **state)
{
	struct fixture *fx = *state;
	const struct timespec pause = { .tv_nsec = 10000000 };
	struct image_store again;
	struct staging ours = STAGING_INIT;
	struct err err = ERR_INIT;

	/* One that is held, and one whose command was killed. */
	assert_int_equal(staging_new(&fx->store, &ours, &err), 0);
	assert_int_equal(mkdirat(ours.fd, "dir", 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, "staging/dead", 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, "staging/dead/sub", 0700), 0);
	assert_int_equal(image_store_open(fx->root, geteuid() != 0, &again, &err), 0);
	image_store_done(&again);
	cleanup_free char *path = path_join("staging", ours.name);
	assert_true(exists(fx, path));
	/* In the background. */
	for (int i = 0; i < 2000 && exists(fx, "staging/dead"); i++)
		nanosleep(&pause, NULL);
	assert_false(exists(fx, "staging/dead"));
	staging_done(&fx->store, &ours);
	assert_false(exists(fx, path));
}

static void test_nothing_is_collected_during_a_load(void **state)
{
	struct fixture *fx = *state;
	struct image_store other;
	struct err err = ERR_INIT;
	uint64_t freed;

	assert_int_equal(image_store_open(fx->root, geteuid() != 0, &other, &err), 0);
	assert_int_equal(store_lock_shared(&other, &err), 0);
	assert_int_equal(image_collect_begin(&fx->store, &err), 0);
	/* Who holds the lock is told. */
	image_store_unlock(&other);
	assert_true(image_collect_wanted(&other));
	assert_int_equal(image_collect_begin(&other, &err), 1);
	assert_int_equal(image_collect(&other, &(struct image_keep){ NULL }, &freed, &err), 0);
	assert_false(image_collect_wanted(&fx->store));
	image_store_done(&other);
}

static void make_blob(const struct fixture *fx, const char *hex, const char *data)
{
	cleanup_free char *path = xasprintf("blobs/sha256/%s", hex);
	struct err err = ERR_INIT;

	assert_int_equal(io_replace_file(fx->store.fd, path, data, strlen(data), 0600, false, &err),
			 0);
}

static void test_what_is_listed_is_kept(void **state)
{
	struct fixture *fx = *state;
	char blob_a[] = "sha256:aa", blob_c[] = "sha256:cc", layer[] = "sha256:11";
	char *blobs[] = { blob_a, blob_c, NULL }, *layers[] = { layer, NULL };
	const struct image_keep keep = { .blobs = blobs, .diff_ids = layers };
	struct err err = ERR_INIT;
	uint64_t freed;

	make_blob(fx, "aa", "1");
	make_blob(fx, "bb", "12345");
	make_blob(fx, "cc", "1");
	make_blob(fx, "dd", "123");
	assert_int_equal(mkdirat(fx->store.fd, "layers/11", 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, "layers/22", 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, "layers/22/fs", 0700), 0);
	assert_int_equal(image_collect_begin(&fx->store, &err), 1);
	assert_int_equal(image_collect(&fx->store, &keep, &freed, &err), 0);
	assert_int_equal(freed, 8);
	assert_true(exists(fx, "blobs/sha256/aa"));
	assert_false(exists(fx, "blobs/sha256/bb"));
	assert_true(exists(fx, "blobs/sha256/cc"));
	assert_false(exists(fx, "blobs/sha256/dd"));
	assert_true(exists(fx, "layers/11"));
	assert_false(exists(fx, "layers/22"));
}

static void make_layer(const struct fixture *fx, const char *diff_id)
{
	cleanup_free char *dir = xasprintf("layers/%s", digest_hex(diff_id));
	cleanup_free char *fs = path_join(dir, "fs");

	assert_int_equal(mkdirat(fx->store.fd, dir, 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, fs, 0755), 0);
}

/* The name of one made for the layers from the bottom up to k. */
static char *make_shim(const struct fixture *fx, char *const *diff_ids, size_t k)
{
	cleanup_free char *dir = xasprintf("layers/%s/shims", digest_hex(diff_ids[k]));
	char chain[SHA256_TEXT_MAX] = "";

	for (size_t i = 0; i <= k; i++)
		shim_chain_add(chain, diff_ids[i]);
	mkdirat(fx->store.fd, dir, 0700);
	char *shim = path_join(dir, digest_hex(chain));
	assert_int_equal(mkdirat(fx->store.fd, shim, 0700), 0);
	return shim;
}

static int text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The upper layer stays for one image; what went on top of it in the other is for nobody. */
static void test_shims_go_with_their_image(void **state)
{
	struct fixture *fx = *state;
	char a[SHA256_TEXT_MAX], b[SHA256_TEXT_MAX], upper[SHA256_TEXT_MAX];
	struct err err = ERR_INIT;
	uint64_t freed;

	sha256_text("a", 1, a);
	sha256_text("b", 1, b);
	sha256_text("upper", 5, upper);
	make_layer(fx, a);
	make_layer(fx, b);
	make_layer(fx, upper);
	cleanup_free char *kept = make_shim(fx, (char *[]){ a, upper }, 1);
	cleanup_free char *stale = make_shim(fx, (char *[]){ b, upper }, 1);
	cleanup_free char *deeper = make_shim(fx, (char *[]){ a, b, upper }, 2);
	cleanup_free char *one = xasprintf("%s,%s", a, upper), *other = xasprintf("%s,%s", a, b);
	char *diff_ids[] = { a, b, upper, NULL }, *stacks[] = { one, other, NULL };
	qsort(diff_ids, 3, sizeof(*diff_ids), text_compare);
	const struct image_keep keep = { .diff_ids = diff_ids, .stacks = stacks };
	assert_int_equal(image_collect_begin(&fx->store, &err), 1);
	assert_int_equal(image_collect(&fx->store, &keep, &freed, &err), 0);
	assert_true(exists(fx, kept));
	assert_false(exists(fx, stale));
	assert_false(exists(fx, deeper));
}

static void test_too_many_layers(void **state)
{
	struct fixture *fx = *state;
	cleanup_strv char **diff_ids = NULL;
	struct err err = ERR_INIT;
	char digest[SHA256_TEXT_MAX];
	int *fds = NULL;
	size_t n = 0;

	for (unsigned int i = 0; i < MOUNT_LAYERS_MAX; i++) {
		strv_add(&diff_ids, sha256_text(&i, sizeof(i), digest));
		make_layer(fx, digest);
	}
	assert_int_equal(image_open_layers(&fx->store, diff_ids, &fds, &n, &err), 0);
	assert_int_equal(n, MOUNT_LAYERS_MAX);
	while (n > 0)
		fd_close(fds[--n]);
	free(fds);
	strv_add(&diff_ids, sha256_text("one more", 8, digest));
	make_layer(fx, digest);
	assert_true(image_open_layers(&fx->store, diff_ids, &fds, &n, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_non_null(
	    strstr(err.msg, "the image's 501 layers take more than the 500 directories"));
	assert_non_null(strstr(err.hint, "built again with fewer"));
}

static void test_blobs_are_verified(void **state)
{
	struct fixture *fx = *state;
	cleanup_buf struct buf text = BUF_INIT, got = BUF_INIT;
	struct staging st = STAGING_INIT;
	struct err err = ERR_INIT;
	char digest[SHA256_TEXT_MAX];

	buf_adds(&text, "{}");
	sha256_text("{}", 2, digest);
	assert_int_equal(blob_read(&fx->store, digest, &got, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(staging_new(&fx->store, &st, &err), 0);
	assert_int_equal(blob_stage(&st, digest, &text, &err), 0);
	char *digests[] = { digest, NULL };
	assert_int_equal(store_commit(&fx->store, &st, digests, NULL, &err), 0);
	staging_done(&fx->store, &st);
	assert_int_equal(blob_read(&fx->store, digest, &got, &err), 0);
	assert_string_equal(buf_str(&got), "{}");
	assert_true(blob_exists(&fx->store, digest, 2));
	assert_false(blob_exists(&fx->store, digest, 3));

	cleanup_free char *path = xasprintf("blobs/sha256/%s", digest + strlen("sha256:"));
	cleanup_fd int fd = openat(fx->store.fd, path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(io_write(fd, "[]", 2), 0);
	assert_true(blob_read(&fx->store, digest, &got, &err) < 0);
	assert_int_equal(err.kind, ERR_CORRUPT);
	assert_non_null(strstr(err.msg, digest));

	static const char upper_case[] = "sha256:" UPPER32 UPPER32;
	static const char *const bad[] = { "", "sha256:", "sha256:../../etc/passwd", "md5:00",
					   upper_case };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(blob_read(&fx->store, bad[i], &got, &err) < 0);
}

static char *layer_make(struct fixture *fx, char digit, bool opaque)
{
	char hex[65];

	memset(hex, digit, 64);
	hex[64] = '\0';
	cleanup_free char *dir = xasprintf("layers/%s", hex);
	cleanup_free char *fs = path_join(dir, "fs"), *mark = path_join(dir, "opaque");
	assert_int_equal(mkdirat(fx->store.fd, dir, 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, fs, 0700), 0);
	if (opaque)
		assert_int_equal(mknodat(fx->store.fd, mark, S_IFREG | 0600, 0), 0);
	return xasprintf("sha256:%s", hex);
}

static void assert_layers(struct fixture *fx, char *const *diff_ids, const char *digits)
{
	struct err err = ERR_INIT;
	size_t n;
	int *fds;

	assert_int_equal(image_open_layers(&fx->store, diff_ids, &fds, &n, &err), 0);
	assert_int_equal(n, strlen(digits));
	for (size_t i = 0; i < n; i++) {
		struct stat a, b;
		char hex[65] = "";
		memset(hex, digits[i], 64);
		cleanup_free char *path = xasprintf("layers/%s/fs", hex);
		assert_int_equal(fstat(fds[i], &a), 0);
		assert_int_equal(fstatat(fx->store.fd, path, &b, 0), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		fd_close(fds[i]);
	}
	free(fds);
}

static void test_layers_for_overlayfs(void **state)
{
	struct fixture *fx = *state;
	cleanup_free char *a = layer_make(fx, 'a', false), *b = layer_make(fx, 'b', true);
	cleanup_free char *c = layer_make(fx, 'c', false);
	struct err err = ERR_INIT;
	size_t n;
	int *fds;

	assert_layers(fx, (char *[]){ a, c, NULL }, "ca");
	/* The same layer twice is the upper one alone; what is below an opaque root is out. */
	assert_layers(fx, (char *[]){ a, c, a, NULL }, "ac");
	assert_layers(fx, (char *[]){ c, c, c, NULL }, "c");
	assert_layers(fx, (char *[]){ a, b, c, NULL }, "cb");
	char *none[] = { NULL };
	assert_int_equal(image_open_layers(&fx->store, none, &fds, &n, &err), 0);
	assert_int_equal(n, 1);
	fd_close(fds[0]);
	free(fds);
	char *missing[] = { a,
			    (char *)"sha256:"
				    "00000000000000000000000000000000"
				    "00000000000000000000000000000000",
			    NULL };
	assert_int_equal(image_open_layers(&fx->store, missing, &fds, &n, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	char *hostile[] = { (char *)"sha256:../../../etc", NULL };
	assert_int_equal(image_open_layers(&fx->store, hostile, &fds, &n, &err), -EINVAL);
}

static void test_remove_tree(void **state)
{
	struct fixture *fx = *state;
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(fx->store.fd, "containers", 0700), 0);
	assert_int_equal(mkdirat(fx->store.fd, "containers/x", 0700), 0);
	assert_int_equal(symlinkat("../../blobs", fx->store.fd, "containers/x/link"), 0);
	assert_int_equal(image_remove_tree(&fx->store, "containers/x", &err), 0);
	assert_false(exists(fx, "containers/x"));
	assert_true(exists(fx, "blobs"));
	assert_int_equal(image_remove_tree(&fx->store, "containers/x", &err), 0);
	assert_int_equal(image_remove_tree(&fx->store, "nowhere/x", &err), 0);
}

/* A file or a layer that was lost when the machine went down keeps its mark for as long as it is
 * there, whoever is killed in between. */
static void test_marks_go_last(void **state)
{
	static const char *const hex =
	    "abababababababababababababababababababababababababababababababab";
	struct fixture *fx = *state;
	cleanup_free char *blob = xasprintf("blobs/sha256/%s", hex);
	cleanup_free char *layer = xasprintf("layers/%s", hex);
	cleanup_free char *first = xasprintf("unsynced/%s", hex);
	cleanup_free char *second = xasprintf("unsynced/layer-%s", hex);
	const struct image_keep none = { NULL, NULL, NULL };
	struct leftovers found = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(mkdirat(fx->store.fd, "unsynced", 0700), 0);
	assert_int_equal(symlinkat("another-boot", fx->store.fd, first), 0);
	assert_int_equal(symlinkat("another-boot", fx->store.fd, second), 0);
	fd_close(openat(fx->store.fd, blob, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(mkdirat(fx->store.fd, layer, 0700), 0);
	assert_int_equal(leftovers_find(&fx->store, &none, 0, true, &found, &err), 0);
	assert_int_equal(found.n, 4);
	leftovers_done(&found);
	assert_true(exists(fx, first) && exists(fx, second));
	assert_int_equal(unlinkat(fx->store.fd, blob, 0), 0);
	assert_int_equal(unlinkat(fx->store.fd, layer, AT_REMOVEDIR), 0);
	assert_int_equal(leftovers_find(&fx->store, &none, 0, true, &found, &err), 0);
	assert_int_equal(found.n, 2);
	leftovers_done(&found);
	assert_false(exists(fx, first) || exists(fx, second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test_setup_teardown(test_directories_are_private, setup, teardown),
		cmocka_unit_test_setup_teardown(test_staging_outlives_no_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_collected_during_a_load, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_is_listed_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shims_go_with_their_image, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_layers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blobs_are_verified, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layers_for_overlayfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks_go_last, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
