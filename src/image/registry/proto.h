/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What inro and inro-registry say to each other: one JSON document per message on a SOCK_SEQPACKET
 * pair, which is file descriptor 3 of inro-registry. The engine sends requests, each with at most
 * one fd; answers come by id, in any order, once a request is done, with `partial` ones before.
 * Manifests, lists and blobs go through the request's fd, never in a message. Both sides use these
 * tables. The engine treats answers as hostile: inro-registry has talked to the network.
 *
 * Memory is the heap's, as base/json.h says; json_free() with the desc frees a struct. A request
 * that is only sent may point anywhere.
 */
#pragma once

#include "base/json.h"

#define REGISTRY_FD          3
#define REGISTRY_PARALLEL    32          /* requests that are served at once */
#define REGISTRY_MESSAGE_MAX (96u << 10) /* bytes of a request or an answer */
#define REGISTRY_TLS_MAX     (4u << 20)  /* bytes of a struct registry_tls as JSON */

/* Limits where a request has none. */
#define REGISTRY_DOC_MAX   (4u << 20)  /* bytes of a manifest or an index */
#define REGISTRY_LIST_MAX  (16u << 20) /* bytes of a list that was put together from pages */
#define REGISTRY_NAMES_MAX 200000u     /* entries of such a list */
#define REGISTRY_URLS_MAX  8u          /* addresses of one blob; more are left out */
#define REGISTRY_URL_MAX   4096u       /* bytes; longer ones are left out */

struct registry_auth {
	char *username, *password; /* both or none */
	char *identity_token;      /* a refresh token, for the token server's POST */
	char *registry_token;      /* sent to the registry as it is */
};

struct registry_endpoint {
	char *url;        /* "https://host[:port]", no path */
	char *repository; /* path below /v2/; NULL for catalog, search, ping */
	char *tls_dir;    /* *.crt: CAs besides the system's; *.cert with *.key: client; or NULL */
	bool insecure;    /* certificates are not checked; plain http when https does not answer */
	struct registry_auth *auth; /* NULL: anonymous */
};

enum registry_op {
	/* Is it there? reference: a manifest; digest alone: a blob. answer: exists, digest,
	 * media_type, size. Absence is no error. */
	REGISTRY_HEAD,
	/* fd gets the manifest `reference`, whole, once all of it is here. accept: media types
	 * (NULL: all that inro knows). limit: bytes. answer: digest (what the header says, or
	 * NULL), media_type, size. */
	REGISTRY_MANIFEST,
	/* fd gets the blob `digest` from byte `offset` on and is closed at its end. size: of the
	 * whole blob, 0 if not known; then limit bytes at most. urls: addresses (https, but on the
	 * host of an insecure registry) that are asked, without credentials, when the registry does
	 * not have it; REGISTRY_URLS_MAX of them. */
	REGISTRY_BLOB,
	/* fd: a regular file with the blob `digest` of `size` bytes, from its start. from: another
	 * repository of the same registry that has it. limit: bytes per chunk, 0: all at once where
	 * the registry takes that. answer: exists (was there already), mounted; partial ones with
	 * done. */
	REGISTRY_UPLOAD,
	/* The same without the bytes: is the blob there, or can it be mounted from `from`? answer:
	 * exists, mounted, or neither, which is no error. */
	REGISTRY_MOUNT,
	/* fd: a manifest to be read to its end, stored under `reference`, of type media_type.
	 * answer: digest, subject (the registry keeps referrers of that manifest itself). */
	REGISTRY_PUT,
	/* fd gets {"name": ..., "tags": [...]}. limit: entries; text: start behind this tag. */
	REGISTRY_TAGS,
	/* fd gets {"repositories": [...]}. limit: entries. */
	REGISTRY_CATALOG,
	/* fd gets the index of what refers to the manifest `digest`; by the tag schema where the
	 * registry has no referrers API. artifact_type: only these. */
	REGISTRY_REFERRERS,
	/* fd gets {"results": [{"name", "description", "star_count", "is_official"}]} for `text`.
	 * limit: entries. */
	REGISTRY_SEARCH,
	/* Removes the manifest `reference` (or, without one, the blob `digest`). */
	REGISTRY_DELETE,
	/* Is this a registry, and are the credentials good? Without them: is it there. */
	REGISTRY_PING,
	/* What is in the directory `text`, as a struct registry_tls in fd; comes before the first
	 * request that names it. Not answered. registry_send() does this. */
	REGISTRY_TLS,
	REGISTRY_OPS
};

struct registry_request {
	uint64_t id;                                   /* not 0; unique among those under way */
	int op;                                        /* enum registry_op */
	JSON_LIST(struct registry_endpoint) endpoints; /* tried in order: mirrors first */
	char *reference;                               /* tag or digest */
	char *digest;
	uint64_t size, offset;
	char *media_type;
	char **accept;
	char *from;
	char *artifact_type;
	char *text;
	uint64_t limit; /* 0: the default */
	char **urls;    /* where else a blob is, see REGISTRY_BLOB */
	bool absent;    /* REGISTRY_UPLOAD: the registry has just said that it has it not */
};
extern const struct json_desc registry_request_desc;

struct registry_error {
	int kind;       /* enum err_kind */
	int errnum;     /* positive */
	char *message;  /* "reading manifest v1 of reg.example/app: ..." */
	char *hint;     /* or NULL */
	char *code;     /* the registry's own: "MANIFEST_UNKNOWN"; or NULL */
	uint64_t after; /* seconds after which to try again, when the registry said so */
};

struct registry_answer {
	uint64_t id;
	bool partial; /* more will come: done, notice */
	bool ok;
	struct registry_error error; /* when not ok */
	int status;                  /* of the last HTTP answer, 0: there was none */
	char *endpoint;              /* url of the one that answered */
	char *digest, *media_type, *subject;
	uint64_t size;
	bool exists, mounted;
	uint64_t done; /* bytes of an upload so far */
	char *notice;  /* "trying again in 4 s: ...": worth a line when shown */
};
extern const struct json_desc registry_answer_desc;

/* Files of a tls_dir in PEM, one after the other; NULL: there is none. */
struct registry_tls {
	char *ca, *cert, *key;
};
extern const struct json_desc registry_tls_desc;

/* "manifest", "blob" ... */
const char *registry_op_name(int op);
/* Does a request of this kind come with an fd? */
bool registry_op_has_fd(int op);
