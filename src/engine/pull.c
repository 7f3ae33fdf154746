/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pull.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/images.h"
#include "engine/images_trim.h"
#include "engine/trust.h"

struct pulling {
	struct engine *eng;
	const struct pull_options *opts;
	struct oci_platform platform;
	struct registry_conn conn;
	char *id;
	bool found; /* the registry that was asked last has what the word means */
};

/* ---- one reference ---- */

/* Has the name, or the digest, led to this image before? */
static bool is_known(struct pulling *pu, const struct reference *ref, const struct pulled *got)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = reference_format(ref);

	return !got->new_data && images_find(pu->eng, name, &row, NULL) == 0 &&
	       str_eq(row.id, got->image.id);
}

/* With what it is called, as docker tells it. */
static int enter_and_tell(struct pulling *pu, const struct reference *ref, const char *shown,
			  const struct pulled *got, struct err *err)
{
	cleanup_free char *repository = reference_familiar_repository(ref);
	int r = db_begin(pu->eng->db, err);

	if (r < 0)
		return r;
	r = images_enter_within(pu->eng, IMAGE_KIND_IMAGE, &got->image, 1, err);
	if (r == 0)
		r = event_image(pu->eng, "pull", shown, repository, err);
	return db_end(pu->eng->db, r, err);
}

static int enter(struct pulling *pu, const struct reference *ref, struct pulled *got,
		 struct err *err)
{
	const struct pull_events *events = pu->opts->events;
	bool up_to_date = is_known(pu, ref, got);
	cleanup_free char *full = reference_format(ref), *shown = reference_familiar(ref);
	char *name = NULL;

	int r = pu->opts->name ? reference_normalize(pu->opts->name, &name, err) : 0;
	if (r < 0)
		return r;
	if (name)
		strv_take(&got->image.names, name);
	else if (!ref->digest)
		strv_add(&got->image.names, full);
	r = enter_and_tell(pu, ref, shown, got, err);
	if (r < 0)
		return r;
	free(pu->id);
	pu->id = xstrdup(got->image.id);
	const struct pull_outcome outcome = {
		.reference = shown,
		.full = full,
		.digest = got->digest,
		.id = got->image.id,
		.up_to_date = up_to_date,
	};
	if (events && events->finished)
		events->finished(events->data, &outcome);
	return 0;
}

/* What image_pull() asks before it fetches layers. */
struct asking {
	struct pulling *pu;
	const struct registry_endpoints *from;
	struct trust trust;
};

static int allow(void *data, const char *digest, const char *manifest, struct err *err)
{
	struct asking *a = data;

	return trust_verify(&a->trust, &a->pu->conn, a->from, digest, manifest, err);
}

static int pull_from(struct pulling *pu, const struct reference *ref,
		     const struct registry_endpoints *from, struct err *err)
{
	struct asking asking = { .pu = pu, .from = from };
	const struct config *config;
	cleanup_free char *repository = reference_repository(ref);
	cleanup_pulled struct pulled got = { .digest = NULL };
	struct pull_request req = {
		.conn = &pu->conn,
		.endpoints = from->items,
		.n_endpoints = from->n,
		.reference = ref->digest ? ref->digest : ref->tag,
		.digest = ref->digest,
		.repository = repository,
		.platform = pu->opts->platform ? &pu->platform : NULL,
		.watch = pu->opts->events ? &pu->opts->events->watch : NULL,
		.allow = allow,
		.allow_data = &asking,
	};

	int r = config_get(pu->eng, &config, err);
	if (r < 0)
		return r;
	req.parallel = (size_t)config->transfer.parallel;
	r = trust_init(pu->eng, ref, &asking.trust, err);
	if (r < 0)
		return r;
	r = image_pull(&pu->eng->store, &req, &got, err);
	pu->found = pu->found || got.digest;
	if (r == 0)
		r = enter(pu, ref, &got, err);
	images_added(pu->eng, &got.image, r == 0 && got.new_data);
	trust_done(&asking.trust);
	return r;
}

static int tags_read(struct pulling *pu, const struct registry_endpoints *from, char ***ret,
		     struct err *err)
{
	struct tag_list {
		char **tags;
	};
	static const struct json_field fields[] = {
		JSON_FIELD(struct tag_list, tags, "tags", JSON_STRV),
	};
	static const struct json_desc desc = JSON_DESC(struct tag_list, fields);
	struct registry_request ask = { .op = REGISTRY_TAGS };
	cleanup_buf struct buf doc = BUF_INIT;
	struct tag_list list = { NULL };

	ask.endpoints.items = from->items;
	ask.endpoints.n = from->n;
	int r = registry_fetch(&pu->conn, &ask, &doc, NULL, err);
	if (r == 0)
		r = json_parse(&desc, &list, buf_str(&doc), doc.len, "list of tags", err);
	if (r == 0)
		*ret = list.tags;
	return r;
}

static void report_start(const struct pulling *pu, const struct reference *ref)
{
	const struct pull_events *events = pu->opts->events;

	if (events && events->started)
		events->started(events->data, ref);
}

static int pull_tags(struct pulling *pu, struct reference *ref,
		     const struct registry_endpoints *from, struct err *err)
{
	cleanup_strv char **tags = NULL;
	int r = tags_read(pu, from, &tags, err);

	pu->found = r == 0;
	for (size_t i = 0; r == 0 && tags && tags[i]; i++) {
		if (!reference_tag_valid(tags[i]))
			continue;
		free(ref->tag);
		ref->tag = xstrdup(tags[i]);
		report_start(pu, ref);
		r = pull_from(pu, ref, from, err);
	}
	return r;
}

static int pull_one(struct pulling *pu, const char *name, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_endpoints struct registry_endpoints from = { 0 };

	int r = reference_parse(name, &ref, err);
	if (r == 0)
		r = registries_resolve(pu->eng, &ref, false, &pu->opts->access, &from, err);
	if (r < 0)
		return r;
	if (pu->opts->all_tags)
		return pull_tags(pu, &ref, &from, err);
	report_start(pu, &ref);
	return pull_from(pu, &ref, &from, err);
}

/* ---- what a word means ---- */

static bool has_tag(const char *word)
{
	const char *slash = strrchr(word, '/');

	return strpbrk(slash ? slash : word, ":@") != NULL;
}

/* With a transport a name is whole, as it is for podman and skopeo. */
static int names_of(struct pulling *pu, const char *word, char ***ret, struct err *err)
{
	const char *whole = str_after(word, "docker://");
	char *full = NULL;

	if (!whole)
		return registries_candidates(pu->eng, word, ret, err);
	int r = reference_normalize(whole, &full, err);
	if (r == 0)
		strv_take(ret, full);
	return r;
}

/* A short name may mean one of several: the first that has the image. Only one that says that it
 * has none is passed over: else whoever makes a registry fail could choose which one is asked. */
static int pull_word(struct pulling *pu, const char *word, struct err *err)
{
	cleanup_strv char **names = NULL;
	struct err one = ERR_INIT;

	int r = names_of(pu, word, &names, err);
	if (r < 0)
		return r;
	for (size_t i = 0; names[i]; i++) {
		one = (struct err)ERR_INIT;
		pu->found = false;
		r = pull_one(pu, names[i], &one);
		if (r == 0 || !names[i + 1])
			break;
		if (pu->found || one.kind != ERR_NOT_FOUND) {
			cleanup_free char *deeper = xstrdup(one.hint);

			one.hint[0] = '\0';
			err_hint(&one, r,
				 "%s%sto take it from another registry give the whole name: %s",
				 deeper, *deeper ? "; " : "", names[i + 1]);
			break;
		}
		log_debug("%s: %s", names[i], one.msg);
	}
	if (r < 0 && err)
		*err = one;
	return r;
}

int engine_pull(struct engine *eng, const char *word, const struct pull_options *opts,
		char **ret_id, struct err *err)
{
	struct pulling pu = { .eng = eng, .opts = opts, .conn = REGISTRY_CONN_INIT };
	int64_t start_ns = time_now_ns();
	int r = 0;

	if (opts->all_tags && has_tag(word))
		return err_fail(err, ERR_USAGE, "tag can't be used with --all-tags/-a");
	if (opts->platform)
		r = oci_platform_parse(opts->platform, &pu.platform, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = registries_start(eng, &pu.conn, err);
	pu.conn.notice = opts->events ? opts->events->watch.notice : NULL;
	pu.conn.notice_data = opts->events ? opts->events->watch.data : NULL;
	if (r == 0)
		r = pull_word(&pu, word, err);
	registry_stop(&pu.conn);
	if (r == 0)
		images_keep_budget(eng, start_ns);
	oci_platform_done(&pu.platform);
	if (r == 0)
		*ret_id = take_ptr(pu.id);
	free(pu.id);
	if (str_starts(word, "docker://"))
		word = str_after(word, "docker://");
	return r < 0 ? err_wrap(err, r, "pulling %s", word) : 0;
}
