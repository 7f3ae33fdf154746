/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests with what they are described by, in the words of `docker manifest inspect -v`. */
#include "base/base64.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/manifest.h"
#include "engine/manifest_members.h"
#include "image/store.h"
#include "oci/digest.h"

#define BYTES_MAX (16u << 20) /* of all manifests of a list */

struct detail {
	char *ref;
	struct oci_descriptor *descriptor;
	char *raw;          /* the document's bytes in base64; NULL: nobody has them */
	char *docker, *oci; /* the document */
};
static const struct json_field detail_fields[] = {
	JSON_FIELD(struct detail, ref, "Ref", JSON_STR),
	JSON_FIELD(struct detail, descriptor, "Descriptor", JSON_OBJ, .desc = &oci_descriptor_desc),
	JSON_FIELD(struct detail, raw, "Raw", JSON_STR),
	JSON_FIELD(struct detail, docker, "SchemaV2Manifest", JSON_RAW),
	JSON_FIELD(struct detail, oci, "OCIManifest", JSON_RAW),
};
static const struct json_desc detail_desc = JSON_DESC(struct detail, detail_fields);

struct verbose {
	struct documents docs;
	struct members members;
	char *name; /* that they are members of, or that means the only one; may be NULL */
	bool list;
	size_t bytes;
};

/* Of the store or the registry. 0: nobody has it; 1. */
static int text_find(struct verbose *v, const struct oci_descriptor *desc, struct buf *out,
		     struct err *err)
{
	struct engine *eng = v->docs.eng;
	int r = 1;

	if (str_starts(desc->digest, "sha256:") && blob_exists(&eng->store, desc->digest, -1))
		r = blob_read(&eng->store, desc->digest, out, err);
	else if (v->docs.from.n)
		r = documents_get(&v->docs, REGISTRY_MANIFEST, desc, out, err);
	else
		return 0;
	v->bytes += out->len;
	if (r >= 0 && v->bytes > BYTES_MAX)
		r = err_fail(err, ERR_LIMIT, "manifests of more than %u bytes", BYTES_MAX);
	return r < 0 ? r : 1;
}

static int detail_write(struct verbose *v, struct oci_descriptor *desc, struct buf *out,
			struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT, raw = BUF_INIT;
	cleanup_free char *ref = NULL;
	struct detail detail = { .descriptor = desc };
	int r = text_find(v, desc, &text, err);

	if (r < 0)
		return r;
	if (v->name)
		detail.ref = ref =
		    v->list ? xasprintf("%s@%s", v->name, desc->digest) : xstrdup(v->name);
	if (r > 0) {
		base64_encode(buf_str(&text), text.len, &raw);
		detail.raw = raw.data;
	}
	/* lists in the list are not taken apart */
	if (r > 0 && oci_media_kind(desc->media_type) != OCI_IS_INDEX) {
		r = oci_manifest_parse(buf_str(&text), text.len, &manifest, err);
		if (r < 0)
			return err_wrap(err, r, "manifest %s", desc->digest);
		*(str_eq(desc->media_type, DOCKER_MEDIA_MANIFEST) ? &detail.docker : &detail.oci) =
		    text.data;
	}
	json_write(&detail_desc, &detail, 0, out);
	return 0;
}

static int write_all(struct verbose *v, struct buf *out, struct err *err)
{
	int r = 0;

	if (v->list)
		buf_addc(out, '[');
	for (size_t i = 0; r == 0 && i < v->members.n; i++) {
		if (i)
			buf_addc(out, ',');
		r = detail_write(v, &v->members.items[i], out, err);
	}
	if (v->list)
		buf_addc(out, ']');
	return r;
}

/* What stands before the digest of a member. */
static void name_here(struct verbose *v, const char *word, const struct image_row *row)
{
	if (reference_normalize(word, &v->name, NULL) < 0 || !strv_has(row->names, v->name)) {
		free(take_ptr(v->name));
		v->name = row->names ? xstrdup(row->names[0]) : NULL;
	}
}

static int find_there(struct verbose *v, const char *word, struct err *err)
{
	const char *rest = str_after(word, "docker://");
	cleanup_free char *name = xasprintf("docker://%s", rest ? rest : word);
	const struct documents *docs = &v->docs;

	int r = members_find(&v->docs, name, MEMBERS_ALL, &v->members, err);
	if (r < 0)
		return r;
	v->name = reference_format(&docs->ref);
	v->list = oci_is_index(docs->media_type, buf_str(&docs->text), docs->text.len);
	return 0;
}

static int find(struct verbose *v, const char *word, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	struct err own = ERR_INIT;
	bool here =
	    !str_starts(word, "docker://") && images_find_whole(v->docs.eng, word, &row, NULL) == 0;
	int r;

	if (!here || row.kind != IMAGE_KIND_LIST) {
		r = find_there(v, word, &own);
		if (r == 0)
			return 0;
		if (!here) {
			if (err)
				*err = own;
			return r;
		}
		log_warn("%s: %s; this is the manifest of the image that is here", word, own.msg);
	}
	name_here(v, word, &row);
	v->list = row.kind == IMAGE_KIND_LIST;
	return members_find(&v->docs, word, MEMBERS_ALL, &v->members, err);
}

int manifest_read_verbose(struct engine *eng, const char *word,
			  const struct registry_access *access, struct buf *out, struct err *err)
{
	struct verbose v = { .docs = DOCUMENTS_INIT };
	int r = engine_store(eng, err);

	v.docs.eng = eng;
	v.docs.access = access;
	if (r == 0)
		r = find(&v, word, err);
	if (r == 0)
		r = write_all(&v, out, err);
	free(v.name);
	members_done(&v.members);
	documents_done(&v.docs);
	return r < 0 ? err_wrap(err, r, "inspecting manifest %s", word) : 0;
}
