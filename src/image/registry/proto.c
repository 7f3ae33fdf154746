/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/proto.h"

#define ENDPOINTS_MAX 64

static const char *const op_words[] = {
	[REGISTRY_HEAD] = "head",     [REGISTRY_MANIFEST] = "manifest",
	[REGISTRY_BLOB] = "blob",     [REGISTRY_UPLOAD] = "upload",
	[REGISTRY_MOUNT] = "mount",   [REGISTRY_PUT] = "put",
	[REGISTRY_TAGS] = "tags",     [REGISTRY_CATALOG] = "catalog",
	[REGISTRY_SEARCH] = "search", [REGISTRY_REFERRERS] = "referrers",
	[REGISTRY_PING] = "ping",     [REGISTRY_DELETE] = "delete",
	[REGISTRY_TLS] = "tls",       [REGISTRY_OPS] = NULL,
};

static const char *const kind_words[] = {
	[ERR_SYSTEM] = "system",
	[ERR_USAGE] = "usage",
	[ERR_INVALID] = "invalid",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_EXISTS] = "exists",
	[ERR_CONFLICT] = "conflict",
	[ERR_DENIED] = "denied",
	[ERR_UNSUPPORTED] = "unsupported",
	[ERR_LIMIT] = "limit",
	[ERR_CORRUPT] = "corrupt",
	[ERR_NOT_EXECUTABLE] = "not-executable",
	[ERR_CMD_NOT_FOUND] = "command-not-found",
	[ERR_KINDS] = NULL,
};

static const struct json_field auth_fields[] = {
	JSON_FIELD(struct registry_auth, username, "username", JSON_STR),
	JSON_FIELD(struct registry_auth, password, "password", JSON_STR),
	JSON_FIELD(struct registry_auth, identity_token, "identityToken", JSON_STR),
	JSON_FIELD(struct registry_auth, registry_token, "registryToken", JSON_STR),
};
static const struct json_desc auth_desc = JSON_DESC(struct registry_auth, auth_fields);

static const struct json_field endpoint_fields[] = {
	JSON_FIELD(struct registry_endpoint, url, "url", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct registry_endpoint, repository, "repository", JSON_STR,
		   .flags = JSON_NOT_EMPTY),
	JSON_FIELD(struct registry_endpoint, tls_dir, "tlsDir", JSON_STR),
	JSON_FIELD(struct registry_endpoint, insecure, "insecure", JSON_BOOL),
	JSON_FIELD(struct registry_endpoint, auth, "auth", JSON_OBJ, .desc = &auth_desc),
};
static const struct json_desc endpoint_desc = JSON_DESC(struct registry_endpoint, endpoint_fields);

static const struct json_field request_fields[] = {
	JSON_FIELD(struct registry_request, id, "id", JSON_U64, .flags = JSON_REQUIRED),
	JSON_FIELD(struct registry_request, op, "op", JSON_ENUM, .names = op_words,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct registry_request, endpoints, "endpoints", JSON_ARRAY,
		   .desc = &endpoint_desc),
	JSON_FIELD(struct registry_request, reference, "reference", JSON_STR),
	JSON_FIELD(struct registry_request, digest, "digest", JSON_STR),
	JSON_FIELD(struct registry_request, size, "size", JSON_U64),
	JSON_FIELD(struct registry_request, offset, "offset", JSON_U64),
	JSON_FIELD(struct registry_request, media_type, "mediaType", JSON_STR),
	JSON_FIELD(struct registry_request, accept, "accept", JSON_STRV),
	JSON_FIELD(struct registry_request, from, "from", JSON_STR),
	JSON_FIELD(struct registry_request, artifact_type, "artifactType", JSON_STR),
	JSON_FIELD(struct registry_request, text, "text", JSON_STR),
	JSON_FIELD(struct registry_request, limit, "limit", JSON_U64),
	JSON_FIELD(struct registry_request, urls, "urls", JSON_STRV),
	JSON_FIELD(struct registry_request, absent, "absent", JSON_BOOL),
};

static int request_check(const void *object, struct err *err)
{
	const struct registry_request *req = object;

	if (req->id == 0)
		return json_fail(err, "id", "expected a number above 0");
	if (req->op == REGISTRY_TLS)
		return req->text ? 0 : json_fail(err, "text", "is missing");
	if (req->endpoints.n == 0 || req->endpoints.n > ENDPOINTS_MAX)
		return json_fail(err, "endpoints", "expected 1 to %d", ENDPOINTS_MAX);
	return 0;
}

const struct json_desc registry_request_desc =
    JSON_DESC(struct registry_request, request_fields, .check = request_check);

static const struct json_field error_fields[] = {
	JSON_FIELD(struct registry_error, kind, "kind", JSON_ENUM, .names = kind_words),
	JSON_FIELD(struct registry_error, errnum, "errno", JSON_I32),
	JSON_FIELD(struct registry_error, message, "message", JSON_STR),
	JSON_FIELD(struct registry_error, hint, "hint", JSON_STR),
	JSON_FIELD(struct registry_error, code, "code", JSON_STR),
	JSON_FIELD(struct registry_error, after, "after", JSON_U64),
};
static const struct json_desc error_desc = JSON_DESC(struct registry_error, error_fields);

static const struct json_field answer_fields[] = {
	JSON_FIELD(struct registry_answer, id, "id", JSON_U64, .flags = JSON_REQUIRED),
	JSON_FIELD(struct registry_answer, partial, "partial", JSON_BOOL),
	JSON_FIELD(struct registry_answer, ok, "ok", JSON_BOOL, .flags = JSON_KEEP),
	JSON_FIELD(struct registry_answer, error, "error", JSON_STRUCT, .desc = &error_desc),
	JSON_FIELD(struct registry_answer, status, "status", JSON_I32),
	JSON_FIELD(struct registry_answer, endpoint, "endpoint", JSON_STR),
	JSON_FIELD(struct registry_answer, digest, "digest", JSON_STR),
	JSON_FIELD(struct registry_answer, media_type, "mediaType", JSON_STR),
	JSON_FIELD(struct registry_answer, subject, "subject", JSON_STR),
	JSON_FIELD(struct registry_answer, size, "size", JSON_U64),
	JSON_FIELD(struct registry_answer, exists, "exists", JSON_BOOL),
	JSON_FIELD(struct registry_answer, mounted, "mounted", JSON_BOOL),
	JSON_FIELD(struct registry_answer, done, "done", JSON_U64),
	JSON_FIELD(struct registry_answer, notice, "notice", JSON_STR),
};
const struct json_desc registry_answer_desc = JSON_DESC(struct registry_answer, answer_fields);

static const struct json_field tls_fields[] = {
	JSON_FIELD(struct registry_tls, ca, "ca", JSON_STR),
	JSON_FIELD(struct registry_tls, cert, "cert", JSON_STR),
	JSON_FIELD(struct registry_tls, key, "key", JSON_STR),
};
const struct json_desc registry_tls_desc = JSON_DESC(struct registry_tls, tls_fields);

const char *registry_op_name(int op)
{
	return op >= 0 && op < REGISTRY_OPS ? op_words[op] : "?";
}

bool registry_op_has_fd(int op)
{
	return op != REGISTRY_HEAD && op != REGISTRY_MOUNT && op != REGISTRY_DELETE &&
	       op != REGISTRY_PING;
}
