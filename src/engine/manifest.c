/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/manifest.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/manifest_members.h"
#include "image/store.h"

/* ---- words of members and lists ---- */

static int set_annotations(struct json_map *map, char *const *words, struct err *err)
{
	for (size_t i = 0; words && words[i]; i++) {
		const char *sign = strchr(words[i], '=');
		cleanup_free char *key = NULL;

		if (!sign || sign == words[i])
			return err_fail(err, ERR_USAGE, "annotation \"%s\": expected KEY=VALUE",
					words[i]);
		key = xstrndup(words[i], (size_t)(sign - words[i]));
		json_map_set(map, key, sign + 1);
	}
	return 0;
}

static void set_word(char **at, const char *word)
{
	if (!word)
		return;
	free(*at);
	*at = *word ? xstrdup(word) : NULL;
}

/* Words that may hold several, as docker takes them. */
static void set_list(char ***at, char *const *words)
{
	if (!words)
		return;
	strv_free(take_ptr(*at));
	for (; *words; words++) {
		cleanup_strv char **parts = strv_split(*words, ',');

		for (size_t i = 0; parts[i]; i++)
			if (*parts[i])
				strv_add(at, parts[i]);
	}
}

static int set_words(struct oci_descriptor *desc, const struct manifest_words *words,
		     struct err *err)
{
	bool platform = words->arch || words->os || words->variant || words->os_version ||
			words->os_features || words->features;

	if (platform && !desc->platform) {
		if (!words->arch)
			return err_fail(err, ERR_USAGE,
					"%s has no platform: its architecture is needed, too",
					desc->digest);
		desc->platform = xcalloc(1, sizeof(*desc->platform));
		desc->platform->os = xstrdup("linux");
	}
	if (platform) {
		set_word(&desc->platform->architecture, words->arch);
		set_word(&desc->platform->os, words->os);
		set_word(&desc->platform->variant, words->variant);
		set_word(&desc->platform->os_version, words->os_version);
		set_list(&desc->platform->os_features, words->os_features);
		set_list(&desc->platform->features, words->features);
	}
	return set_annotations(&desc->annotations, words->annotations, err);
}

/* ---- changes ---- */

struct change {
	const struct manifest_options *options;
	struct members *members; /* to be added */
	struct oci_descriptor *subject;
	char *const *words; /* of members, the user's */
	char ***digests;    /* of each word; several: whichever the member has */
};

static int add_members(struct oci_index *index, void *data, struct err *err)
{
	struct change *c = data;
	int r = set_annotations(&index->annotations, c->options->annotations, err);

	for (size_t i = 0; r == 0 && i < c->members->n; i++)
		r = set_words(oci_index_put(index, &c->members->items[i]), &c->options->words, err);
	return r;
}

/* The member that the word means. */
static struct oci_descriptor *member_of(const struct oci_index *index, const struct change *c,
					size_t word, struct err *err)
{
	char *const *digests = c->digests[word];
	struct oci_descriptor *desc = NULL;

	for (size_t i = 0; !desc && digests && digests[i]; i++)
		desc = oci_index_find(index, digests[i]);
	if (!desc)
		err_fail(err, ERR_NOT_FOUND, "the list has no member %s", c->words[word]);
	return desc;
}

static int annotate_member(struct oci_index *index, void *data, struct err *err)
{
	struct change *c = data;
	struct oci_descriptor *desc = member_of(index, c, 0, err);

	return desc ? set_words(desc, &c->options->words, err) : -ENOENT;
}

static int remove_members(struct oci_index *index, void *data, struct err *err)
{
	struct change *c = data;

	for (size_t i = 0; c->words[i]; i++) {
		const struct oci_descriptor *desc = member_of(index, c, i, err);
		cleanup_free char *digest = desc ? xstrdup(desc->digest) : NULL;

		if (!digest)
			return -ENOENT;
		oci_index_remove(index, digest);
	}
	return 0;
}

static int annotate_list(struct oci_index *index, void *data, struct err *err)
{
	struct change *c = data;

	if (c->subject) {
		if (index->subject) {
			oci_descriptor_done(index->subject);
			free(index->subject);
		}
		index->subject = xcalloc(1, sizeof(*index->subject));
		*index->subject = *c->subject;
		*c->subject = (struct oci_descriptor){ 0 };
	}
	return set_annotations(&index->annotations, c->options->annotations, err);
}

/* ---- verbs ---- */

/* What is here of them stays until the list has it: the caller gives the store's lock back. */
static int find_members(struct engine *eng, char *const *images,
			const struct manifest_options *options, struct members *ret,
			struct err *err)
{
	cleanup_documents struct documents docs = DOCUMENTS_INIT;
	int r = engine_db(eng, err);

	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = store_lock_shared(&eng->store, err);
	docs.eng = eng;
	docs.access = &options->access;
	for (; r == 0 && images && *images; images++)
		r = members_find(&docs, *images, options->all ? MEMBERS_ALL : MEMBERS_ONE, ret,
				 err);
	return r;
}

static void unlock(struct engine *eng)
{
	if (eng->store_open)
		images_added(eng, NULL, 0);
}

int manifest_create(struct engine *eng, const char *name, char *const *images,
		    const struct manifest_options *options, char **ret_id, struct err *err)
{
	cleanup_members struct members members = { 0 };
	struct change change = { .options = options, .members = &members };
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *full = NULL;
	int r = reference_parse(name, &ref, err);

	if (r == 0 && ref.digest)
		r = err_fail(err, ERR_USAGE, "a list can't be made under a digest: %s", name);
	if (r < 0)
		return r;
	full = reference_format(&ref);
	r = find_members(eng, images, options, &members, err);
	if (r == 0)
		r = lists_create(eng, full, options->amend, add_members, &change, ret_id, err);
	unlock(eng);
	return r < 0 ? err_wrap(err, r, "creating manifest list %s", name) : 0;
}

int manifest_add(struct engine *eng, const char *list, char *const *images,
		 const struct manifest_options *options, char **ret_id, struct err *err)
{
	cleanup_members struct members members = { 0 };
	struct change change = { .options = options, .members = &members };
	cleanup_list struct list before = { 0 };
	int r = lists_open(eng, list, &before, err);

	/* a registry is asked for nothing when there is no list */
	if (r == 0)
		r = find_members(eng, images, options, &members, err);
	if (r == 0)
		r = lists_edit(eng, before.row.id, add_members, &change, ret_id, err);
	unlock(eng);
	return r < 0 ? err_wrap(err, r, "adding to manifest list %s", list) : 0;
}

/* One change of all members that are named. Their words are looked up before. */
static int edit_members(struct engine *eng, const char *list, char *const *words,
			list_change change, const struct manifest_options *options, char **ret_id,
			struct err *err)
{
	cleanup_documents struct documents docs = DOCUMENTS_INIT;
	cleanup_free char ***digests = xcalloc(strv_len(words) + 1, sizeof(*digests));
	cleanup_list struct list before = { 0 };
	struct change c = { .options = options, .words = words, .digests = digests };
	int r = lists_open(eng, list, &before, err);

	docs.eng = eng;
	docs.access = &options->access;
	for (size_t i = 0; r == 0 && words[i]; i++)
		r = members_digests(&docs, words[i], &digests[i], err);
	if (r == 0)
		r = lists_edit(eng, before.row.id, change, &c, ret_id, err);
	for (size_t i = 0; words[i]; i++)
		strv_free(digests[i]);
	return r;
}

static int edit_list(struct engine *eng, const char *list, const struct manifest_options *options,
		     char **ret_id, struct err *err)
{
	cleanup_documents struct documents docs = DOCUMENTS_INIT;
	cleanup_members struct members subject = { 0 };
	struct change c = { .options = options };
	int r = engine_db(eng, err);

	docs.eng = eng;
	docs.access = &options->access;
	if (r == 0 && options->subject)
		r = members_find(&docs, options->subject, MEMBERS_TOP, &subject, err);
	if (r < 0)
		return r;
	if (subject.n)
		c.subject = &subject.items[0];
	return lists_edit(eng, list, annotate_list, &c, ret_id, err);
}

int manifest_annotate(struct engine *eng, const char *list, const char *image,
		      const struct manifest_options *options, char **ret_id, struct err *err)
{
	char *const words[] = { (char *)(uintptr_t)image, NULL };
	int r = image ? edit_members(eng, list, words, annotate_member, options, ret_id, err)
		      : edit_list(eng, list, options, ret_id, err);

	return r < 0 ? err_wrap(err, r, "annotating manifest list %s", list) : 0;
}

int manifest_remove(struct engine *eng, const char *list, char *const *images,
		    const struct manifest_options *options, char **ret_id, struct err *err)
{
	int r = edit_members(eng, list, images, remove_members, options, ret_id, err);

	return r < 0 ? err_wrap(err, r, "removing from manifest list %s", list) : 0;
}

/* ---- documents ---- */

static int read_here(struct engine *eng, const struct image_row *row, struct buf *out,
		     struct err *err)
{
	int r = engine_store(eng, err);

	return r < 0 ? r : blob_read(&eng->store, row->manifest, out, err);
}

int manifest_read(struct engine *eng, const char *word, const struct registry_access *access,
		  struct buf *out, struct err *err)
{
	cleanup_documents struct documents docs = DOCUMENTS_INIT;
	cleanup_image_row struct image_row row = { 0 };
	struct err own = ERR_INIT;
	bool here = !str_starts(word, "docker://") && images_find(eng, word, &row, &own) == 0;
	int r;

	if (here && row.kind == IMAGE_KIND_LIST)
		return read_here(eng, &row, out, err);
	docs.eng = eng;
	docs.access = access;
	r = documents_find(&docs, word, &own);
	if (r == 0) {
		buf_add(out, buf_str(&docs.text), docs.text.len);
		return 0;
	}
	if (here) {
		log_warn("%s: %s; this is the manifest of the image that is here", word, own.msg);
		return read_here(eng, &row, out, err);
	}
	if (err)
		*err = own;
	return err_wrap(err, r, "inspecting manifest %s", word);
}

int manifest_referrers(struct engine *eng, const char *word, const char *type,
		       const struct registry_access *access, struct buf *out, struct err *err)
{
	cleanup_documents struct documents docs = DOCUMENTS_INIT;
	int r;

	docs.eng = eng;
	docs.access = access;
	r = documents_find(&docs, word, err);
	if (r == 0)
		r = documents_referrers(&docs, type, out, err);
	return r < 0 ? err_wrap(err, r, "looking for referrers of %s", word) : 0;
}

int manifest_push(struct engine *eng, const char *list, const struct reference *to,
		  const struct push_options *options, bool rm, struct push_result *ret,
		  struct err *err)
{
	cleanup_image_row struct image_row before = { 0 };
	cleanup_strv char **lines = NULL;
	uint64_t freed;
	int r = lists_find(eng, list, &before, err);
	const struct images_condition unchanged = { .manifest = before.manifest };

	if (r == 0)
		r = push(eng, before.id, to, options, ret, err);
	if (r == 0 && rm)
		r = images_remove_unused(eng, before.id, &unchanged, &lines, err);
	if (r == 0 && rm)
		r = images_collect(eng, &freed, err);
	return r;
}
