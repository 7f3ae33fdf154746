# SPDX-License-Identifier: Apache-2.0
"""Layers that are not in the registry but where the manifest says."""

import json

import pytest

import registries as registries_module
from layers import files
from registries import digest
from test_push import descriptor, gz

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DOCKER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OWN, LAYER = files(own=b"1"), files(foreign=b"2" * 100000)
BLOB = gz(LAYER)
ALLOW = {"validation": {"manifests": {"urls": {"allow": ["^https?:"]}}}}


def documents(urls, docker=False, blob=BLOB):
    """Config and manifest of one with a layer of its own and one of somebody else's."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [digest(OWN), digest(LAYER)]}}).encode()
    text = json.dumps({
        "schemaVersion": 2, "mediaType": DOCKER if docker else registries_module.MANIFEST,
        "config": descriptor(config, "application/vnd.docker.container.image.v1+json" if docker
                             else registries_module.CONFIG),
        "layers": [descriptor(gz(OWN), "application/vnd.docker.image.rootfs.diff.tar.gzip"
                              if docker else registries_module.LAYER_GZIP),
                   descriptor(blob, DOCKER_FOREIGN if docker else FOREIGN, urls=urls)]}).encode()
    return config, text


def image(reg, urls, docker=False):
    """In that registry; its name."""
    config, text = documents(urls, docker)
    reg.blob("app", config)
    reg.blob("app", gz(OWN))
    reg.manifest("app", "1", text, DOCKER if docker else registries_module.MANIFEST)
    return f"{reg.host}/app:1"


@pytest.mark.parametrize("docker", [False, True])
def test_pulled_from_its_owner(anyone, registries, docker):
    reg = registries.start(auth="basic", extra=ALLOW)
    owner = registries.hostile()
    owner.on("GET", "/layer.tar.gz", body=BLOB)
    creds = ["--creds", f"{reg.user}:{reg.password}"]
    name = image(reg, [f"{owner.url}/gone", f"{owner.url}/layer.tar.gz"], docker)
    anyone.inro("pull", "-q", *creds, name).ok()
    assert [r.path for r in owner.requests] == ["/gone", "/layer.tar.gz"]
    assert not any(r.authorization for r in owner.requests)
    info = json.loads(anyone.inro("inspect", name).ok().out)[0]
    assert info["RootFS"]["Layers"] == [digest(OWN), digest(LAYER)]
    # it is not handed on, unless somebody insists
    to = registries.start(extra=ALLOW)
    out = anyone.inro("push", name, f"{to.host}/app:1").ok().out
    assert f"{digest(BLOB)[7:19]}: Skipped foreign layer" in out
    assert to.request("HEAD", f"/v2/app/blobs/{digest(BLOB)}")[0] == 404
    anyone.inro("push", "--allow-nondistributable-artifacts", name, f"{to.host}/app:1").ok()
    assert to.request("HEAD", f"/v2/app/blobs/{digest(BLOB)}")[0] == 200
    # from a registry that has it, it comes from there
    anyone.inro("rmi", name).ok()
    before = len(owner.requests)
    anyone.inro("pull", "-q", f"{to.host}/app:1").ok()
    assert len(owner.requests) == before


def test_owner_breaks_off(anyone, registries):
    reg = registries.start(extra=ALLOW)
    owner = registries.hostile()

    def half(request):
        request.head(200, {"Content-Length": str(len(BLOB))})
        request.wfile.write(BLOB[:100])
        request.drop()

    def rest(request):
        assert request.headers["Range"] == "bytes=100-"
        request.answer(206, {"Content-Range": f"bytes 100-{len(BLOB) - 1}/{len(BLOB)}"}, BLOB[100:])

    owner.on("GET", "/layer", half, times=1).on("GET", "/layer", rest)
    anyone.inro("pull", "-q", image(reg, [f"{owner.url}/layer"])).ok()


def test_owner_has_something_else(anyone, registries):
    reg = registries.start(extra=ALLOW)
    owner = registries.hostile()
    owner.on("GET", "/layer", body=BLOB[:-1] + b"x")
    anyone.inro("pull", "-q", image(reg, [f"{owner.url}/layer"])).fails(digest(BLOB))
    assert not anyone.inro("images", "-q").ok().out


def test_nobody_has_it(anyone, registries):
    reg = registries.start(extra=ALLOW)
    owner = registries.hostile()
    result = anyone.inro("pull", image(reg, [f"{owner.url}/layer"]))
    result.fails(digest(BLOB)[:19], reg.host)  # the registry's own answer


def test_not_without_tls(anyone, registries):
    """What a manifest names is no insecure registry because this one's image names it."""
    reg = registries.start(tls=True, extra=ALLOW)
    owner = registries.hostile()
    owner.on("GET", "/layer", body=BLOB)
    secure = ["--tls-verify=true", "--cert-dir", reg.certs(anyone.dir / "certs.d")]
    anyone.inro("pull", "-q", *secure, image(reg, [f"{owner.url}/layer"])).fails(digest(BLOB)[:19])
    assert not owner.requests
    good = registries.hostile(tls=True)
    good.on("GET", "/layer", body=BLOB)
    anyone.inro("pull", "-q", *secure, image(reg, [f"{good.url}/layer"])).ok()


def test_insecure_holds_for_one_host(anyone, registries):
    reg = registries.start(extra=ALLOW)
    elsewhere = registries.hostile(address="127.0.0.2")
    elsewhere.on("GET", "/layer", body=BLOB)
    anyone.inro("pull", "-q", image(reg, [f"{elsewhere.url}/layer"])).fails(digest(BLOB)[:19])
    assert not elsewhere.requests


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_cve_2020_15157_challenge_of_the_owner(anyone, registries, scheme):
    """Whom a manifest names may ask for credentials; nobody gets any."""
    reg = registries.start(auth="basic", extra=ALLOW)
    owner = registries.hostile()
    owner.on("GET", "/layer", status=401, headers={
        "WWW-Authenticate": f'{scheme} realm="{owner.url}/token",service="{reg.host}"'})
    owner.on("GET", "/token.*", headers={"Content-Type": "application/json"},
             body=b'{"token": "x"}')
    name = image(reg, [f"{owner.url}/layer"])
    anyone.inro("pull", "-q", "--creds", f"{reg.user}:{reg.password}", name).fails(
        digest(BLOB)[:19])
    assert owner.requests and {r.path for r in owner.requests} == {"/layer"}
    assert not any(r.authorization for r in owner.requests)


def test_no_other_schemes(anyone, registries):
    """docker-registry takes no such manifest; a hostile one has it."""
    secret = anyone.dir / "secret"
    secret.write_bytes(BLOB)
    config, text = documents([f"file://{secret}", "/v2/app/blobs/other", "gopher://127.0.0.1/",
                              "http://" + "a" * 5000, "https://user:word@127.0.0.1/"])
    bad = registries.hostile()
    bad.on("GET", "/v2/app/manifests/1", body=text,
           headers={"Content-Type": registries_module.MANIFEST})
    bad.on("GET", f"/v2/app/blobs/{digest(config)}", body=config)
    bad.on("GET", f"/v2/app/blobs/{digest(gz(OWN))}", body=gz(OWN))
    bad.on("GET", "/v2/app/blobs/other", body=BLOB)
    anyone.inro("pull", "-q", f"{bad.host}/app:1").fails(digest(BLOB)[:19])
    assert not bad.seen("GET", "/v2/app/blobs/other")
