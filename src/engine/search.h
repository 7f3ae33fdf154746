/* SPDX-License-Identifier: Apache-2.0 */
/* What registries have: repositories by a word, tags of a repository. */
#pragma once

#include "engine/registries.h"

struct search_result {
	char *name, *description;
	int64_t stars;
	bool official, automated;
	char *registry; /* where it was found */
};
struct search_results {
	struct search_result *items;
	size_t n;
};
void search_results_done(struct search_results *results);
#define cleanup_search_results CLEANUP(search_results_done)

/* term: "word", looked for at each of image.short_names, or "registry/word". At most limit results
 * of each registry. With several registries one that fails is a warning. Names are full but for
 * Docker Hub's: they can be pulled as they are. */
int search(struct engine *eng, const char *term, const struct registry_access *access,
	   uint64_t limit, struct search_results *ret, struct err *err);
/* Tags of a repository, in the registry's order. limit 0: all. */
int search_tags(struct engine *eng, const struct reference *ref,
		const struct registry_access *access, uint64_t limit, char ***ret, struct err *err);
