/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/save.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/events.h"
#include "engine/lists.h"
#include "engine/registries.h"
#include "oci/reference.h"

struct selection {
	const char *platform; /* or NULL */
	struct save_image *items;
	char **ids;
	char ***names; /* of each */
	size_t n;
};

static void selection_done(struct selection *sel)
{
	for (size_t i = 0; i < sel->n; i++) {
		free(sel->items[i].manifest);
		strv_free(sel->names[i]);
	}
	free(sel->items);
	free(sel->names);
	strv_free(sel->ids);
}

/* The image with this name more, or with none. */
static void add_image(struct selection *sel, const struct image_row *row, const char *name)
{
	size_t i = 0;

	while (i < sel->n && !str_eq(sel->items[i].manifest, row->manifest))
		i++;
	if (i == sel->n) {
		sel->items = xrealloc(sel->items, (i + 1) * sizeof(*sel->items));
		sel->names = xrealloc(sel->names, (i + 1) * sizeof(*sel->names));
		sel->items[i] = (struct save_image){ .manifest = xstrdup(row->manifest),
						     .list = row->kind == IMAGE_KIND_LIST };
		sel->names[i] = NULL;
		strv_add(&sel->ids, row->id);
		sel->n++;
	}
	if (name && !strv_has(sel->names[i], name))
		strv_add(&sel->names[i], name);
}

static int select_image(struct engine *eng, const struct image_row *row, const char *word,
			const char *name, struct selection *sel, struct err *err)
{
	cleanup_image_row struct image_row found = { 0 };
	cleanup_free char *one = NULL;

	if (!sel->platform) {
		add_image(sel, row, name);
		return 0;
	}
	int r = images_for_platform(eng, word, sel->platform, &one, err);
	if (r == 0)
		r = images_find(eng, one, &found, err);
	if (r == 0)
		add_image(sel, &found, name);
	return r;
}

static bool is_repository(const char *word)
{
	const char *slash = strrchr(word, '/');
	cleanup_reference struct reference ref = { 0 };

	return !strchr(slash ? slash : word, ':') && !strchr(word, '@') &&
	       reference_parse(word, &ref, NULL) == 0;
}

/* With the manifest that belongs to the name. */
static int select_name(struct engine *eng, const char *name, struct selection *sel, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };

	int r = images_find(eng, name, &row, err);
	return r < 0 ? r : select_image(eng, &row, name, name, sel, err);
}

/* 1: there is such a repository. */
static int select_repository(struct engine *eng, const char *word, struct selection *sel,
			     struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };

	if (!is_repository(word))
		return 0;
	int r = images_list(eng, word, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++)
		for (size_t k = 0; r == 0 && rows.items[i].names[k]; k++)
			r = select_name(eng, rows.items[i].names[k], sel, err);
	return r < 0 ? r : rows.n > 0;
}

static int select_word(struct engine *eng, const char *word, struct selection *sel, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = NULL;

	if (str_eq(word, IMAGE_HOST))
		return err_fail(err, ERR_UNSUPPORTED,
				"the image " IMAGE_HOST " is this machine: it can't be saved");
	int r = select_repository(eng, word, sel, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = images_find_whole(eng, word, &row, err);
	if (r < 0)
		return r;
	name = registries_choose(eng, word, row.names);
	images_used(eng, &row);
	return select_image(eng, &row, word, name, sel, err);
}

int images_save(struct engine *eng, char *const *words, const char *platform,
		const struct save_options *opts, int fd, struct err *err)
{
	struct selection sel = { .platform = platform };

	int r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	for (; r == 0 && *words; words++)
		r = select_word(eng, *words, &sel, err);
	for (size_t i = 0; i < sel.n; i++)
		sel.items[i].names = sel.names[i];
	if (r == 0) {
		r = image_save(&eng->store, sel.items, sel.n, opts, fd, err);
		images_added(eng, NULL, 0);
	}
	for (size_t i = 0; r == 0 && i < sel.n; i++)
		event_note_image(eng, "save", sel.ids[i], NULL);
	selection_done(&sel);
	return r;
}
