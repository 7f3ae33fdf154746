/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "image/tar_header.h"

static const char *at(const struct buf *b, size_t offset)
{
	assert_true(offset < b->len);
	return b->data + offset;
}

static void test_plain(void **state)
{
	cleanup_buf struct buf out = BUF_INIT;
	const struct tar_member m = { .type = TAR_FILE,
				      .name = "a/b",
				      .mode = 0104755,
				      .uid = 8,
				      .gid = 9,
				      .size = 513,
				      .mtime = 1 };
	unsigned int sum = 0;

	tar_header_add(&out, &m);
	assert_int_equal(out.len, TAR_BLOCK);
	assert_string_equal(at(&out, 0), "a/b");
	assert_string_equal(at(&out, 100), "0004755");
	assert_string_equal(at(&out, 108), "0000010");
	assert_string_equal(at(&out, 124), "00000001001");
	assert_int_equal(*at(&out, 156), '0');
	assert_memory_equal(at(&out, 257),
			    "ustar\0"
			    "00",
			    8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : (unsigned char)out.data[i];
	assert_int_equal(strtoul(at(&out, 148), NULL, 8), sum);
	assert_int_equal(tar_padding(513), 511);
	assert_int_equal(tar_padding(0), 0);
	assert_int_equal(tar_padding(1024), 0);
}

/* The records' own lengths, where one more digit makes them longer by one. */
static void test_lengths_of_records(void **state)
{
	for (size_t n = 101; n < 1100; n++) {
		cleanup_buf struct buf out = BUF_INIT;
		cleanup_free char *name = xcalloc(1, n + 1);
		const struct tar_member m = { .type = TAR_FILE, .name = name };
		char *end;

		memset(name, 'x', n);
		tar_header_add(&out, &m);
		assert_int_equal(*at(&out, 156), 'x');
		size_t len = strtoul(at(&out, TAR_BLOCK), &end, 10);
		assert_int_equal(len, (size_t)(end - at(&out, TAR_BLOCK)) + strlen(" path=\n") + n);
		assert_int_equal(*at(&out, TAR_BLOCK + len - 1), '\n');
		assert_int_equal(out.len % TAR_BLOCK, 0);
	}
}

static bool has(const struct buf *out, const char *record)
{
	return memmem(out->data, out->len, record, strlen(record)) != NULL;
}

static void test_what_does_not_fit(void **state)
{
	cleanup_buf struct buf out = BUF_INIT;
	const struct tar_member big = { .type = TAR_FILE,
					.name = "\xff",
					.uid = 4000000000u,
					.gid = 2097152,
					.size = 1ull << 33,
					.mtime = -1,
					.mtime_ns = 250000000 };
	const struct tar_member before = {
		.type = TAR_DIR, .name = "d", .mtime = -2, .mtime_ns = 500000000
	};
	const struct tar_member whole = {
		.type = TAR_SYMLINK, .name = "l", .link = "\xc3\xbc", .mtime = 1ll << 34
	};

	tar_header_add(&out, &big);
	assert_true(has(&out, " hdrcharset=BINARY\n"));
	assert_true(has(&out, " path=\xff\n"));
	assert_true(has(&out, " size=8589934592\n"));
	assert_true(has(&out, " uid=4000000000\n"));
	assert_true(has(&out, " gid=2097152\n"));
	assert_true(has(&out, " mtime=-0.75\n"));
	buf_reset(&out);
	tar_header_add(&out, &before);
	assert_true(has(&out, " mtime=-1.5\n"));
	buf_reset(&out);
	tar_header_add(&out, &whole);
	assert_true(has(&out, " linkpath=\xc3\xbc\n"));
	assert_true(has(&out, " mtime=17179869184\n"));
	assert_false(has(&out, "hdrcharset"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_lengths_of_records),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
