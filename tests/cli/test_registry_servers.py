# SPDX-License-Identifier: Apache-2.0
"""The registries that tests talk to: they are what they say, for skopeo too."""

import gzip
import json

import pytest


@pytest.mark.parametrize("auth", [None, "basic", "token"])
@pytest.mark.parametrize("tls", [False, True])
def test_registry(root, registries, tls, auth):
    reg = registries.start(tls=tls, auth=auth)
    image = reg.push("team/app", "1.0", [gzip.compress(b"x" * 1024)])
    argv = ["skopeo", "inspect", "--raw", f"docker://{reg.host}/team/app:1.0"]
    argv += ["--cert-dir", reg.certs(root.dir)] if tls else ["--tls-verify=false"]
    if auth:
        root.run(*argv).fails("unauthorized" if auth == "token" else "authentication")
        argv += ["--creds", f"{reg.user}:{reg.password}"]
    assert root.run(*argv).ok().out.encode() == image.manifest
    assert json.loads(image.manifest)["layers"][0]["digest"] == image.layers[0]
    assert ("GET", "/v2/team/app/manifests/1.0", 200) in reg.requests()


def test_anonymous_token(root, registries):
    reg = registries.start(auth="token", anonymous=["open"])
    reg.push("open", "1", [b"x"])
    reg.push("closed", "1", [b"x"])
    inspect = ["skopeo", "inspect", "--raw", "--tls-verify=false"]
    root.run(*inspect, f"docker://{reg.host}/open:1").ok()
    root.run(*inspect, f"docker://{reg.host}/closed:1").fails("unauthorized")
