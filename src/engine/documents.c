/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/documents.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "oci/digest.h"

static void forget(struct documents *docs)
{
	reference_done(&docs->ref);
	registry_endpoints_done(&docs->from);
	buf_done(&docs->text);
	free(take_ptr(docs->media_type));
	docs->ref = (struct reference){ 0 };
	docs->from = (struct registry_endpoints){ 0 };
	docs->digest[0] = '\0';
}

void documents_done(struct documents *docs)
{
	forget(docs);
	registry_stop(&docs->conn);
}

static struct registry_request request(const struct documents *docs, int op)
{
	struct registry_request ask = { .op = op, .limit = OCI_BLOB_MAX };

	ask.endpoints.items = docs->from.items;
	ask.endpoints.n = docs->from.n;
	return ask;
}

static int check_digest(const struct buf *text, const char *digest, struct err *err)
{
	char found[SHA256_TEXT_MAX];

	if (str_eq(sha256_text(buf_str(text), text->len, found), digest))
		return 0;
	return err_fail(err, ERR_CORRUPT, "%s has other content (%s)", digest, found);
}

static int check_asked(const char *digest, struct err *err)
{
	if (digest_valid(digest) && str_starts(digest, "sha256:"))
		return 0;
	return err_fail(err, ERR_UNSUPPORTED, "%s: only sha256 digests are supported", digest);
}

/* ---- what a word means ---- */

static int find_name(struct documents *docs, const char *name, struct err *err)
{
	struct registry_answer answer = { 0 };
	struct registry_request ask;
	int r;

	forget(docs);
	r = reference_parse(name, &docs->ref, err);
	if (r == 0 && docs->ref.digest)
		r = check_asked(docs->ref.digest, err);
	if (r == 0)
		r = registries_resolve(docs->eng, &docs->ref, false, docs->access, &docs->from,
				       err);
	if (r < 0)
		return r;
	ask = request(docs, REGISTRY_MANIFEST);
	ask.reference = docs->ref.digest ? docs->ref.digest : docs->ref.tag;
	r = registry_fetch(&docs->conn, &ask, &docs->text, &answer, err);
	if (r == 0 && docs->text.len > OCI_BLOB_MAX)
		r = err_fail(err, ERR_LIMIT, "manifest is larger than %u bytes", OCI_BLOB_MAX);
	if (r == 0 && docs->ref.digest)
		r = check_digest(&docs->text, docs->ref.digest, err);
	if (r == 0) {
		sha256_text(buf_str(&docs->text), docs->text.len, docs->digest);
		docs->media_type = take_ptr(answer.media_type);
	}
	registry_answer_done(&answer);
	return r;
}

int documents_find(struct documents *docs, const char *word, struct err *err)
{
	const char *rest = str_after(word, "docker://");
	cleanup_strv char **names = NULL;
	struct err one = ERR_INIT;
	int r = 0;

	word = rest ? rest : word;
	if (docs->conn.fd < 0)
		r = registries_start(docs->eng, &docs->conn, err);
	if (r == 0)
		r = registries_candidates(docs->eng, word, &names, err);
	if (r < 0)
		return r;
	/* only what does not exist leaves the word to the next name */
	for (size_t i = 0; names && names[i]; i++) {
		one = (struct err)ERR_INIT;
		r = find_name(docs, names[i], &one);
		if (r == 0 || one.kind != ERR_NOT_FOUND)
			break;
		log_debug("%s: %s", names[i], one.msg);
	}
	if (r < 0 && err)
		*err = one;
	return r;
}

/* ---- what it leads to ---- */

int documents_get(struct documents *docs, int op, const struct oci_descriptor *desc,
		  struct buf *out, struct err *err)
{
	struct registry_request ask = request(docs, op);
	int r = check_asked(desc->digest, err);

	if (r == 0 && (desc->size < 0 || desc->size > OCI_BLOB_MAX))
		r = err_fail(err, ERR_LIMIT, "document %s is larger than %u bytes", desc->digest,
			     OCI_BLOB_MAX);
	if (r < 0)
		return r;
	buf_reset(out);
	ask.reference = ask.digest = desc->digest;
	ask.size = (uint64_t)desc->size;
	r = registry_fetch(&docs->conn, &ask, out, NULL, err);
	if (r == 0)
		r = check_digest(out, desc->digest, err);
	return r < 0 ? err_wrap(err, r, "fetching %s", desc->digest) : 0;
}

int documents_referrers(struct documents *docs, const char *type, struct buf *out, struct err *err)
{
	struct registry_request ask = request(docs, REGISTRY_REFERRERS);

	ask.digest = docs->digest;
	ask.artifact_type = (char *)type;
	buf_reset(out);
	return registry_fetch(&docs->conn, &ask, out, NULL, err);
}
