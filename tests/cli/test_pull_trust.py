# SPDX-License-Identifier: Apache-2.0
"""The policy on images: what is let in by a pull, a run, a load; signatures as cosign makes them."""

import json
import os
import shutil
import subprocess

import pytest

import cosign
import engine
import harness
from layers import entry, tar
from registries import INDEX, MANIFEST, digest

TURNS = True  # see conftest.py

ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]


@pytest.fixture
def policy(anyone):
    """Writes the policy that the commands of this test follow: default and scopes of registries."""
    path, conf = anyone.dir / "policy.json", anyone.dir / "inro.conf"
    conf.write_text(f"{harness.NO_NETWORK}[image]\npolicy = {path}\n[transfer]\nretries = 0\n")
    anyone.env["INRO_CONFIG"] = str(conf)

    def write(scopes=None, default=None, **members):
        text = scopes if isinstance(scopes, str) else json.dumps({
            "default": default or REJECT, "transports": {"docker": scopes or {}}, **members})
        path.write_text(text)
        path.chmod(0o644)
        return path
    return write


@pytest.fixture
def reg(registries):
    return registries.start()


def by(*keys, match="matchRepository", **members):
    """Requirements of one signature by one of the keys."""
    if match:
        members["signedIdentity"] = match if isinstance(match, dict) else {"type": match}
    paths = {"keyPath": str(keys[0].public)} if len(keys) == 1 else \
        {"keyPaths": [str(key.public) for key in keys]} if keys else {}
    return [{"type": "sigstoreSigned", **paths, **members}]


def push(reg, repository="app", tag="1"):
    return reg.push(repository, tag, [tar(entry("data", os.urandom(8).hex()))])


def images(who):
    return sorted(who.inro("images", "-q", "--no-trunc").ok().out.split())


def asked(reg, part):
    return [path for method, path, _ in reg.requests() if method == "GET" and part in path]


def not_fetched(reg, image, repository="app"):
    got = asked(reg, f"/v2/{repository}/blobs/")
    return not [x for x in got if x.endswith((*image.layers, digest(image.config)))]


# ---- good ones ----


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa384", "ed25519", "rsa"])
def test_signed(anyone, reg, policy, kind):
    key = cosign.Key(anyone.dir, kind)
    image = push(reg)
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, f"{reg.host}/app")])
    policy({reg.host: by(key)})
    out = anyone.inro("pull", f"{reg.host}/app:1").ok().out
    assert image.digest in out and images(anyone) == [digest(image.config)]
    # known before a layer, or even the config, was asked for
    order = [path for method, path, _ in reg.requests() if method == "GET"]
    signature = next(i for i, path in enumerate(order) if path.endswith(".sig"))
    assert all(signature < i for i, path in enumerate(order)
               if path.endswith((digest(image.config), *image.layers)))


def test_by_default(anyone, reg, policy):
    """What is wanted of all images is wanted of those that no scope names."""
    key = cosign.Key(anyone.dir)
    image = push(reg)
    policy(default=by(key))
    commands = [["pull", f"{reg.host}/app:1"],
                ["image", "copy", f"docker://{reg.host}/app:1", f"dir:{anyone.dir}/d"]]
    for command in commands:
        anyone.inro(*command).fails("there is no signature")
    assert not_fetched(reg, image)
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, f"{reg.host}/app")])
    for command in commands:
        anyone.inro(*command).ok()


def test_one_of_many_is_enough(anyone, reg, policy):
    key, other = cosign.Key(anyone.dir), cosign.Key(anyone.dir, "ed25519", "other")
    image = push(reg)
    name = f"{reg.host}/app"
    cosign.attach(reg, "app", image.digest, [
        (b"{}", "AAAA"), cosign.sign(other, image.digest, name), (b"x", "not base64!"),
        cosign.sign(key, image.digest, "another.example/name"),
        cosign.sign(key, image.digest, name)])
    policy({reg.host: by(key)})
    anyone.inro("pull", f"{name}:1").ok()


def test_keys(anyone, reg, policy):
    keys = [cosign.Key(anyone.dir, kind, kind) for kind in ("ecdsa", "rsa", "ed25519")]
    image = push(reg)
    name = f"{reg.host}/app"
    cosign.attach(reg, "app", image.digest, [cosign.sign(keys[1], image.digest, name)])
    policy({name: by(*keys)})
    anyone.inro("pull", f"{name}:1").ok()
    policy({name: by(keyData=keys[1].data())})
    anyone.inro("pull", f"{name}:1").ok()
    policy({name: by(keyDatas=[keys[0].data(), keys[1].data()])})
    anyone.inro("pull", f"{name}:1").ok()
    # each requirement counts
    policy({name: by(keys[1]) + by(keys[0])})
    anyone.inro("pull", f"{name}:1").fails("no signature is by a key that it names")
    cosign.attach(reg, "app", image.digest, [cosign.sign(k, image.digest, name) for k in keys[:2]])
    anyone.inro("pull", f"{name}:1").ok()
    policy({name: by(keys[1]) + by(keys[0]) + REJECT})
    anyone.inro("pull", f"{name}:1").fails("rejects it")


def test_digest_reference(anyone, reg, policy):
    key = cosign.Key(anyone.dir)
    image, other = push(reg), push(reg, tag="2")
    name = f"{reg.host}/app"
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, name)])
    policy({reg.host: by(key, match=None)})
    anyone.inro("pull", f"{name}@{image.digest}").ok()
    # what is here by now is asked about like anything else
    policy({reg.host: by(cosign.Key(anyone.dir, name="new"))})
    anyone.inro("pull", f"{name}@{image.digest}").fails("no signature is by a key")
    policy({reg.host: by(key)})
    anyone.inro("pull", f"{name}@{other.digest}").fails("there is no signature")


def test_index(anyone, reg, policy):
    """Either what the name means is signed, or the image in it."""
    key = cosign.Key(anyone.dir)
    name = f"{reg.host}/app"
    policy({reg.host: by(key)})
    for number, what in enumerate(("index", "image", "other")):
        image, other = push(reg, tag=f"a{number}"), push(reg, tag=f"b{number}")
        text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "digest": one.digest, "size": len(one.manifest),
             "platform": {"os": "linux", "architecture": arch}}
            for one, arch in ((image, "amd64"), (other, "s390x"))]}).encode()
        top = reg.manifest("app", f"top{number}", text, INDEX)
        of = {"index": top, "image": image.digest, "other": other.digest}[what]
        cosign.attach(reg, "app", of, [cosign.sign(key, of, name)])
        result = anyone.inro("pull", f"{name}:top{number}")
        if what == "other":
            result.fails("there is no signature")
            assert not_fetched(reg, image)
        else:
            result.ok()


def test_referrers(anyone, reg, policy):
    """Where there is no tag, what refers to the image is looked at (here by the tag schema)."""
    key = cosign.Key(anyone.dir)
    image = push(reg)
    subject = {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest)}
    of = cosign.attach(reg, "app", image.digest,
                       [cosign.sign(key, image.digest, f"{reg.host}/app")],
                       tag="x", artifactType=cosign.ARTIFACT, subject=subject)
    size = len(reg.request("GET", f"/v2/app/manifests/{of}", headers={"Accept": MANIFEST})[2])
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": of, "size": size,
         "artifactType": cosign.ARTIFACT}]}).encode()
    reg.manifest("app", image.digest.replace(":", "-"), index, INDEX)
    policy({reg.host: by(key)})
    anyone.inro("pull", f"{reg.host}/app:1").ok()


def test_mirror(anyone, registries, policy):
    """Signatures are for the name that was asked for, and lie beside the image; a mirror that has
    none, or wrong ones, is no reason to refuse what the registry has signed."""
    main, mirror = registries.start(), registries.start()
    key = cosign.Key(anyone.dir)
    image = push(main)
    config = anyone.dir / "inro.conf"
    config.write_text(config.read_text() +
                      f'[registry "{main.host}"]\nmirror = http://{mirror.host}/hub\n')
    copy = push(mirror, "hub/app")
    assert copy.digest != image.digest
    name = f"{main.host}/app"
    policy({main.host: by(key)})
    cosign.attach(main, "app", image.digest, [cosign.sign(key, image.digest, name)])
    # the mirror has another image of that name
    anyone.inro("pull", f"{name}:1").fails("there is no signature")
    cosign.attach(mirror, "hub/app", copy.digest, [(b"junk", "AAAA")])
    cosign.attach(main, "app", copy.digest, [cosign.sign(key, copy.digest, name)])
    anyone.inro("pull", f"{name}:1").ok()
    cosign.attach(mirror, "hub/app", copy.digest,
                  [cosign.sign(key, copy.digest, f"{mirror.host}/hub/app")])
    anyone.inro("pull", f"{name}:1").ok()


# ---- bad ones ----


WRONG = "no signature is by a key that it names"


def signed(*args, **critical):
    """Signatures of what cosign would sign, but for something."""
    def make(key, of, name):
        return [cosign.sign(key, of, name, *args or [cosign.payload(of, name, **critical)])]
    return make


def with_text(change):
    """The right payload, and something done to its signature."""
    def make(key, of, name):
        data = cosign.payload(of, name)
        return [(data, change(cosign.b64(key.sign(data))))]
    return make


BAD = {
    "other payload": (lambda key, of, name: [(cosign.payload(of, name, extra=1),
                                              cosign.sign(key, of, name)[1])], WRONG),
    "no signature": (with_text(lambda _: ""), WRONG),
    "no base64": (with_text(lambda _: "%%%%"), WRONG),
    "garbage": (with_text(lambda _: "MIID/////w=="), WRONG),
    "cut": (with_text(lambda text: text[:-8]), WRONG),
    "twice": (with_text(lambda text: text + text), WRONG),
    "large": (with_text(lambda _: "A" * 20000), "too large"),
    "many": (lambda key, of, name: [(b"{}", "AAAA")] * 129, "more than 128 signatures"),
    "large payload": (lambda key, of, name: signed(cosign.payload(of, name) + b" " * 70000)(
        key, of, name), "too large"),
    "other digest": (lambda key, of, name: [cosign.sign(key, digest(b"x"), name)],
                     "of another image"),
    "sha512": (lambda key, of, name: [cosign.sign(key, "sha512:" + "0" * 128, name)],
               "of another image"),
    "other name": (lambda key, of, name: [cosign.sign(key, of, name + "x")], "for another name"),
    "terminal": (lambda key, of, name: [cosign.sign(key, of, "\x1b]0;x")], "for another name"),
    "no name": (lambda key, of, name: [cosign.sign(key, of, "")], "docker-reference"),
    "other type": (signed(type="x"), "type"),
    "condition": (signed(until=1), "until"),
    "no payload": (signed(b"{}"), "critical"),
    "not json": (signed(b"\xff"), "line 1"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_signatures(anyone, reg, policy, what):
    key = cosign.Key(anyone.dir)
    image = push(reg)
    name = f"{reg.host}/app"
    make, message = BAD[what]
    cosign.attach(reg, "app", image.digest, make(key, image.digest, name))
    policy({reg.host: by(key)})
    result = anyone.inro("pull", f"{name}:1").fails("is not let in", message, code=125)
    assert "\x1b" not in result.err
    assert images(anyone) == [] and not_fetched(reg, image)
    anyone.inro("run", "--rm", f"{name}:1", "true").fails("is not let in", message, code=125)


def test_there_is_none(anyone, reg, policy):
    key = cosign.Key(anyone.dir)
    image = push(reg)
    name = f"{reg.host}/app:1"
    path = policy({reg.host: by(key)})
    said = anyone.inro("pull", name).fails(f"{name} is not let in: the policy for {reg.host} wants "
                                           "it signed: there is no signature", code=125)
    assert f"see {path}" in said.err
    tag = image.digest.replace(":", "-") + ".sig"
    # a signature that is none, by its type or place
    signature = cosign.sign(key, image.digest, f"{reg.host}/app")
    cosign.attach(reg, "app", image.digest, [signature], media_type="application/octet-stream")
    anyone.inro("pull", name).fails("there is no signature")
    cosign.attach(reg, "app", image.digest, [signature], tag="other")
    assert reg.request("HEAD", f"/v2/app/manifests/{tag}", headers={"Accept": MANIFEST})[0] == 200
    anyone.inro("pull", name).fails("there is no signature")
    assert not_fetched(reg, image)


class Forged:
    """A registry of our own with an image, whose signature's manifest and payload are anything."""

    def __init__(self, server, key):
        layer = tar(entry("data", "x"))
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [digest(layer)]}}).encode()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config),
            "size": len(config)}, "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer),
                "size": len(layer)}]}).encode()
        self.server, self.digest = server, digest(manifest)
        self.payload, self.text = cosign.sign(key, self.digest, f"{server.host}/app")
        server.on("GET", "/v2/app/manifests/1", headers={"Content-Type": MANIFEST}, body=manifest)
        server.on("GET", f"/v2/app/blobs/{digest(config)}", body=config)
        server.on("GET", f"/v2/app/blobs/{digest(layer)}", body=layer)
        self.base = list(server.rules)

    def manifest(self, **members):
        return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(b"{}"),
            "size": 2}, "layers": [{
                "mediaType": cosign.PAYLOAD, "digest": digest(self.payload),
                "size": len(self.payload), "annotations": {cosign.ANNOTATION: self.text},
                **members}]}).encode()

    def answers(self, manifest, payload):
        self.server.rules[:] = self.base
        tag = self.digest.replace(":", "-") + ".sig"
        self.server.on("GET", f"/v2/app/manifests/{tag}", **manifest)
        self.server.on("GET", f"/v2/app/blobs/{digest(self.payload)}", **payload)


def test_hostile_registry(anyone, registries, policy):
    key = cosign.Key(anyone.dir)
    forged = Forged(registries.hostile(), key)
    name = f"{forged.server.host}/app:1"
    policy({forged.server.host: by(key)})
    good, data = {"body": forged.manifest()}, {"body": forged.payload}
    for manifest, payload, message in (
            ({"body": b""}, data, "line 1"), ({"body": b"[]"}, data, "expected an object"),
            ({"body": b"{}"}, data, "manifest"), ({"body": b"[" * 100000}, data, "levels"),
            ({"body": b" " * (2 << 20)}, data, ""), ({"status": 500}, data, "500"),
            ({"status": 401}, data, ""), ({"body": forged.manifest(size=5)}, data, ""),
            ({"body": forged.manifest(size=-5)}, data, "size"),
            ({"body": forged.manifest(size=1 << 40)}, data, "too large"),
            ({"body": forged.manifest(digest="sha256:0")}, data, "digest"),
            (good, {"body": forged.payload[:-1] + b" "}, "other content"),
            (good, {"status": 404}, ""), (good, {"body": forged.payload * 2000}, "")):
        forged.answers(manifest, payload)
        anyone.inro("pull", name).fails("is not let in", message, code=125)
    assert images(anyone) == []
    forged.answers(good, data)
    anyone.inro("pull", name).ok()


# ---- names ----


def test_tags(anyone, reg, policy):
    """A tag counts, unless the policy says otherwise: else an old image could be passed off as the
    newest. cosign signs without one."""
    key = cosign.Key(anyone.dir)
    image = push(reg)
    reg.manifest("app", "2", image.manifest)
    name = f"{reg.host}/app"
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, name)])
    policy({reg.host: by(key, match=None)})
    anyone.inro("pull", f"{name}:1").fails(f'for another name, "{name}"', "matchRepository")
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, f"{name}:1")])
    anyone.inro("pull", f"{name}:1").ok()
    anyone.inro("pull", f"{name}:2").fails(f'for another name, "{name}:1"')
    policy({reg.host: by(key, match={"type": "exactRepository", "dockerRepository": "x.example/y"})})
    anyone.inro("pull", f"{name}:1").fails("for another name")
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, "x.example/y:7")])
    anyone.inro("pull", f"{name}:1").ok()
    policy({reg.host: by(key, match={"type": "remapIdentity", "prefix": f"{reg.host}/app",
                                     "signedPrefix": "x.example/y"})})
    anyone.inro("pull", f"{name}:1").fails("for another name")
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, "x.example/y:1")])
    anyone.inro("pull", f"{name}:1").ok()


def test_reject(anyone, reg, policy):
    """Nobody is asked for what is not wanted, however it is spelled."""
    push(reg)
    push(reg, "team/app")
    policy({f"{reg.host}/team": ACCEPT, f"localhost:{reg.port}": REJECT}, default=ACCEPT)
    anyone.inro("pull", f"localhost:{reg.port}/app:1").fails("rejects it", code=125)
    anyone.inro("pull", f"LOCALHOST:{reg.port}/app:1").fails("rejects it", code=125)
    anyone.inro("run", f"localhost:{reg.port}/app:1", "true").fails("rejects it", code=125)
    assert not asked(reg, "/v2/app/")
    anyone.inro("pull", f"{reg.host}/app:1").ok()
    policy({f"{reg.host}/team": ACCEPT})
    anyone.inro("pull", f"{reg.host}/app:1").fails("the policy for default rejects it")
    anyone.inro("pull", "--all-tags", f"{reg.host}/app").fails("rejects it")
    anyone.inro("pull", f"{reg.host}/team/app:1").ok()


def test_reject_does_not_go_on_to_the_next_registry(anyone, registries, policy):
    one, two = registries.start(), registries.start()
    push(two)
    config = anyone.dir / "inro.conf"
    config.write_text(config.read_text() + f"[image]\nshort_names = {one.host}, {two.host}\n")
    policy({one.host: REJECT}, default=ACCEPT)
    anyone.inro("pull", "app:1").fails("rejects it", f"{two.host}/app:1")
    assert images(anyone) == []


# ---- policies ----


def sigstore(**members):
    return json.dumps({"default": [{"type": "sigstoreSigned", **members}]})


WRONG_POLICIES = {
    "empty": ("", "line 1"),
    "not json": ("default: reject", "line 1"),
    "no default": ("{}", "default: missing"),
    "unknown member": (json.dumps({"default": ACCEPT, "rules": []}), 'unknown member "rules"'),
    "unknown type": (json.dumps({"default": [{"type": "any"}]}), "expected one of"),
    "unknown condition": (json.dumps({"default": [{**ACCEPT[0], "unless": 1}]}),
                          'unknown member "unless"'),
    "scope": (json.dumps({"default": ACCEPT, "transports": {"docker": {"a.b/*": REJECT}}}),
              'got "a.b/*"'),
    "large": (json.dumps({"default": ACCEPT}) + " " * (2 << 20), "reading the policy"),
    "gpg": (json.dumps({"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]}),
            "signedBy), which is not supported"),
    "keyless": (sigstore(fulcio={"caPath": "/x", "oidcIssuer": "https://y", "subjectEmail": "z"},
                         rekorPublicKeyPath="/r"), "(fulcio, pki), which is not supported"),
    "rekor": (sigstore(keyPath="/k", rekorPublicKeyPath="/r"), "which is not supported"),
    "no key": (sigstore(keyPath="/nonexistent/key"), "reading key /nonexistent/key"),
    "relative key": (sigstore(keyPath="key.pub"), "absolute path"),
    "key data": (sigstore(keyData="?"), "base64"),
}


@pytest.mark.parametrize("what", WRONG_POLICIES)
def test_wrong_policies(anyone, reg, policy, what):
    """What can't be read, or isn't known, lets nothing in."""
    push(reg)
    text, message = WRONG_POLICIES[what]
    policy(text)
    anyone.inro("pull", f"{reg.host}/app:1").fails(message, code=125)
    assert images(anyone) == [] and not asked(reg, "/v2/app/")


@pytest.mark.parametrize("kind,message", [
    ("rsa1024", "2048 bits or more"), ("x25519", "not a key of"), ("private", "not a public key"),
    ("text", "not a public key"), ("empty", "not a public key")])
def test_wrong_keys(anyone, reg, policy, kind, message):
    key = cosign.Key(anyone.dir, kind if kind in cosign.KINDS else "ecdsa")
    image = push(reg)
    good = cosign.Key(anyone.dir, name="good")
    cosign.attach(reg, "app", image.digest, [cosign.sign(good, image.digest, f"{reg.host}/app")])
    if kind == "private":
        key.public.write_bytes(key.private.read_bytes())
    elif kind in ("text", "empty"):
        key.public.write_text("" if kind == "empty" else "a key\n")
    policy({reg.host: by(good, key)})
    anyone.inro("pull", f"{reg.host}/app:1").fails("reading key 2", message, code=125)
    assert images(anyone) == []


def test_missing_policy(anyone, reg, policy):
    push(reg)
    path = policy(default=ACCEPT)
    anyone.inro("pull", f"{reg.host}/app:1").ok()
    path.unlink()
    anyone.inro("pull", f"{reg.host}/app:1").fails("reading the policy on images", str(path))
    path.mkdir()
    anyone.inro("pull", f"{reg.host}/app:1").fails("reading the policy on images")


def test_users_own_policy(user, reg):
    """~/.config/containers/policy.json, as podman has it; root's HOME may be anybody's."""
    push(reg)
    home = user.dir / "home"
    (home / ".config/containers").mkdir(parents=True)
    path = home / ".config/containers/policy.json"
    path.write_text(json.dumps({"default": REJECT}))
    subprocess.run(["chown", "-R", f"{user.uid}:{user.gid}", home], check=True)
    user.env["HOME"] = str(home)
    user.inro("pull", f"{reg.host}/app:1").fails("rejects it", f"see {path}")
    path.chmod(0)
    user.inro("pull", f"{reg.host}/app:1").fails(str(path))


def test_load(anyone, policy):
    """An archive has no signatures: the policy lets it in, or not."""
    policy(default=ACCEPT)
    box = engine.box(anyone)
    archive = anyone.dir / "box.tar"
    anyone.inro("save", "-o", archive, box).ok()
    policy(default=ACCEPT, transports={"oci-archive": {"": REJECT}})
    anyone.inro("load", "-i", archive).fails("lets in nothing by oci-archive")
    policy(default=REJECT)
    anyone.inro("load", "-i", archive).fails("lets in nothing by docker-archive: reject")
    # what is here stays usable: it was let in when it came
    anyone.inro("run", "--rm", "--network", "none", box, "true").ok()
    policy(default=REJECT, transports={"docker-archive": {"": ACCEPT}, "oci-archive": {"": ACCEPT}})
    anyone.inro("load", "-i", archive).ok()


def test_copy(anyone, reg, policy):
    """What `image copy` brings into the store is let in like anything else."""
    policy(default=ACCEPT)
    box, layout = engine.box(anyone), f"oci:{anyone.dir}/layout:1"
    anyone.inro("image", "copy", box, layout).ok()
    image = push(reg)
    name, key = f"{reg.host}/app:1", cosign.Key(anyone.dir)
    policy({reg.host: by(key)})
    before = images(anyone)
    anyone.inro("image", "copy", layout, "inro:new").fails("lets in nothing by oci: reject")
    anyone.inro("image", "copy", f"docker://{name}", "inro:new").fails("there is no signature")
    assert images(anyone) == before
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, f"{reg.host}/app")])
    anyone.inro("image", "copy", f"docker://{name}", "inro:new").ok()
    policy(default=REJECT, transports={"oci": {"": ACCEPT}})
    anyone.inro("image", "copy", layout, "inro:newer").ok()


def test_artifacts_and_lists(anyone, reg, policy):
    """Artifacts are let in like images; a list lets nothing in, whatever it names."""
    key = cosign.Key(anyone.dir)
    image, name = push(reg), f"{reg.host}/app:1"
    policy({reg.host: by(key)})
    anyone.inro("artifact", "pull", name).fails("there is no signature")
    assert not_fetched(reg, image)
    anyone.inro("manifest", "create", "list", name).ok()
    anyone.inro("run", "--rm", "list", "true").fails("is not here")
    assert not anyone.inro("artifact", "ls", "-q").ok().out
    assert len(images(anyone)) == 1 and not asked(reg, image.layers[0])  # the list
    cosign.attach(reg, "app", image.digest, [cosign.sign(key, image.digest, f"{reg.host}/app")])
    anyone.inro("artifact", "pull", "-q", name).ok()
    (anyone.dir / "one").write_bytes(b"1")
    anyone.inro("artifact", "add", "made:1", anyone.dir / "one").ok()
    layout = f"oci:{anyone.dir}/layout:1"
    anyone.inro("artifact", "push", "made:1", layout).ok()
    anyone.inro("artifact", "pull", layout, "new:1").fails("lets in nothing by oci: reject")


# ---- trust show, trust set ----


def shown(who, *args):
    return [line.split() for line in who.inro("image", "trust", "show", *args).ok().out.splitlines()]


def test_show_and_set(anyone, reg, policy):
    key = cosign.Key(anyone.dir)
    path = policy(default=ACCEPT)
    trust = ("image", "trust")
    assert shown(anyone) == [["TRANSPORT", "NAME", "TYPE", "KEYS"], ["all", "default", "accept"]]
    anyone.inro(*trust, "set", "--type", "reject", "default").ok()
    anyone.inro(*trust, "set", "-f", key.public, f"{reg.host}/team").ok()
    anyone.inro(*trust, "set", "-t", "accept", reg.host).ok()
    assert shown(anyone, "-n") == [
        ["all", "default", "reject"],
        ["repository", f"{reg.host}/team", "sigstoreSigned", str(key.public)],
        ["repository", reg.host, "accept"]]
    assert shown(anyone, "-n", f"{reg.host}/team/app:1")[0][2] == "sigstoreSigned"
    assert shown(anyone, "-n", reg.host) == [["repository", reg.host, "accept"]]
    assert shown(anyone, "-n", "other.example") == [["all", "default", "reject"]]
    rows = json.loads(anyone.inro(*trust, "show", "--json").ok().out)
    assert rows[0] == {"transport": "all", "name": "* (default)", "repo_name": "default",
                       "type": "reject"}
    assert rows[1]["keys"] == [str(key.public)]
    assert json.loads(anyone.inro(*trust, "show", "--raw").ok().out) == \
        json.loads(path.read_text()) == {
            "default": REJECT, "transports": {"docker": {
                f"{reg.host}/team": [{"type": "sigstoreSigned", "keyPath": str(key.public)}],
                reg.host: ACCEPT}}}
    # and it holds
    push(reg)
    image = push(reg, "team/app")
    anyone.inro("pull", f"{reg.host}/app:1").ok()
    anyone.inro("pull", f"{reg.host}/team/app:1").fails("there is no signature")
    cosign.attach(reg, "team/app", image.digest,
                  [cosign.sign(key, image.digest, f"{reg.host}/team/app:1")])
    anyone.inro("pull", f"{reg.host}/team/app:1").ok()
    # as cosign signs
    cosign.attach(reg, "team/app", image.digest,
                  [cosign.sign(key, image.digest, f"{reg.host}/team/app")])
    anyone.inro("pull", f"{reg.host}/team/app:1").fails("for another name")
    anyone.inro(*trust, "set", "--identity", "matchRepository", "-f", key.public,
                f"{reg.host}/team").ok()
    anyone.inro("pull", f"{reg.host}/team/app:1").ok()


@pytest.mark.parametrize("args,message", [
    (("-t", "signedBy", "a.b"), "signedBy) are not supported"),
    (("-t", "any", "a.b"), "sigstoreSigned"),
    (("a.b",), "needs a key"),
    (("-t", "accept", "-f", "/k", "a.b"), "takes no --pubkeysfile"),
    (("-t", "reject", "--identity", "matchExact", "a.b"), "takes no --identity"),
    (("--identity", "remapIdentity", "-f", "/k", "a.b"), "matchRepository"),
    (("-f", "/nonexistent/k", "a.b"), "/nonexistent/k"),
    (("-f", "k", "a.b"), "absolute path"),
    (("-t", "reject", "a.b/*"), 'got "a.b/*"'),
    (("-t", "reject", "app"), 'got "app"'),
])
def test_set_refuses(anyone, policy, args, message):
    path = policy({"x.example": ACCEPT})
    before = path.read_text()
    anyone.inro("image", "trust", "set", *args).fails(message)
    assert path.read_text() == before
    path.write_text("{")
    anyone.inro("image", "trust", "set", "-t", "reject", "default").fails("line 1")
    assert path.read_text() == "{"


def test_set_makes_the_users_policy(user):
    """The machine's stays as it is."""
    home = user.dir / "home"
    home.mkdir()
    user.own(home)
    user.env["HOME"] = str(home)
    user.inro("image", "trust", "set", "-t", "reject", "evil.example").ok()
    made = json.loads((home / ".config/containers/policy.json").read_text())
    assert made["transports"]["docker"] == {"evil.example": REJECT} and made["default"]
    user.inro("pull", "evil.example/x").fails("rejects it")


# ---- others' eyes ----


def skopeo(who, policy, *args):
    """skopeo under a policy of ours. Debian's neither makes nor verifies signatures by keys."""
    home = who.dir / "skopeo"
    home.mkdir(exist_ok=True)
    (home / "policy.json").write_text(json.dumps(policy))
    return subprocess.run(["skopeo", "--policy", home / "policy.json", "copy", *args],
                          capture_output=True, env={**os.environ, "HOME": str(home)}, check=False)


def test_skopeo_finds_the_same_scopes(root, reg):
    """What is said of an image is what skopeo takes to be said of it; where skopeo refuses a policy,
    so do we."""
    if not shutil.which("skopeo"):
        harness.machine_cannot("skopeo is not installed")
    image = push(reg, "team/app")
    host, name = f"localhost:{reg.port}", f"localhost:{reg.port}/team/app"
    conf = root.dir / "inro.conf"
    conf.write_text(f"[image]\npolicy = {root.dir}/policy.json\n")
    scopes = ["", "localhost", host, f"{host}/team", f"{host}/tea", name, f"{name}:1", f"{name}:2",
              f"{name}@{image.digest}", f"{host}/other", f"{host}/team/app/more"]
    policies = [{"default": default, "transports": {"docker": {scope: other}}}
                for scope in scopes for default, other in ((ACCEPT, REJECT), (REJECT, ACCEPT))]
    policies += [{"default": REJECT, "transports": {"docker": {one: REJECT, two: ACCEPT}}}
                 for one, two in ((host, name), (name, host), ("", host), (f"{name}:1", name))]
    policies += [{"default": [{"type": "sigstoreSigned"}]}, {"default": []}, {},
                 {"default": ACCEPT, "more": 1}, {"default": [{**REJECT[0], "keyPath": "/k"}]},
                 {"default": ACCEPT + REJECT}, {"default": REJECT, "transports": {
                     "docker": {}, "atomic": {"": ACCEPT}}}]
    answers = []
    for policy in policies:
        (root.dir / "policy.json").write_text(json.dumps(policy))
        for word in (f"{name}:1", f"{name}@{image.digest}"):
            ours = root.inro("--config", conf, "pull", word).code == 0
            shutil.rmtree(root.dir / "out", ignore_errors=True)
            done = skopeo(root, policy, "--src-tls-verify=false", f"docker://{word}",
                          f"dir:{root.dir / 'out'}")
            assert ours == (done.returncode == 0), (policy, word, done.stderr)
            answers.append(ours)
    assert 10 < sum(answers) < len(answers) - 10
