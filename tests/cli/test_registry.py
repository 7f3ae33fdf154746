# SPDX-License-Identifier: Apache-2.0
"""inro-registry against docker-registry: every operation, with each kind of authorization."""

import hashlib
import json
import os

import pytest

from registries import MANIFEST, digest
from registryclient import Client, Failed, endpoint

TURNS = True  # see conftest.py

INDEX = "application/vnd.oci.image.index.v1+json"


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


@pytest.fixture
def client(root):
    with Client(root, "--timeout=5") as c:
        yield c


def index(*manifests):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()


def descriptor(data, **members):
    return {"mediaType": MANIFEST, "digest": digest(data), "size": len(data), **members}


# ---- documents ----


def test_head(client, registries):
    reg = registries.start()
    image = reg.push("app", "1", [b"layer"])
    place = endpoint(reg, "app")
    answer = client.call("head", place, reference="1")
    assert answer["exists"] and answer["digest"] == image.digest
    assert answer["mediaType"] == MANIFEST and answer["size"] == len(image.manifest)
    answer = client.call("head", place, digest=image.layers[0])
    assert answer["exists"] and answer["size"] == 5
    for absent in ({"reference": "2"}, {"digest": digest(b"?")}):
        answer = client.call("head", place, **absent)
        assert answer["ok"] and answer["status"] == 404 and "exists" not in answer


def test_media_types_that_are_asked_for(client, registries):
    reg = registries.hostile()
    reg.on("GET", ".*", lambda r: r.answer(
        200, {"Content-Type": r.headers["Accept"].split(", ")[0] + "; charset=utf-8"}, b"{}"))
    place = endpoint(reg, "app")
    assert client.document("manifest", place, reference="1")[0]["mediaType"] == INDEX
    assert "application/vnd.docker.distribution.manifest.v2+json" \
        in reg.requests[0].headers["Accept"]
    answer, _ = client.document("manifest", place, reference="1", accept=["a/b", "c/d"])
    assert answer["mediaType"] == "a/b" and reg.requests[1].headers["Accept"] == "a/b, c/d"


def test_put_and_delete(client, registries):
    reg = registries.start()
    image = reg.push("app", "1", [b"layer"])
    place = endpoint(reg, "app")
    assert client.put(place, "2", image.manifest, MANIFEST)["digest"] == image.digest
    assert client.document("manifest", place, reference="2")[1] == image.manifest
    client.call("delete", place, reference=image.digest)
    with pytest.raises(Failed, match="404 Not Found: manifest unknown"):
        client.document("manifest", place, reference="2")
    client.call("delete", place, digest=image.layers[0])
    assert "exists" not in client.call("head", place, digest=image.layers[0])
    with pytest.raises(Failed, match=f"writing manifest 3 of {reg.host}/app: the registry answered"):
        client.put(place, "3", b"{}", MANIFEST)


def test_deletion_is_switched_off(client, registries):
    reg = registries.start(delete=False)
    image = reg.push("app", "1", [b"layer"])
    with pytest.raises(Failed, match="405 Method Not Allowed") as e:
        client.call("delete", endpoint(reg, "app"), reference=image.digest)
    assert e.value.error["kind"] == "unsupported" and "does not let anything" in e.value.hint


def test_subject(client, registries):
    reg = registries.hostile()
    reg.on("PUT", "/v2/app/manifests/1", status=201, headers={"OCI-Subject": digest(b"s")})
    reg.on("PUT", "/v2/app/manifests/2", status=201, headers={"OCI-Subject": "nonsense"})
    assert client.put(endpoint(reg, "app"), "1", b"{}", MANIFEST)["subject"] == digest(b"s")
    assert "subject" not in client.put(endpoint(reg, "app"), "2", b"{}", MANIFEST)
    assert reg.requests[0].body == b"{}" and reg.requests[0].headers["Content-Type"] == MANIFEST


def test_ping(client, registries):
    reg, page = registries.start(auth="basic"), registries.hostile()
    assert client.call("ping", endpoint(reg, auth=True))["ok"]
    with pytest.raises(Failed, match="wants a user name and a password") as e:
        client.call("ping", endpoint(reg))
    assert e.value.hint == f"log in: inro login {reg.host}"
    with pytest.raises(Failed, match=f"asking {page.host}: the registry answered 404") as e:
        client.call("ping", endpoint(page))
    assert e.value.hint == "is this the address of a registry?"


# ---- lists ----


def test_tags_and_catalog(client, registries):
    reg = registries.start()
    for name in ("a", "b/c"):
        image = reg.push(name, "1", [b"layer"])
        for tag in range(2, 8):
            reg.manifest(name, str(tag), image.manifest)
    answer, text = client.document("tags", endpoint(reg, "b/c"))
    assert json.loads(text)["name"] == "b/c"
    assert sorted(json.loads(text)["tags"]) == [str(i) for i in range(1, 8)]
    assert len(json.loads(client.document("tags", endpoint(reg, "b/c"), limit=3)[1])["tags"]) == 3
    assert json.loads(client.document("catalog", endpoint(reg))[1]) == {"repositories": ["a", "b/c"]}
    with pytest.raises(Failed, match=f"listing tags of {reg.host}/none: .*NAME_UNKNOWN"):
        client.document("tags", endpoint(reg, "none"))


def test_pages(client, registries):
    reg = registries.hostile()
    reg.on("GET", r"/v2/app/tags/list\?n=1000", body=b'{"name": "app", "tags": ["a", "b"]}',
           headers={"Link": '</v2/app/tags/list?n=2&last=b>; rel="next"'})
    reg.on("GET", r"/v2/app/tags/list\?n=2&last=b", body=b'{"name": "app", "tags": null}',
           headers={"Link": f'<{reg.url}/more>; rel="next"'})
    reg.on("GET", "/more", body=b'{"tags": ["c"]}')
    reg.on("GET", r"/v2/app/tags/list\?n=1000&last=b", body=b'{"tags": ["c"]}')
    place = endpoint(reg, "app")
    assert json.loads(client.document("tags", place)[1])["tags"] == ["a", "b", "c"]
    assert json.loads(client.document("tags", place, text="b")[1])["tags"] == ["c"]


def test_referrers(client, registries):
    reg = registries.hostile()
    sbom, sig = descriptor(b"1", artifactType="x/sbom"), descriptor(b"2", artifactType="x/sig")
    name = digest(b"subject")
    reg.on("GET", f"/v2/app/referrers/{name}", body=index(sbom),
           headers={"Link": f'</v2/app/referrers/{name}?page=2>; rel="next"'})
    reg.on("GET", rf"/v2/app/referrers/{name}\?(page=2|artifactType=x/sig)", body=index(sig, sbom))
    place = endpoint(reg, "app")

    def ask(**members):
        answer, text = client.document("referrers", place, digest=name, **members)
        assert answer["mediaType"] == INDEX
        return json.loads(text)["manifests"]

    assert ask() == [sbom, sig, sbom]
    assert ask(artifact_type="ignored") == [sbom, sig, sbom]  # not a member's name
    assert ask(artifactType="x/sig") == [sig]  # although this registry does not filter


def test_referrers_by_tag(client, registries):
    reg = registries.start()  # this one is from before the API
    image = reg.push("app", "1", [b"layer"])
    place = endpoint(reg, "app")
    _, text = client.document("referrers", place, digest=image.digest)
    assert json.loads(text) == {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
    about = descriptor(image.manifest, artifactType="x/sig")
    reg.manifest("app", image.digest.replace(":", "-"), index(about), INDEX)
    _, text = client.document("referrers", place, digest=image.digest)
    assert json.loads(text)["manifests"] == [about]
    _, text = client.document("referrers", place, digest=image.digest, artifactType="x/other")
    assert json.loads(text)["manifests"] == []


def test_search(client, registries):
    hub, reg = registries.hostile(), registries.start()
    hit = {"name": "nginx", "description": "web", "star_count": 9, "is_official": True,
           "is_automated": False}
    hub.on("GET", r"/v1/search\?n=100&q=ng%20inx", body=json.dumps({"results": [hit] * 3}).encode())
    hub.on("GET", r"/v1/search\?n=2&q=ng%20inx", body=json.dumps({"results": [hit] * 3}).encode())
    _, text = client.document("search", endpoint(hub), text="ng inx")
    assert json.loads(text) == {"results": [hit] * 3}
    _, text = client.document("search", endpoint(hub), text="ng inx", limit=2)
    assert json.loads(text) == {"results": [hit] * 2}
    for name in ("team/nginx", "nginx-proxy", "other"):
        reg.push(name, "1", [b"layer"])
    _, text = client.document("search", endpoint(reg), text="Nginx")
    assert [r["name"] for r in json.loads(text)["results"]] == ["nginx-proxy", "team/nginx"]


# ---- uploads ----


def uploads(reg, *, first=None, location="/up/1"):
    """A registry that takes uploads; reg.got: the bytes."""
    reg.got = bytearray()
    reg.on("HEAD", ".*", status=404)
    reg.on("POST", "/v2/app/blobs/uploads/.*",
           first or (lambda r: (reg.got.clear(), r.answer(202, {"Location": location}))))

    def patch(request):
        start, end = map(int, request.headers["Content-Range"].split("-"))
        if start != len(reg.got) or end - start + 1 != len(request.body):
            return request.answer(416, {"Location": location})
        reg.got += request.body
        return request.answer(202, {"Location": f"/up/{len(reg.got)}",
                                    "Range": f"0-{len(reg.got) - 1}"})

    def put(request):
        reg.got += request.body
        good = digest(bytes(reg.got)) == request.query["digest"]
        return request.answer(201 if good else 400)

    reg.patch, reg.put = patch, put
    return reg


def test_upload_at_once(client, registries):
    reg = uploads(registries.hostile(), location="/up/1?state=a%2Fb")
    reg.on("PUT", r"/up/1\?state=a%2Fb&digest=.*", reg.put)
    data = os.urandom(3 << 20)
    answer = client.upload(endpoint(reg, "app"), data, digest(data))
    assert bytes(reg.got) == data and answer["done"] == len(data)
    assert [p["done"] for p in answer["partial"]] == sorted(p["done"] for p in answer["partial"])
    assert [r.method for r in reg.requests] == ["HEAD", "POST", "PUT"]
    assert reg.requests[1].headers["Content-Length"] == "0"
    assert client.upload(endpoint(reg, "app"), b"", digest(b""))["ok"]


def test_upload_in_chunks_when_it_has_to_be(client, registries):
    """Something before the registry takes no more than 20 MiB: 32, then 16 are tried."""
    reg = uploads(registries.hostile())
    reg.on("PUT", ".*", lambda r: r.answer(413) if len(r.body) > 20 << 20 else reg.put(r))
    reg.on("PATCH", ".*", lambda r: r.answer(413) if len(r.body) > 20 << 20 else reg.patch(r))
    data = os.urandom(1 << 20) * 40
    assert client.upload(endpoint(reg, "app"), data, digest(data))["done"] == len(data)
    assert bytes(reg.got) == data
    sizes = [len(r.body) >> 20 for r in reg.requests if r.method == "PATCH"]
    assert sizes == [32, 16, 16, 8]


def test_upload_in_chunks_of_the_engines_and_the_registrys_size(client, registries):
    reg = uploads(registries.hostile())
    reg.on("PUT", ".*", reg.put)
    reg.on("PATCH", ".*", reg.patch)
    data = os.urandom(10000)
    client.upload(endpoint(reg, "app"), data, digest(data), limit=4000)
    patches = [r for r in reg.requests if r.method == "PATCH"]
    assert [r.headers["Content-Range"] for r in patches] == ["0-3999", "4000-7999", "8000-9999"]
    assert [r.path for r in patches] == ["/up/1", "/up/4000", "/up/8000"]
    assert reg.requests[-1].path == f"/up/10000?digest={digest(data)}"

    reg = registries.hostile()
    uploads(reg, first=lambda r: (reg.got.clear(), r.answer(
        202, {"Location": "/up/1", "OCI-Chunk-Min-Length": "6000"})))
    reg.on("PUT", ".*", reg.put)
    reg.on("PATCH", ".*", reg.patch)
    client.upload(endpoint(reg, "app"), data, digest(data), limit=4000)
    assert [len(r.body) for r in reg.requests if r.method == "PATCH"] == [6000, 4000]


def test_upload_that_breaks_off(client, registries):
    """The registry has half of it: the rest goes there, not all again."""
    reg = uploads(registries.hostile())
    data = os.urandom(1 << 20)

    def half(request):
        reg.got += data[:500000]
        request.drop()

    reg.on("PUT", r"/up/1\?.*", half, times=1)
    reg.on("GET", "/up/1", lambda r: r.answer(
        204, {"Location": "/up/2", "Range": f"0-{len(reg.got) - 1}"}))
    reg.on("PATCH", "/up/2", reg.patch)
    reg.on("PUT", ".*", reg.put)
    client.upload(endpoint(reg, "app"), data, digest(data))
    assert bytes(reg.got) == data
    patch, = (r for r in reg.requests if r.method == "PATCH")
    assert patch.headers["Content-Range"] == f"500000-{len(data) - 1}"
    assert len([r for r in reg.requests if r.method == "POST"]) == 1


def test_upload_that_is_lost(client, registries):
    reg = uploads(registries.hostile())
    reg.on("PUT", ".*", status=500, times=1)
    reg.on("GET", "/up/1", status=404, times=1)
    reg.on("PUT", ".*", reg.put)
    client.upload(endpoint(reg, "app"), b"data", digest(b"data"))
    assert bytes(reg.got) == b"data"
    assert len([r for r in reg.requests if r.method == "POST"]) == 2


def test_upload_that_never_works(client, registries):
    reg = uploads(registries.hostile())
    reg.on("PATCH", ".*", status=416)
    with pytest.raises(Failed, match="loses the upload again and again"):
        client.upload(endpoint(reg, "app"), b"data", digest(b"data"), limit=2)
    reg = registries.hostile()
    reg.on("HEAD", ".*", status=404)
    reg.on("POST", ".*", status=202)
    with pytest.raises(Failed, match="does not say where to upload"):
        client.upload(endpoint(reg, "app"), b"data", digest(b"data"))


def test_upload_that_gets_nowhere(client, registries):
    """A byte is taken, then it breaks off; or what was there is lost, and taken once more."""
    data = os.urandom(1 << 20)
    reg = uploads(registries.hostile())
    taken = []

    def take(request):
        taken.append(1)
        request.drop()

    reg.on("PUT", ".*", take)
    reg.on("PATCH", ".*", take)
    reg.on("GET", "/up/1", lambda r: r.answer(
        204, {"Location": "/up/1", "Range": f"0-{len(taken)}"}))
    with pytest.raises(Failed, match="broke off|ended without an answer"):
        client.upload(endpoint(reg, "app"), data, digest(data))
    assert len(taken) <= 8  # --retries=3, and what libcurl tries itself

    reg = uploads(registries.hostile())
    reg.on("PATCH", ".*", lambda r: r.answer(202, {"Location": "/up/1"}) if
           r.headers["Content-Range"].startswith("0-") else r.drop())
    reg.on("GET", "/up/1", lambda r: r.answer(204, {"Location": "/up/1", "Range": "0-9"}))
    with pytest.raises(Failed, match="loses the upload again and again"):
        client.upload(endpoint(reg, "app"), data, digest(data), limit=300000)


def test_upload_that_is_denied(client, registries):
    reg = registries.hostile()
    reg.on("HEAD", ".*", status=404)
    reg.on("POST", ".*", status=403, body=b'{"errors": [{"code": "DENIED"}]}')
    with pytest.raises(Failed, match=f"uploading sha256:{digest(b'data')[7:19]} to {reg.host}/app: "
                                     "the registry answered 403 Forbidden .DENIED."):
        client.upload(endpoint(reg, "app"), b"data", digest(b"data"))


def test_upload_elsewhere_without_the_token(client, registries):
    reg, store = uploads(registries.hostile()), registries.hostile()
    reg.rules = [r for r in reg.rules if r["method"] != "POST"]
    reg.on("POST", ".*", status=202, headers={"Location": store.url + "/bucket?sig=1"})
    store.on("PUT", r"/bucket\?sig=1&digest=.*", status=201)
    client.upload(endpoint(reg, "app", auth={"registryToken": "t"}), b"data", digest(b"data"))
    assert reg.requests[1].authorization == "Bearer t"
    assert store.requests[0].authorization is None and store.requests[0].body == b"data"


@pytest.mark.parametrize("status", [202, 403, 404])
def test_mount_that_is_not_possible(client, registries, status):
    reg = uploads(registries.hostile())
    reg.rules = [r for r in reg.rules if r["method"] != "POST"]
    reg.on("POST", r".*from=other.*", status=status, headers={"Location": "/up/1"})
    reg.on("POST", ".*", status=202, headers={"Location": "/up/1"})
    reg.on("PUT", ".*", reg.put)
    answer = client.upload(endpoint(reg, "app"), b"data", digest(b"data"), **{"from": "other"})
    assert "mounted" not in answer and bytes(reg.got) == b"data"
    assert reg.requests[1].path == f"/v2/app/blobs/uploads/?mount={digest(b'data')}&from=other"


def test_upload_that_fails_is_cancelled(client, registries):
    reg = uploads(registries.hostile())
    reg.on("PUT", ".*", status=403)
    reg.on("DELETE", "/up/1", status=204)
    with pytest.raises(Failed, match="403 Forbidden") as e:
        client.upload(endpoint(reg, "app"), b"data", digest(b"data"))
    assert e.value.answer["status"] == 403
    assert len(reg.seen("DELETE", "/up/1")) == 1


def test_upload_of_another_algorithm(client, registries):
    reg = uploads(registries.hostile())
    name = "sha512:" + hashlib.sha512(b"data").hexdigest()
    reg.on("PUT", ".*", status=201)
    client.upload(endpoint(reg, "app"), b"data", name)
    assert reg.requests[1].path == "/v2/app/blobs/uploads/?digest-algorithm=sha512"


def test_warnings_of_the_registry(client, registries):
    reg = registries.hostile()
    reg.on("GET", "/v2/", body=b"{}", headers={"Warning": '299 - "we close on Friday"'})
    answers = [client.call("ping", endpoint(reg)) for _ in range(2)]
    assert [p["notice"] for a in answers for p in a["partial"]] \
        == ["the registry warns: we close on Friday"]
