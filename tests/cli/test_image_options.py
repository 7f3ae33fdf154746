# SPDX-License-Identifier: Apache-2.0
"""Options that people know from docker and podman: of pull, push, rmi, save, load, import, prune."""

import json
import os
import re
import time

import pytest

import engine
import layers
from layers import entry, tar
from registries import MANIFEST, digest

TURNS = True  # see conftest.py

INDEX = "application/vnd.oci.image.index.v1+json"
NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
FOREIGN = "s390x"


def config(layer, architecture):
    return json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [digest(layer)]}}).encode()


def load(who, name, architecture=NATIVE, text="x"):
    """An image of one file; its manifest's digest."""
    layer, layout = tar(entry("file", text + architecture)), layers.Layout()
    image = layout.image([layer], name=name, conf=config(layer, architecture))
    who.inro("load", input=layout.archive(image)).ok()
    return image["digest"]


def both(who):
    """A list of an image for this machine and one for another: the members' digests."""
    found = load(who, "docker.io/library/app:here"), load(who, "docker.io/library/app:there", FOREIGN)
    who.inro("manifest", "create", "both:1", "app:here", "app:there").ok()
    return found


def names(who):
    return sorted(who.inro("images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.split())


# ---- words ----

@pytest.mark.parametrize("command, option, why", [
    ("push", "--sign-by=me", "cosign"), ("push", "--encryption-key=x", "not encrypted"),
    ("pull", "--decryption-key=x", "encrypted layers"), ("images", "--tree", "manifest inspect"),
    ("images", "--history", "not kept"), ("save", "--compress", "as they are stored"),
    ("commit", "--squash", "shared"), ("rmi", "--platform=linux/arm64", "manifest remove"),
    ("manifest add", "--artifact-type=x", "inro artifact add"),
    ("manifest push", "--add-compression=zstd", "--compression-format"),
])
def test_refused_by_name(root, command, option, why):
    done = root.inro(*command.split(), option, "x", "y")
    done.fails(f"{option.split('=')[0]} is not supported: ", why, code=125)
    assert option.split("=")[0] not in root.inro(*command.split(), "--help").ok().out


def test_without_effect(anyone, registries):
    """What others have switched on or off, scripts still say."""
    reg = registries.start()
    load(anyone, "docker.io/library/app:1")
    anyone.inro("push", "--remove-signatures", "--disable-content-trust", "app:1", f"{reg.host}/app:1").ok()
    anyone.inro("image", "prune", "--external", "-f").ok()
    anyone.inro("rmi", "--no-prune", "app:1").ok()
    assert names(anyone) == []


# ---- platforms ----

def test_import_for_another_platform(anyone):
    plain = engine.rootfs_tar(anyone)
    for options, want in ((["--platform", "linux/arm64/v8"], "linux arm64 v8"),
                          (["--arch", "aarch64", "--variant", "v8"], "linux arm64 v8"),
                          (["--os", "freebsd"], f"freebsd {NATIVE} "), (["-q"], f"linux {NATIVE} ")):
        anyone.inro("import", *options, plain, "box").ok()
        shown = anyone.inro("image", "inspect", "-f", "{{.Os}} {{.Architecture}} {{.Variant}}", "box").ok().out
        assert shown.rstrip() == want.rstrip()
    anyone.inro("import", "--platform", "linux/arm64", "--os", "linux", plain).fails("--platform says it all")
    anyone.inro("import", "--arch", "a b", plain).fails("expected os/architecture", code=125)


def test_one_image_of_a_list(anyone, registries):
    """inspect, history, save and push take it by its platform, and no other image for it."""
    here, there = both(anyone)
    other = f"linux/{FOREIGN}"
    for word, found in (("both:1", there), ("app:there", there)):
        shown = json.loads(anyone.inro("image", "inspect", "--platform", other, word).ok().out)[0]
        assert shown["Architecture"] == FOREIGN and shown["Digest"] == found
    assert "B" in anyone.inro("history", "--platform", other, "both:1").ok().out
    anyone.inro("history", "both:1").fails("a list of manifests")
    wrong = f"image with reference app:here was found but does not match the specified platform: " \
            f"wanted {other}, actual: linux/{NATIVE}"
    for command in (["image", "inspect"], ["history"], ["save", "-o", anyone.dir / "x"]):
        done = anyone.inro(*command, "--platform", other, "app:here")
        assert done.code and wrong in done.err
    anyone.inro("history", "--platform", "linux/mips", "both:1").fails("no image for this platform")
    # the archive has the list's name, and one image
    saved = anyone.dir / "saved.tar"
    anyone.inro("save", "--platform", other, "-o", saved, "both:1").ok()
    out = anyone.run("tar", "-xOf", saved, "index.json").ok().out
    assert [m["digest"] for m in json.loads(out)["manifests"]] == [there]
    reg = registries.start()
    anyone.inro("push", "-q", "--platform", f"linux/{NATIVE}", "both:1", f"{reg.host}/one:1").ok()
    got = reg.request("GET", "/v2/one/manifests/1", headers={"Accept": f"{MANIFEST}, {INDEX}"})[2]
    assert digest(got) == here
    # and back, where it is an image for another machine
    anyone.inro("rmi", "both:1", "app:there").ok()
    assert anyone.inro("load", "--platform", other, "-i", saved).ok().out == "Loaded image: both:1\n"
    anyone.inro("load", "--platform", f"linux/{NATIVE}", "-i", saved).fails(f"for linux/{FOREIGN}, not linux/")


def test_load_by_platform(anyone):
    layout = layers.Layout()
    ones = []
    for architecture in (NATIVE, FOREIGN):
        layer = tar(entry("file", architecture))
        ones.append(layout.image([layer], conf=config(layer, architecture),
                                 platform={"os": "linux", "architecture": architecture}))
    index = layout.index(ones, annotations={"io.containerd.image.name": "docker.io/library/multi:1"})
    archive = anyone.dir / "multi.tar"
    archive.write_bytes(layout.archive(index))
    tree = anyone.dir / "multi"
    tree.mkdir()
    anyone.own(tree)
    anyone.run("tar", "-xf", archive, "-C", tree).ok()
    for source in (archive, tree):
        for architecture, one in ((FOREIGN, ones[1]), (NATIVE, ones[0])):
            anyone.inro("load", "--platform", f"linux/{architecture}", "-i", source).ok()
            assert anyone.inro("image", "inspect", "-f", "{{.Digest}}", "multi:1").ok().out.strip() == one["digest"]
        anyone.inro("load", "--platform", "linux/mips", "-i", source).fails("linux/mips")


# ---- pull ----

def test_pull_policy(anyone, registries):
    reg = registries.start()
    name = f"{reg.host}/app:1"
    layer = tar(entry("a", "1"))
    reg.push("app", "1", [layer], config=json.loads(config(layer, NATIVE)))
    anyone.inro("pull", "--policy", "never", name).fails("No such image", code=125)
    anyone.inro("pull", "--policy", "missing", name).ok()
    asked = len(reg.requests())
    for policy in ("missing", "never"):
        assert anyone.inro("pull", "--policy", policy, name).ok().out == name + "\n"
    assert len(reg.requests()) == asked
    # another platform than the one that is here is missing
    anyone.inro("pull", "--policy", "never", "--arch", FOREIGN, name).fails("wanted linux/" + FOREIGN)
    anyone.inro("pull", "--arch", FOREIGN, name).fails("does not match the specified platform")
    second = tar(entry("a", "2"))
    image = reg.push("app", "1", [second], config=json.loads(config(second, NATIVE)))
    assert image.digest in anyone.inro("pull", "--policy", "newer", name).ok().out
    reg.stop()
    done = anyone.inro("pull", "--retry", "0", "--policy", "newer", name).ok()
    assert done.out.endswith(name + "\n") and reg.host in done.err
    anyone.inro("pull", "--retry", "0", name).fails(reg.host)
    anyone.inro("pull", "--retry", "0", "--policy", "newer", f"{reg.host}/app:2").fails(reg.host)


def test_tries_and_the_time_between_them(root, registries):
    bad = registries.hostile()
    bad.on("GET", "/v2/app/manifests/1", status=500)

    def tries(*options):
        before = len(bad.requests)
        root.inro("pull", *options, f"{bad.host}/app:1").fails("500")
        return len(bad.requests) - before

    once = tries("--retry", "0")
    assert tries("--retry", "3", "--retry-delay", "10ms") == once + 3
    start = time.monotonic()
    assert tries("--retry", "1", "--retry-delay", "0.6s") == once + 1
    assert time.monotonic() - start > 0.6
    root.inro("pull", "--retry-delay", "soon", f"{bad.host}/app:1").fails("expected a duration like 2s", code=125)
    root.inro("pull", "--retry", "1000", f"{bad.host}/app:1").fails("expected 0 to 100 tries", code=125)
    # for the other way, too
    load(root, "docker.io/library/app:1")
    bad.on("POST", "/v2/app/blobs/uploads/.*", status=500)
    done = root.inro("push", "--retry", "1", "--retry-delay", "1ms", "app:1", f"{bad.host}/app:1")
    done.fails("500")
    assert f"trying again in 0.0 s: {bad.host} answered 500 Internal Server Error" in done.out
    # Whoever has no progress to show says it as well.
    bad.on("GET", "/v2/app/manifests/2", status=429)
    limited = f"trying again in 0.0 s: {bad.host} answered 429 Too Many Requests\n"
    again = ("--retry", "1", "--retry-delay", "1ms")
    assert limited in root.inro("pull", *again, f"{bad.host}/app:2").fails("429").out
    assert limited not in root.inro("pull", "-q", *again, f"{bad.host}/app:2").fails("429").out
    assert limited in root.inro("image", "copy", "--retry-times", "1", "--retry-delay", "1ms",
                                f"docker://{bad.host}/app:2", "oci:there").fails("429").out
    config = root.dir / "inro.conf"
    config.write_text("[transfer]\nretries = 1\n")
    seen = root.inro("--config", config, "manifest", "inspect", f"{bad.host}/app:2").fails("429")
    assert re.search(rf"^inro: warning: trying again in 0\.\d s: {bad.host} answered 429 Too Many Requests$", seen.err, re.M)


# ---- rmi, prune ----

def test_rmi_all(anyone):
    engine.box(anyone, "used:1", "ENV A=1")
    engine.box(anyone, "free:1", "ENV A=2")
    anyone.inro("tag", "free:1", "free:2").ok()
    both(anyone)
    anyone.inro("run", "--name", "web", "used:1", "true").ok()
    done = anyone.inro("rmi", "--all")
    assert done.code == 1 and re.search("image [0-9a-f]{12} is being used by container", done.err)
    assert done.out.count("Deleted: ") == 4 and "Untagged: free:1\nUntagged: free:2\nDeleted: " in done.out
    assert names(anyone) == ["used:1"]
    assert len(os.listdir(anyone.state / "inro/layers")) == 1
    assert anyone.inro("rmi", "-af").ok().out == "Untagged: used:1\n"
    anyone.inro("rm", "web").ok()
    assert anyone.inro("rmi", "-a").ok().out.startswith("Deleted: ")
    assert os.listdir(anyone.state / "inro/layers") == []
    assert anyone.inro("rmi", "-a").ok().out == ""
    anyone.inro("rmi", "-a", "x").fails("--all", code=125)
    anyone.inro("rmi").fails("--all", code=125)


def test_rmi_of_what_is_not_there(anyone):
    load(anyone, "docker.io/library/app:1")
    done = anyone.inro("rmi", "--ignore", "nothing:1", "app:1").ok()
    assert "Untagged: app:1" in done.out and done.err == ""


def test_prune_takes_artifacts_without_a_name(anyone):
    def add(name, text):
        path = anyone.dir / text
        path.write_text(text)
        return anyone.inro("artifact", "add", name, path).ok().out.strip()

    old, kept = add("made.test/a:1", "one"), add("made.test/b:1", "two")
    anyone.inro("untag", "made.test/a:1").ok()
    assert old not in anyone.inro("image", "prune", "-f", "--filter", "label=x").ok().out
    out = anyone.inro("image", "prune", "-f").ok().out
    assert f"deleted: sha256:{old}" in out and kept not in out
    # a name is use enough: no container can have it
    assert "deleted" not in anyone.inro("image", "prune", "-af").ok().out
    assert len(anyone.inro("artifact", "ls", "-n").ok().out.splitlines()) == 1


def test_tree_of_what_is_on_top(anyone):
    base, mid, top, side = (tar(entry(name, name)) for name in ("base", "mid", "top", "side"))
    for name, members in (("base:1", [base]), ("top:1", [base, mid, top]), ("side:1", [base, side]),
                          ("again:1", [base, side]), ("other:1", [side, base])):
        anyone.inro("load", input=layers.docker_archive(members, tags=[name])).ok()

    def line(mark, layer, of=""):
        return f"{mark} ID: {digest(layer)[7:19]} Size: {len(mark) and layer_size(layer):>7}{of}"

    def layer_size(layer):
        return f"{ {base: 4, mid: 3, top: 3, side: 4}[layer]}B"

    lines = anyone.inro("image", "tree", "--whatrequires", "base:1").ok().out.splitlines()
    assert lines[3:5] == ["Image Layers", line("└──", base, " Top Layer of: [docker.io/library/base:1]")]
    branch = [line("├──", mid), "│   " + line("└──", top, " Top Layer of: [docker.io/library/top:1]")]
    sides = [name for name in re.findall(r"\[(.*)\]", "\n".join(lines[5:])) if "side:1" in name]
    assert sorted(sides[0].split(", ")) == ["docker.io/library/again:1", "docker.io/library/side:1"]
    own = "    " + line("├──", side, f" Top Layer of: [{sides[0]}]")
    wanted = [*("    " + x for x in branch), own.replace("├", "└")]
    turned = [own, "    " + line("└──", mid), "        " + branch[1][4:]]
    assert lines[5:] in (wanted, turned)  # in whatever order the images are
    assert len(anyone.inro("image", "tree", "--whatrequires", "top:1").ok().out.splitlines()) == 5


# ---- the newest container ----

def test_latest(anyone):
    engine.box(anyone)
    anyone.inro("run", "--name", "first", "box", "true").ok()
    anyone.inro("run", "--name", "second", "box", "touch", "/made").ok()
    assert anyone.inro("inspect", "-lf", "{{.Name}}").ok().out.strip("/\n") == "second"
    assert anyone.inro("container", "inspect", "--latest", "-f", "{{.Name}}").ok().out.strip("/\n") == "second"
    assert "A /made" in anyone.inro("diff", "-l").ok().out
    anyone.inro("diff").fails("--latest", code=125)
    anyone.inro("diff", "-l", "first").fails("--latest", code=125)
    anyone.inro("inspect", "-l", "first").fails("--latest", code=125)
