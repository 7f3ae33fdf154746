/* SPDX-License-Identifier: Apache-2.0 */
/* Inside `inro manifest`: descriptors of what words name, here or in a registry. */
#pragma once

#include "engine/documents.h"
#include "engine/lists.h"

struct members {
	struct oci_descriptor *items;
	size_t n;
};
void members_done(struct members *members);
#define cleanup_members CLEANUP(members_done)

enum members_wanted {
	MEMBERS_ONE, /* of a list the image for this machine */
	MEMBERS_ALL, /* of a list all */
	MEMBERS_TOP, /* of a list the list itself */
};
/* Adds what the word names, with its platform. */
int members_find(struct documents *docs, const char *word, enum members_wanted wanted,
		 struct members *ret, struct err *err);
/* Digests that a member which the word names may have in a list. */
int members_digests(struct documents *docs, const char *word, char ***ret, struct err *err);
