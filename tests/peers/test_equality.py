# SPDX-License-Identifier: Apache-2.0
"""An image's tree here, in podman's mount, and as umoci unpacks it: the same, entry by entry, for images
that were built to be nasty. Where podman and umoci agree there is no choice; where they don't, VERDICTS
says who is right, and why."""

import json
import pathlib
import shlex
import shutil
import subprocess
import tarfile
import tempfile

import pytest

import harness
import nasty
import realimages
from engines import Engine
from layers import Layout, tar

LOOK = pathlib.Path(__file__).with_name("treelook.py")
PYTHON = "/usr/bin/python3"
# case: (whose tree is ours, why). image-spec layer.md.
VERDICTS = {
    "parents": ("umoci", "a directory without an entry is not changed by the layer; podman shows the parents that "
                         "unpacking made up"),
    "whiteout-and-new": ("umoci", "a whiteout hides what lower layers have, also when its own layer makes the name "
                                  "anew; podman shows old files again"),
    "link-below": ("podman", "the layer says nothing of a link, so its directory stands in the link's place, as in "
                             "docker; umoci writes through the link of another layer"),
    "link-attributes": ("umoci", "a hard link has no attributes of its own: the file's entry has said them; podman "
                                 "changes the file by each of its names"),
    "default-acl": ("umoci", "a file has the attributes of its entry; podman lets it inherit others from its "
                             "directory"),
    "setgid-parents": ("umoci", "what has no entry is made as in any set-gid directory; podman takes the group away "
                                "and leaves the bit"),
    "before-1970": ("umoci", "the entry's time; podman makes 1970 of it"),
}


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            harness.machine_cannot(f"{program} is not installed")


def archive(path, layers, name="eq:1"):
    """The layers as an OCI archive that everybody reads."""
    layout = Layout()
    path.write_bytes(layout.archive(layout.image(layers, "gzip", name)))
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def work():
    need("umoci", "skopeo")
    path = pathlib.Path(tempfile.mkdtemp(prefix="e", dir="/run"))
    path.chmod(0o755)
    shutil.copy(LOOK, path / "look.py")
    yield path
    subprocess.run(["rm", "-rf", path], check=False)


class Trees:
    """What each of the tools shows of an image."""

    def __init__(self, work):
        self.work = work

    def _json(self, done):
        return json.loads(done.ok().out)

    def umoci(self, who, path):
        top = self.work / ("u-" + path.name)
        who.run("skopeo", "copy", "-q", f"oci-archive:{path}", f"oci:{top}:1").ok()
        who.run("umoci", "unpack", "--image", f"{top}:1", top / "bundle").ok()
        tree = self._json(who.run(PYTHON, self.work / "look.py", top / "bundle/rootfs"))
        shutil.rmtree(top)
        return tree

    def podman(self, engine, path):
        iid = engine("pull", "-q", f"oci-archive:{path}").ok().out.split()[-1]
        script = ('t=$("$@" image mount $iid); ' + f"{PYTHON} {self.work}/look.py $t; "
                  '"$@" image unmount $iid >/dev/null')
        argv = ["sh", "-ec", script, "sh", *engine.argv]
        if engine.who.rootless:
            argv = [*engine.argv, "unshare", *argv]
        try:
            tree = self._json(engine.who.run(*argv, env={"iid": iid}))
        finally:
            engine("rmi", "-f", iid).ok()
        # It passes over the entry of the root directory.
        del tree["."]
        return tree

    def inro(self, who, path):
        who.inro("load", "-q", "-i", path).ok()
        iid = who.inro("images", "-q", "--no-trunc").ok().out.split()[0]
        inro = shlex.join(map(str, who.inro_argv()))
        done = who.run(*who.inro_argv("unshare", "sh", "-ec",
                                      f"{PYTHON} {self.work}/look.py $({inro} image mount {iid})"))
        who.inro("rmi", "-f", iid).ok()
        return self._json(done)


@pytest.fixture
def trees(work):
    return Trees(work)


def differences(left, right):
    return {path: (left.get(path), right.get(path)) for path in left.keys() | right.keys()
            if left.get(path) != right.get(path)}


def members(tree):
    return {path: one for path, one in tree.items() if path != "."}


def mend_times(umocis, others):
    """umoci changes the time of a directory when it makes or removes something further below."""
    for name, one in umocis.items():
        if one["mtime"] == "now" and one["mode"].startswith("0o4") and name in others:
            one["mtime"] = others[name]["mtime"]


def show(found):
    return "\n".join(f"{path!r}\n  {a}\n  {b}" for path, (a, b) in sorted(found.items())[:20])


def assert_same(ours, theirs, whose):
    found = differences(ours, theirs)
    assert not found, f"{len(found)} entries are not {whose}'s:\n{show(found)}"


def without_devices(tree):
    return {path: one for path, one in tree.items() if "device" not in one}


FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}
# What GNU's headers can't hold: extended attributes and fractions of seconds.
PAX_ONLY = ("xattrs", "times", "changed")


@pytest.mark.parametrize("fmt", FORMATS)
def test_nasty_image(trees, work, root, podman, fmt):
    cases = {**nasty.WHOLE, **nasty.ROOTS}
    if fmt == "gnu":
        cases = {name: steps for name, steps in cases.items() if name not in PAX_ONLY}
    path = archive(work / f"nasty-{fmt}.tar", nasty.layers_of(cases, FORMATS[fmt]))
    theirs = trees.umoci(root, path)
    podmans = trees.podman(podman, path)
    mend_times(theirs, podmans)
    assert_same(podmans, members(theirs), "umoci")
    assert len(theirs) > 150
    assert_same(trees.inro(root, path), theirs, "the others")


def test_nasty_image_of_a_user(trees, work, root, user, users_podman):
    path = archive(work / "nasty-user.tar", nasty.layers_of(nasty.WHOLE))
    ours = trees.inro(user, path)
    # Without this it copies whole trees for a user, and loses ACLs and hard links.
    argv = [users_podman.argv[0], "--storage-driver", "overlay", "--root", users_podman.who.dir / "o",
            *users_podman.argv[3:]]
    assert_same(members(ours), trees.podman(Engine(users_podman.who, argv), path), "podman")
    assert_same(ours, trees.inro(root, path), "root")
    # Devices are left out, everything else is as root has it.
    path = archive(work / "devices-user.tar", nasty.layers_of({"devices": nasty.ROOTS["devices"]}))
    assert_same(trees.inro(user, path), without_devices(trees.inro(root, path)), "root")


@pytest.mark.parametrize("case", nasty.SPLIT)
def test_where_others_do_not_agree(trees, work, root, podman, case):
    path = archive(work / f"{case}.tar", nasty.layers_of({case: nasty.SPLIT[case]}))
    both = {"umoci": trees.umoci(root, path), "podman": trees.podman(podman, path)}
    mend_times(both["umoci"], both["podman"])
    who, why = VERDICTS.get(case, ("umoci", ""))
    found = differences(members(both["umoci"]), both["podman"])
    assert bool(found) == bool(why), show(found)
    assert_same(members(trees.inro(root, path)), members(both[who]), who)


@pytest.mark.parametrize("seed", range(6))
def test_images_by_chance(trees, work, root, seed):
    chance = nasty.Chance(seed)
    path = archive(work / f"chance{seed}.tar", [chance.layer(count) for count in (40, 25, 15)])
    ours, theirs = trees.inro(root, path), trees.umoci(root, path)
    mend_times(theirs, ours)
    assert_same(ours, theirs, "umoci")


@pytest.mark.parametrize("case", nasty.REFUSED)
def test_what_podman_refuses(trees, work, root, podman, case):
    path = archive(work / f"{case}.tar", nasty.layers_of({case: nasty.REFUSED[case]}))
    podman("pull", "-q", f"oci-archive:{path}").fails("processing tar file(")
    ours, theirs = trees.inro(root, path), trees.umoci(root, path)
    mend_times(theirs, ours)
    assert_same(ours, theirs, "umoci")


def test_acls_of_tar(trees, work, root):
    """All agree to drop them, as Go's tar doesn't know them, and ours does not: where the ACL is lost the
    group gets what was its mask, more than anybody has given it."""
    path = archive(work / "acl.tar", nasty.layers_of(nasty.ACL_HEADERS))
    ours, theirs = trees.inro(root, path), trees.umoci(root, path)
    assert ours["acl-headers/f"].pop("xattrs") == {"system.posix_acl_access": nasty.ACCESS.hex()}
    for tree in (ours, theirs):
        tree["acl-headers/f"].pop("mode")
    assert_same(ours, theirs, "umoci")


def test_what_gnu_tar_makes(trees, work, root, podman):
    path = archive(work / "gnutar.tar", nasty.gnu_tars(work))
    theirs = trees.umoci(root, path)
    assert_same(trees.podman(podman, path), members(theirs), "umoci")
    assert_same(members(trees.inro(root, path)), members(theirs), "the others")
    # umoci knows no global headers
    path = archive(work / "global.tar", [nasty.global_header()])
    assert_same(members(trees.inro(root, path)), trees.podman(podman, path), "podman")


@pytest.fixture(scope="module")
def workshop(build):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="w", dir="/run"))
    scratch.chmod(0o755)
    made = realimages.Workshop(build, scratch)
    yield made
    made.close()
    subprocess.run([*realimages.PRIVATE, "rm", "-rf", scratch], check=False)


@pytest.mark.parametrize("image", ["busybox", "built"])
def test_images_of_umoci_and_buildah(trees, workshop, root, podman, image):
    need("buildah")
    path = workshop.archive("skopeo-oci", image)
    theirs = trees.umoci(root, path)
    ours = trees.inro(root, path)
    assert_same(ours, theirs, "umoci")
    # podman has made up the parents that umoci's layers leave out.
    disagree = set(differences(trees.podman(podman, path), theirs))
    assert all(theirs[name]["mode"].startswith("0o4") for name in disagree), disagree


DOCKERFILE = r"""FROM box
RUN mkdir -p /d/e /gone/in && echo x >/d/e/f && chmod 1777 /d/e && chown 5:6 /d && touch /gone/in/f /f && ln /f /g
RUN rm -r /gone && mv /d/e/f /d/f && rm /bin/yes && ln -s /d /l && chmod 4711 /bin/busybox && rm /f && mkdir /f
RUN mkdir /gone && echo y >/gone/new && mkfifo /fifo && rm -r /d/e && mkdir /d/e && touch "/d/e/ü"
COPY f /l/copied
"""


def test_image_of_docker(trees, work, root, podman, docker):
    top = work / "build"
    top.mkdir()
    (top / "Dockerfile").write_text(DOCKERFILE)
    (top / "f").write_text("copied")
    docker("build", "-q", "--network", "none", "-t", "nasty", top).ok()
    docker("save", "-o", work / "docker.tar", "nasty").ok()
    docker("rmi", "nasty").ok()
    path = work / "docker-oci.tar"
    root.run("skopeo", "copy", "-q", f"docker-archive:{work}/docker.tar", f"oci-archive:{path}:eq:1").ok()
    theirs = trees.umoci(root, path)
    assert "d/copied" in theirs and theirs["d/e"]["mode"] != oct(0o41777)
    assert_same(trees.podman(podman, path), members(theirs), "umoci")
    assert_same(trees.inro(root, path), theirs, "the others")


def test_same_layer_twice(trees, work, root, podman):
    """And an image of nothing but empty layers."""
    first, second, _ = nasty.layers_of({"whiteout": nasty.WHOLE["whiteout"]}, empty=False)
    path = archive(work / "twice.tar", [first, second, first])
    theirs = trees.umoci(root, path)
    assert_same(trees.podman(podman, path), members(theirs), "umoci")
    assert_same(trees.inro(root, path), theirs, "the others")
    path = archive(work / "empty.tar", [tar(), tar()])
    assert set(trees.inro(root, path)) == set(trees.umoci(root, path)) == {"."}
