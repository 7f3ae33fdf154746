# SPDX-License-Identifier: Apache-2.0
"""inro-registry against docker-registry: every operation, with each kind of authorization."""

import os

import pytest

from registries import digest
from registryclient import Client, endpoint


@pytest.mark.parametrize("auth", [None, "basic", "token"])
@pytest.mark.parametrize("tls", [False, True])
def test_pull_and_push(anyone, registries, tls, auth):
    reg = registries.start(tls=tls, auth=auth)
    layer = os.urandom(3 << 20)
    image = reg.push("team/app", "1.0", [layer])
    place = endpoint(reg, "team/app", auth=bool(auth), certs=reg.certs(anyone.dir))
    with Client(anyone) as client:
        answer, text = client.document("manifest", place, reference="1.0")
        assert text == image.manifest
        assert (answer["digest"], answer["size"]) == (image.digest, len(text))
        answer, data = client.blob(place, image.layers[0], len(layer))
        assert data == layer and answer["done"] == len(layer)
        new = os.urandom(2 << 20)
        answer = client.upload(place, new, digest(new))
        assert answer["done"] == len(new) and "exists" not in answer
        assert client.upload(place, new, digest(new))["exists"]
        assert client.blob(place, digest(new), len(new))[1] == new
