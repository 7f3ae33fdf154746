/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/signature.h"

#include "base/json.h"
#include "base/str.h"
#include "oci/digest.h"

struct identity {
	char *reference;
};
struct image {
	char *digest;
};
struct critical {
	int type;
	struct identity *identity;
	struct image *image;
};
struct payload {
	struct critical *critical;
	char *optional; /* who made it and when: not looked at */
};

static const char *const type_names[] = { "cosign container image signature", NULL };

static const struct json_field identity_fields[] = {
	JSON_FIELD(struct identity, reference, "docker-reference", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
};
static const struct json_desc identity_desc =
    JSON_DESC(struct identity, identity_fields, .closed = true);

static const struct json_field image_fields[] = {
	JSON_FIELD(struct image, digest, "docker-manifest-digest", JSON_STR,
		   .flags = JSON_REQUIRED),
};
static int check_image(const void *object, struct err *err)
{
	const struct image *image = object;

	if (digest_valid(image->digest))
		return 0;
	return json_fail(err, "docker-manifest-digest", "expected a digest");
}
static const struct json_desc image_desc =
    JSON_DESC(struct image, image_fields, .check = check_image, .closed = true);

static const struct json_field critical_fields[] = {
	JSON_FIELD(struct critical, type, "type", JSON_ENUM, .names = type_names,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct critical, identity, "identity", JSON_OBJ, .desc = &identity_desc,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct critical, image, "image", JSON_OBJ, .desc = &image_desc,
		   .flags = JSON_REQUIRED),
};
static const struct json_desc critical_desc =
    JSON_DESC(struct critical, critical_fields, .closed = true);

static const struct json_field payload_fields[] = {
	JSON_FIELD(struct payload, critical, "critical", JSON_OBJ, .desc = &critical_desc,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct payload, optional, "optional", JSON_RAW),
};
static const struct json_desc payload_desc =
    JSON_DESC(struct payload, payload_fields, .closed = true);

int signature_payload_parse(const char *text, size_t len, struct signature_payload *ret,
			    struct err *err)
{
	struct payload payload = { NULL };
	int r;

	if (len > SIGNATURE_PAYLOAD_MAX)
		return err_fail(err, ERR_LIMIT, "signature: larger than %u bytes",
				SIGNATURE_PAYLOAD_MAX);
	r = json_parse(&payload_desc, &payload, text, len, "signature", err);
	if (r < 0)
		return r;
	ret->digest = take_ptr(payload.critical->image->digest);
	ret->reference = take_ptr(payload.critical->identity->reference);
	json_free(&payload_desc, &payload);
	return 0;
}

void signature_payload_done(struct signature_payload *payload)
{
	free(payload->digest);
	free(payload->reference);
	*payload = (struct signature_payload){ NULL };
}

char *signature_tag(const char *digest)
{
	size_t n = strcspn(digest, ":");

	return xasprintf("%.*s-%s.sig", (int)n, digest, digest + n + 1);
}
