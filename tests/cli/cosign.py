# SPDX-License-Identifier: Apache-2.0
"""Signatures as cosign makes them, with openssl and nothing else:

    key = cosign.Key(directory, "ecdsa")            # or "ed25519", "rsa"; .public is a file
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, f"{reg.host}/app")])
"""

import base64
import json
import subprocess

from registries import CONFIG, digest

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
TYPE = "cosign container image signature"
ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"

KINDS = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ecdsa384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-algorithm", "ED25519"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa1024": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    "x25519": ["-algorithm", "X25519"],
}


def _openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, **kw).stdout


class Key:
    """A pair of keys in files."""

    def __init__(self, directory, kind="ecdsa", name="key"):
        self.kind = kind
        self.private = directory / f"{name}.key"
        self.public = directory / f"{name}.pub"
        _openssl("genpkey", *KINDS[kind], "-out", self.private)
        self.public.write_bytes(_openssl("pkey", "-in", self.private, "-pubout"))
        self.public.chmod(0o644)

    def sign(self, data):
        if self.kind == "ed25519":
            path = self.private.with_suffix(".data")
            path.write_bytes(data)
            return _openssl("pkeyutl", "-sign", "-inkey", self.private, "-rawin", "-in", path)
        return _openssl("dgst", "-sha256", "-sign", self.private, input=data)

    def data(self):
        """As keyData has it."""
        return base64.b64encode(self.public.read_bytes()).decode()


def payload(of, reference, **critical):
    """What is signed."""
    return json.dumps({"critical": {
        "identity": {"docker-reference": reference}, "image": {"docker-manifest-digest": of},
        "type": TYPE, **critical}, "optional": None}).encode()


def sign(key, of, reference, data=None):
    """(payload, signature)"""
    data = payload(of, reference) if data is None else data
    return data, b64(key.sign(data))


def attach(reg, repository, of, signatures, media_type=PAYLOAD, **members):
    """Puts signatures where cosign does, or with tag=... elsewhere; returns the manifest's digest."""
    tag = members.pop("tag", of.replace(":", "-") + ".sig")
    config = b"{}"
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": CONFIG, "digest": reg.blob(repository, config),
                           "size": len(config)},
                "layers": [{"mediaType": media_type, "digest": reg.blob(repository, data),
                            "size": len(data), "annotations": {ANNOTATION: signature}}
                           for data, signature in signatures], **members}
    text = json.dumps(manifest).encode()
    return reg.manifest(repository, tag or digest(text), text)


def b64(data):
    return base64.b64encode(data).decode()
