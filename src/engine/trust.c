/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/trust.h"

#include <fcntl.h>

#include "base/base64.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/sha256.h"
#include "image/signatures.h"
#include "oci/digest.h"
#include "oci/image.h"
#include "oci/signature.h"

#define KEY_MAX        (64u << 10) /* bytes of a file */
#define MANIFEST_MAX   (1u << 20)  /* bytes of a manifest of signatures */
#define SIGNATURE_MAX  (16u << 10) /* characters of one */
#define SIGNATURES_MAX 128         /* of one manifest */
#define REFERRERS_MAX  16          /* that are looked at */

/* ---- what is wanted ---- */

static int fail_requirement(const struct trust *trust, enum err_kind kind, const char *what,
			    struct err *err)
{
	return err_hint(err, err_fail(err, kind, "the policy for %s %s", trust->scope, what),
			"see %s", trust->path);
}

static int key_from_file(const char *path, char ***keys, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	if (path[0] != '/')
		return err_fail(err, ERR_INVALID, "expected an absolute path of a key, got \"%s\"",
				path);
	r = io_read_file(AT_FDCWD, path, &text, KEY_MAX, err);
	if (r < 0)
		return err_wrap(err, r, "reading key %s", path);
	strv_add(keys, buf_str(&text));
	return 0;
}

static int key_from_data(const char *data, char ***keys, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (base64_decode(data, strlen(data), &text) < 0)
		return err_fail(err, ERR_INVALID, "expected keyData to be a key in base64");
	strv_add(keys, buf_str(&text));
	return 0;
}

static int keys_read(const struct policy_requirement *q, char ***keys, struct err *err)
{
	int r = 0;

	if (q->key_path)
		r = key_from_file(q->key_path, keys, err);
	if (q->key_data)
		r = key_from_data(q->key_data, keys, err);
	for (size_t i = 0; r == 0 && q->key_paths && q->key_paths[i]; i++)
		r = key_from_file(q->key_paths[i], keys, err);
	for (size_t i = 0; r == 0 && q->key_datas && q->key_datas[i]; i++)
		r = key_from_data(q->key_datas[i], keys, err);
	return r;
}

/* Fails unless it can be met, by signatures at most, which are read later. */
static int requirement_prepare(struct trust *trust, size_t i, struct err *err)
{
	const struct policy_requirement *q = &trust->wanted->items[i];
	int r;

	switch ((enum policy_type)q->type) {
	case POLICY_ACCEPT:
		return 0;
	case POLICY_REJECT:
		return fail_requirement(trust, ERR_DENIED, "rejects it", err);
	case POLICY_SIGNED_BY:
		return fail_requirement(trust, ERR_UNSUPPORTED,
					"wants a signature by GPG (signedBy), which is not "
					"supported",
					err);
	case POLICY_SIGSTORE:
		break;
	}
	if (q->fulcio || q->pki)
		return fail_requirement(trust, ERR_UNSUPPORTED,
					"wants a signature without a key of its own (fulcio, pki), "
					"which is not supported",
					err);
	if (q->rekor_path || q->rekor_data || q->rekor_paths || q->rekor_datas)
		return fail_requirement(trust, ERR_UNSUPPORTED,
					"wants a log of signatures (rekorPublicKey...), which is "
					"not supported",
					err);
	r = keys_read(q, &trust->keys[i], err);
	return r < 0 ? err_wrap(err, r, "%s: %s", trust->path, trust->scope) : 0;
}

static void reference_copy(const struct reference *from, struct reference *to)
{
	*to = (struct reference){ .domain = xstrdup(from->domain),
				  .path = xstrdup(from->path),
				  .tag = from->tag ? xstrdup(from->tag) : NULL,
				  .digest = from->digest ? xstrdup(from->digest) : NULL };
}

void trust_done(struct trust *trust)
{
	for (size_t i = 0; trust->keys && i < trust->wanted->n; i++)
		strv_free(trust->keys[i]);
	free(trust->keys);
	free(trust->path);
	reference_done(&trust->ref);
	policy_done(&trust->policy);
	*trust = (struct trust){ .eng = NULL };
}

/* In place: what is wanted by default lies in the struct itself. */
static int trust_prepare(struct trust *trust, const struct reference *ref, struct err *err)
{
	int r = trust_read(trust->eng, &trust->policy, &trust->path, err);

	if (r < 0)
		return r;
	reference_copy(ref, &trust->ref);
	trust->wanted = policy_find(&trust->policy, ref, &trust->scope);
	if (!*trust->scope)
		trust->scope = "all registries";
	trust->keys = xcalloc(trust->wanted->n, sizeof(*trust->keys));
	for (size_t i = 0; r == 0 && i < trust->wanted->n; i++)
		r = requirement_prepare(trust, i, err);
	if (r == 0)
		return 0;
	cleanup_free char *name = reference_familiar(ref);
	return err_wrap(err, r, "%s is not let in", name);
}

int trust_init(struct engine *eng, const struct reference *ref, struct trust *ret, struct err *err)
{
	*ret = (struct trust){ .eng = eng };
	int r = trust_prepare(ret, ref, err);

	if (r < 0)
		trust_done(ret);
	return r;
}

int trust_allow_transport(struct engine *eng, const char *transport, struct err *err)
{
	cleanup_policy struct policy policy = { { NULL } };
	const struct policy_requirements *wanted;
	cleanup_free char *path = NULL;
	int r = trust_read(eng, &policy, &path, err);

	if (r < 0)
		return r;
	/* What it says of this very file is not known: that is no yes. */
	if (policy_has_scopes(&policy, transport))
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "the policy speaks of single paths of %s, which is not "
					 "supported",
					 transport),
				"see %s", path);
	wanted = policy_find_transport(&policy, transport);
	for (size_t i = 0; i < wanted->n; i++) {
		if (wanted->items[i].type == POLICY_ACCEPT)
			continue;
		r = err_fail(err, ERR_DENIED, "the policy lets in nothing by %s: %s%s", transport,
			     policy_type_names[wanted->items[i].type],
			     wanted->items[i].type == POLICY_REJECT
				 ? ""
				 : ", and what comes so has no signatures");
		return err_hint(err, r, "see %s", path);
	}
	return 0;
}

/* ---- signatures ---- */

struct signature {
	struct buf payload;
	char *text; /* base64 */
};

struct signatures {
	struct signature *items;
	size_t n;
};

static void signatures_done(struct signatures *list)
{
	for (size_t i = 0; i < list->n; i++) {
		buf_done(&list->items[i].payload);
		free(list->items[i].text);
	}
	free(list->items);
	*list = (struct signatures){ NULL };
}
#define cleanup_signatures CLEANUP(signatures_done)

/* Looking for them at one endpoint. */
struct search {
	struct trust *trust;
	struct registry_conn *conn;
	struct registry_endpoint *endpoint;
	bool *met;       /* of each requirement */
	bool found_any;  /* something that says that it is a signature */
	bool found_good; /* one by a key that is wanted */
	struct err why;  /* what was wrong with it, or with the looking */
};

static int fetch(struct search *se, int op, const char *reference, uint64_t size, uint64_t limit,
		 struct buf *out, struct err *err)
{
	struct registry_request ask = { .op = op, .limit = limit, .size = size };
	int r;

	ask.endpoints.items = se->endpoint;
	ask.endpoints.n = 1;
	ask.reference = op == REGISTRY_MANIFEST ? (char *)(uintptr_t)reference : NULL;
	ask.digest = op == REGISTRY_MANIFEST ? NULL : (char *)(uintptr_t)reference;
	if (op == REGISTRY_REFERRERS)
		ask.artifact_type = (char *)(uintptr_t)SIGNATURE_ARTIFACT_TYPE;
	r = registry_fetch(se->conn, &ask, out, NULL, err);
	if (r == 0 && out->len > limit)
		r = err_fail(err, ERR_LIMIT, "%s is larger than %llu bytes", reference,
			     (unsigned long long)limit);
	return r;
}

static int check_content(const struct buf *text, const char *digest, struct err *err)
{
	char found[SHA256_TEXT_MAX];

	if (str_eq(sha256_text(buf_str(text), text->len, found), digest))
		return 0;
	return err_fail(err, ERR_CORRUPT, "%s has other content (%s)", digest, found);
}

/* One entry of a manifest of signatures. What is none is passed over. */
static int signature_fetch(struct search *se, const struct oci_descriptor *layer,
			   struct signatures *list, struct err *err)
{
	const char *text = json_map_get(&layer->annotations, SIGNATURE_ANNOTATION);
	struct signature sig = { .payload = BUF_INIT };
	int r;

	if (!text || !str_eq(layer->media_type, SIGNATURE_MEDIA_TYPE))
		return 0;
	if (strlen(text) > SIGNATURE_MAX || layer->size < 0 ||
	    layer->size > (int64_t)SIGNATURE_PAYLOAD_MAX)
		return err_fail(err, ERR_LIMIT, "signature %s is too large", layer->digest);
	r = fetch(se, REGISTRY_BLOB, layer->digest, (uint64_t)layer->size, SIGNATURE_PAYLOAD_MAX,
		  &sig.payload, err);
	if (r == 0)
		r = check_content(&sig.payload, layer->digest, err);
	if (r < 0) {
		buf_done(&sig.payload);
		return r;
	}
	sig.text = xstrdup(text);
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] = sig;
	return 0;
}

static int signatures_fetch(struct search *se, const char *reference, struct signatures *list,
			    struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	int r = fetch(se, REGISTRY_MANIFEST, reference, 0, MANIFEST_MAX, &text, err);

	if (r == 0 && digest_valid(reference))
		r = check_content(&text, reference, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &manifest, err);
	if (r == 0 && manifest.layers.n > SIGNATURES_MAX)
		r = err_fail(err, ERR_LIMIT, "more than %d signatures", SIGNATURES_MAX);
	for (size_t i = 0; r == 0 && i < manifest.layers.n; i++)
		r = signature_fetch(se, &manifest.layers.items[i], list, err);
	return r;
}

/* ---- do they do? ---- */

/* A good signature of something: of this image? */
static bool payload_fits(struct search *se, const struct policy_requirement *q,
			 const struct signature *sig, const char *digest)
{
	cleanup_signature_payload struct signature_payload payload = { NULL };
	struct err err = ERR_INIT;
	int r;

	r = signature_payload_parse(buf_str(&sig->payload), sig->payload.len, &payload, &err);
	if (r == 0 && !str_eq(payload.digest, digest))
		r = err_fail(&err, ERR_DENIED, "a signature is of another image, %s",
			     payload.digest);
	if (r == 0 && !policy_identity_fits(q->identity, &se->trust->ref, payload.reference)) {
		cleanup_free char *shown = str_escape(payload.reference);

		r = err_fail(&err, ERR_DENIED, "a signature is for another name, \"%.300s\"",
			     shown);
		if (!q->identity)
			err_hint(&err, r,
				 "signatures by cosign have no tag: the policy can take them with "
				 "signedIdentity of type matchRepository");
	}
	if (r < 0)
		se->why = err;
	se->found_good = true;
	return r == 0;
}

static int requirement_check(struct search *se, size_t no, const struct signatures *list,
			     const char *digest, struct err *err)
{
	cleanup_free struct verify_signature *ask = xcalloc(list->n + 1, sizeof(*ask));
	cleanup_free bool *good = xcalloc(list->n + 1, sizeof(*good));
	int r;

	for (size_t i = 0; i < list->n; i++)
		ask[i] = (struct verify_signature){ &list->items[i].payload, list->items[i].text };
	r = signatures_verify(&se->trust->eng->store, se->trust->keys[no], ask, list->n, good, err);
	for (size_t i = 0; r == 0 && !se->met[no] && i < list->n; i++)
		if (good[i])
			se->met[no] = payload_fits(se, &se->trust->wanted->items[no],
						   &list->items[i], digest);
	return r;
}

static bool all_met(const struct search *se)
{
	for (size_t i = 0; i < se->trust->wanted->n; i++)
		if (!se->met[i])
			return false;
	return true;
}

/* The signatures of digest in the manifest reference. A registry that has none, or nonsense, is no
 * error: 0. Errors are those of this machine. */
static int search_in(struct search *se, const char *reference, const char *digest, struct err *err)
{
	cleanup_signatures struct signatures list = { NULL };
	struct err why = ERR_INIT;
	int r = signatures_fetch(se, reference, &list, &why);

	if (r < 0 && (why.kind != ERR_NOT_FOUND || list.n)) {
		log_debug("signatures of %s: %s", digest, why.msg);
		err_wrap(&why, r, "reading its signatures");
		se->why = why;
	}
	se->found_any = se->found_any || list.n;
	r = 0;
	for (size_t i = 0; r == 0 && list.n && i < se->trust->wanted->n; i++)
		if (!se->met[i])
			r = requirement_check(se, i, &list, digest, err);
	return r;
}

/* Signatures that name the image as their subject. */
static int search_referrers(struct search *se, const char *digest, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct err why = ERR_INIT;
	int r;

	if (fetch(se, REGISTRY_REFERRERS, digest, 0, MANIFEST_MAX, &text, &why) < 0 ||
	    oci_index_parse(buf_str(&text), text.len, &index, &why) < 0) {
		log_debug("referrers of %s: %s", digest, why.msg);
		return 0;
	}
	r = 0;
	for (size_t i = 0; r == 0 && !all_met(se) && i < index.manifests.n && i < REFERRERS_MAX;
	     i++) {
		const struct oci_descriptor *one = &index.manifests.items[i];

		if (str_eq(one->artifact_type, SIGNATURE_ARTIFACT_TYPE))
			r = search_in(se, one->digest, digest, err);
	}
	return r;
}

static int search_endpoint(struct search *se, const char *const digests[2], struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && !all_met(se) && i < 2; i++) {
		cleanup_free char *tag = digests[i] ? signature_tag(digests[i]) : NULL;

		if (tag)
			r = search_in(se, tag, digests[i], err);
	}
	for (size_t i = 0; r == 0 && !all_met(se) && i < 2; i++)
		if (digests[i])
			r = search_referrers(se, digests[i], err);
	return r;
}

static int fail_unsigned(const struct search *se, struct err *err)
{
	const struct trust *trust = se->trust;
	const char *why =
	    se->found_any ? "no signature is by a key that it names" : "there is no signature";
	int r;

	if (se->why.msg[0] && (se->found_good || !se->found_any))
		why = se->why.msg;
	r = err_fail(err, ERR_DENIED, "the policy for %s wants it signed: %s", trust->scope, why);
	if (se->why.hint[0])
		return err_hint(err, r, "%s", se->why.hint);
	return err_hint(err, r, "see %s", trust->path);
}

int trust_verify(struct trust *trust, struct registry_conn *conn,
		 const struct registry_endpoints *from, const char *digest, const char *manifest,
		 struct err *err)
{
	const char *const digests[2] = { digest, str_eq(digest, manifest) ? NULL : manifest };
	cleanup_free bool *met = xcalloc(trust->wanted->n, sizeof(*met));
	struct search se = { .trust = trust, .conn = conn, .met = met, .why = ERR_INIT };
	int r = 0;

	for (size_t i = 0; i < trust->wanted->n; i++)
		met[i] = trust->wanted->items[i].type == POLICY_ACCEPT;
	/* a mirror may lack what the registry has */
	for (size_t i = 0; r == 0 && !all_met(&se) && i < from->n; i++) {
		se.endpoint = &from->items[i];
		r = search_endpoint(&se, digests, err);
	}
	if (r == 0 && !all_met(&se))
		r = fail_unsigned(&se, err);
	if (r == 0)
		return 0;
	cleanup_free char *name = reference_familiar(&trust->ref);
	return err_wrap(err, r, "%s is not let in", name);
}
