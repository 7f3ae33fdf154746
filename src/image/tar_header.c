/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tar_header.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"

/* Limits of the header's fields: octal digits with a NUL behind. */
#define NAME_LEN       100
#define ID_MAX         07777777u
#define SIZE_MAX_OCTAL 077777777777ull

struct ustar {
	char name[NAME_LEN], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
	char link[NAME_LEN], magic[6], version[2], uname[32], gname[32], major[8], minor[8];
	char prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

size_t tar_padding(uint64_t size)
{
	return (size_t)(-size % TAR_BLOCK);
}

void tar_zeros_add(struct buf *out, size_t n)
{
	buf_reserve(out, n);
	memset(out->data + out->len, 0, n);
	out->len += n;
	out->data[out->len] = '\0';
}

/* width counts the NUL. What is too large has a pax record. */
static void octal(char *field, size_t width, uint64_t value)
{
	field[width - 1] = '\0';
	for (size_t i = width - 1; i > 0; i--, value >>= 3)
		field[i - 1] = (char)('0' + (value & 7));
}

static void text(char *field, size_t width, const char *value)
{
	size_t len = strlen(value);

	memcpy(field, value, len < width ? len : width);
}

static void ustar_add(struct buf *out, const struct tar_member *m, const char *name, char type)
{
	struct ustar h = { .type = type, .magic = "ustar", .version = { '0', '0' } };
	const unsigned char *bytes = (const unsigned char *)&h;
	unsigned int sum = 0;

	text(h.name, sizeof(h.name), name);
	if (m->link)
		text(h.link, sizeof(h.link), m->link);
	octal(h.mode, sizeof(h.mode), m->mode & 07777);
	octal(h.uid, sizeof(h.uid), m->uid <= ID_MAX ? m->uid : 0);
	octal(h.gid, sizeof(h.gid), m->gid <= ID_MAX ? m->gid : 0);
	octal(h.size, sizeof(h.size), m->size <= SIZE_MAX_OCTAL ? m->size : 0);
	octal(h.mtime, sizeof(h.mtime), m->mtime >= 0 ? (uint64_t)m->mtime : 0);
	octal(h.major, sizeof(h.major), m->major);
	octal(h.minor, sizeof(h.minor), m->minor);
	memset(h.checksum, ' ', sizeof(h.checksum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += bytes[i];
	octal(h.checksum, sizeof(h.checksum) - 1, sum);
	buf_add(out, &h, sizeof(h));
}

/* "<length> <key>=<value>\n", where the length counts its own digits. */
static void pax_add(struct buf *out, const char *prefix, const char *key, const void *value,
		    size_t len)
{
	size_t rest = strlen(prefix) + strlen(key) + len + sizeof(" =\n") - 1;
	size_t total = rest + 1;
	char digits[24];

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", total) + rest != total)
		total++;
	buf_addf(out, "%s %s%s=", digits, prefix, key);
	buf_add(out, value, len);
	buf_addc(out, '\n');
}

static void pax_number(struct buf *out, const char *key, uint64_t value)
{
	char digits[24];

	pax_add(out, "", key, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
}

/* Floor and a positive fraction, as struct timespec has it, become one decimal number. */
static void pax_mtime(struct buf *out, int64_t s, uint32_t ns)
{
	bool below = s < 0 && ns > 0;
	uint32_t fraction = below ? 1000000000u - ns : ns;
	int64_t whole = below ? s + 1 : s;
	char number[40];

	int n = snprintf(number, sizeof(number), "%s%" PRId64 ".%09" PRIu32,
			 below && whole == 0 ? "-" : "", whole, fraction);
	while (n > 0 && number[n - 1] == '0')
		n--;
	if (n > 0 && number[n - 1] == '.')
		n--;
	pax_add(out, "", "mtime", number, (size_t)n);
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static bool is_utf8(const char *s)
{
	while (*s) {
		size_t n = str_utf8_len(s);
		if (n == 0)
			return false;
		s += n;
	}
	return true;
}

static void pax_records(struct buf *out, const struct tar_member *m, const char *name)
{
	const struct {
		const char *key, *value;
	} paths[] = { { "path", name }, { "linkpath", m->link } };
	bool binary = false;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		binary = binary || (paths[i].value && !is_utf8(paths[i].value));
	binary = binary || !is_utf8(m->name);
	if (binary)
		pax_add(out, "", "hdrcharset", "BINARY", strlen("BINARY"));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *value = paths[i].value;
		if (value && (strlen(value) > NAME_LEN || !is_ascii(value)))
			pax_add(out, "", paths[i].key, value, strlen(value));
	}
	if (m->sparse) {
		pax_number(out, "GNU.sparse.major", 1);
		pax_number(out, "GNU.sparse.minor", 0);
		pax_add(out, "", "GNU.sparse.name", m->name, strlen(m->name));
		pax_number(out, "GNU.sparse.realsize", m->real_size);
	}
	if (m->size > SIZE_MAX_OCTAL)
		pax_number(out, "size", m->size);
	if (m->uid > ID_MAX)
		pax_number(out, "uid", m->uid);
	if (m->gid > ID_MAX)
		pax_number(out, "gid", m->gid);
	if (m->mtime < 0 || m->mtime_ns || (uint64_t)m->mtime > SIZE_MAX_OCTAL)
		pax_mtime(out, m->mtime, m->mtime_ns);
	for (size_t i = 0; i < m->n_xattrs; i++)
		pax_add(out, "SCHILY.xattr.", m->xattrs[i].name, m->xattrs[i].value,
			m->xattrs[i].len);
}

void tar_header_add(struct buf *out, const struct tar_member *member)
{
	/* Who doesn't know the format shall not take the map for the file. */
	cleanup_free char *name =
	    member->sparse ? xstrdup("GNUSparseFile.0/member")
			   : xasprintf("%s%s", member->name, member->type == TAR_DIR ? "/" : "");
	cleanup_buf struct buf records = BUF_INIT;

	pax_records(&records, member, name);
	if (records.len > 0) {
		const struct tar_member pax = { .mode = 0644, .size = records.len };
		ustar_add(out, &pax, "PaxHeaders/member", 'x');
		buf_add(out, records.data, records.len);
		tar_zeros_add(out, tar_padding(records.len));
	}
	ustar_add(out, member, name, (char)member->type);
}
