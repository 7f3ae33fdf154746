/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/acl.h"

#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include "base/log.h"
#include "base/str.h"

static const struct {
	int archive_tag;
	uint16_t tag;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, ACL_USER_OBJ },   { ARCHIVE_ENTRY_ACL_USER, ACL_USER },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, ACL_GROUP_OBJ }, { ARCHIVE_ENTRY_ACL_GROUP, ACL_GROUP },
	{ ARCHIVE_ENTRY_ACL_MASK, ACL_MASK },           { ARCHIVE_ENTRY_ACL_OTHER, ACL_OTHER },
};

static uint16_t tag_of(int archive_tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (tags[i].archive_tag == archive_tag)
			return tags[i].tag;
	return 0;
}

/* The kernel wants entries by rising tag, users and groups by rising id. */
static int entry_compare(const void *a, const void *b)
{
	const struct posix_acl_xattr_entry *x = a, *y = b;

	if (x->e_tag != y->e_tag)
		return le16toh(x->e_tag) < le16toh(y->e_tag) ? -1 : 1;
	if (x->e_id != y->e_id)
		return le32toh(x->e_id) < le32toh(y->e_id) ? -1 : 1;
	return 0;
}

/* GNU tar writes names of users alone, and whom they meant only its machine knew. */
static bool unknown_name(struct archive_entry *entry, const char *name)
{
	cleanup_free char *shown = str_escape(archive_entry_pathname(entry) ?: "");
	cleanup_free char *who = str_escape(name ?: "");

	log_warn("%s: ACL left out: it has no id for \"%s\"", shown, who);
	return false;
}

bool acl_encode(struct archive_entry *entry, int type, struct buf *out)
{
	struct posix_acl_xattr_header head = { .a_version = htole32(POSIX_ACL_XATTR_VERSION) };
	int got_type, permset, archive_tag, qual;
	const char *name;

	/* ACLs of Solaris and macOS (NFSv4) have no place here. */
	if (archive_entry_acl_types(entry) & ~ARCHIVE_ENTRY_ACL_TYPE_POSIX1E)
		return false;
	if (archive_entry_acl_reset(entry, type) == 0)
		return false;
	buf_add(out, &head, sizeof(head));
	while (archive_entry_acl_next(entry, type, &got_type, &permset, &archive_tag, &qual,
				      &name) == ARCHIVE_OK) {
		struct posix_acl_xattr_entry e = {
			.e_tag = htole16(tag_of(archive_tag)),
			.e_perm = htole16((uint16_t)(permset & 7)),
			.e_id = htole32((uint32_t)ACL_UNDEFINED_ID),
		};
		if (e.e_tag == 0)
			continue;
		if (archive_tag == ARCHIVE_ENTRY_ACL_USER ||
		    archive_tag == ARCHIVE_ENTRY_ACL_GROUP) {
			if (qual == -1)
				return unknown_name(entry, name);
			e.e_id = htole32((uint32_t)qual);
		}
		buf_add(out, &e, sizeof(e));
	}
	qsort(out->data + sizeof(head),
	      (out->len - sizeof(head)) / sizeof(struct posix_acl_xattr_entry),
	      sizeof(struct posix_acl_xattr_entry), entry_compare);
	return out->len > sizeof(head);
}
