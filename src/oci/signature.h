/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signature of an image says: the payload that cosign signs ("simple signing",
 * containers-signature(5)). Pure. Nothing may stand beside what is checked, so that no condition is
 * passed over.
 */
#pragma once

#include "base/err.h"

#define SIGNATURE_MEDIA_TYPE    "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIGNATURE_ANNOTATION    "dev.cosignproject.cosign/signature"
#define SIGNATURE_ARTIFACT_TYPE "application/vnd.dev.cosign.artifact.sig.v1+json"
#define SIGNATURE_PAYLOAD_MAX   (64u << 10)

struct signature_payload {
	char *digest;    /* of the manifest that is signed, checked */
	char *reference; /* what it is called */
};
/* Bytes whose signature was found good. */
int signature_payload_parse(const char *text, size_t len, struct signature_payload *ret,
			    struct err *err);
void signature_payload_done(struct signature_payload *payload);
#define cleanup_signature_payload CLEANUP(signature_payload_done)

/* The tag at which the signatures of a manifest are: "sha256-<hex>.sig". The caller frees. */
char *signature_tag(const char *digest);
