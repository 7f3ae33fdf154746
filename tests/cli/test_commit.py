# SPDX-License-Identifier: Apache-2.0
"""inro diff, export and commit: what a container has changed, as lines, as a tar, as an image."""

import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile

import pytest

import engine
import harness
from layers import docker_archive, entry, look, sha, tar

# One of everything that can be done to a file, to a directory and to names.
CHANGES = r"""
set -e
echo new >added; mkdir -p dir/sub; echo x >dir/sub/file; ln dir/sub/file dir/hard
ln -s /etc/passwd link; mkfifo -m 640 fifo
echo more >>old/changed; rm old/gone; rm -r old/gonedir; chmod 751 old/moded; chown 11:12 old/owned
rm -r old/again; mkdir old/again; echo y >old/again/new; rm old/type; mkdir old/type; echo z >old/type/in
touch "dir/with space" "dir/$(printf 'n%.0s' $(seq 150))" "dir/ü"
touch -d @1234567890 dir/dated; chmod 4755 dir/sub/file
"""
OLD = [entry("old/"), entry("old/changed", "a"), entry("old/gone", "b"), entry("old/gonedir/"),
       entry("old/gonedir/f", "c"), entry("old/moded", "d"), entry("old/owned", "e"),
       entry("old/again/"), entry("old/again/hidden", "f"), entry("old/type", "g"),
       entry("old/kept", "h"), entry("old/keptdir/"), entry("old/keptdir/f", "i")]
WANT = """C /old
A /added
A /dir
A /dir/dated
A /dir/hard
A /dir/sub
A /dir/sub/file
A /dir/with space
A /dir/ü
A /fifo
A /link
C /old/again
D /old/again/hidden
A /old/again/new
C /old/changed
D /old/gone
D /old/gonedir
C /old/moded
C /old/owned
C /old/type
A /old/type/in
""".splitlines() + ["A /dir/" + "n" * 150]


def base(who):
    """An image "base" of two layers: busybox, and what there is to change."""
    box = engine.rootfs_tar(who).read_bytes()
    who.inro("load", input=docker_archive([box, tar(*OLD)], tags=["base:1"])).ok()
    return "base:1"


def changed(who, name="cc", script=CHANGES, *options):
    who.inro("run", "--name", name, *options, base(who), "sh", "-c", script).ok()
    return name


def blob(who, digest):
    return (who.state / "inro/blobs/sha256" / digest[7:]).read_bytes()


def image_of(who, word):
    """manifest and config of an image, from the store."""
    done = subprocess.run(["sqlite3", who.state / "inro/inro.db",
                           f"SELECT manifest, id FROM images WHERE id = '{word}'"],
                          stdout=subprocess.PIPE, check=True)
    return [json.loads(blob(who, d)) for d in done.stdout.decode().strip().split("|")]


def top_layer(who, iid):
    """The members of the layer that was added, by name."""
    manifest, config = image_of(who, iid)
    data = gzip.decompress(blob(who, manifest["layers"][-1]["digest"]))
    assert sha(data) == config["rootfs"]["diff_ids"][-1]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name: (m, archive.extractfile(m).read() if m.isreg() else None)
                for m in archive}


def test_diff(anyone):
    changed(anyone)
    lines = anyone.inro("diff", "cc").ok().out.splitlines()
    assert lines == sorted(WANT, key=lambda line: line[2:].encode())
    found = json.loads(anyone.inro("container", "diff", "--format", "json", "cc").ok().out)
    assert set(found) == {"changed", "added", "deleted"}
    assert found["deleted"] == ["/old/again/hidden", "/old/gone", "/old/gonedir"]
    assert "/dir/ü" in found["added"]
    anyone.inro("diff", "nobody").fails("No such container: nobody")
    # The layer that a commit makes of it says the same, but of a directory with mount points.
    anyone.inro("commit", "--no-pause", "--change", "LABEL=a=b", "-c", "CMD=/bin/sh", "cc", "made:1").ok()
    for verb in (("diff",), ("image", "diff")):
        assert {*anyone.inro(*verb, "made:1").ok().out.splitlines()} - {"C /etc"} == {*lines}
    top = json.loads(anyone.inro("image", "diff", "--format", "json", "made:1").ok().out)
    assert top["added"] == found["added"] and top["deleted"] == found["deleted"]
    assert anyone.inro("inspect", "-f", "{{json .Config.Labels}} {{json .Config.Cmd}}", "made:1").ok().out == (
        '{"a":"b"} ["/bin/sh","-c","/bin/sh"]\n')
    box = engine.box(anyone)
    assert anyone.inro("image", "diff", box).ok().out.startswith("A /")
    anyone.inro("diff", "made:1", box).fails("two are not compared", code=125)
    anyone.inro("image", "diff", "nobody").fails("No such image: nobody")


def test_diff_of_nothing(anyone):
    """Mount points are the runtime's work, and reading changes nothing."""
    changed(anyone, "idle", "cat /etc/passwd /old/kept; ls -lR /old; ls /proc /sys /dev")
    assert anyone.inro("diff", "idle").ok().out == ""
    assert anyone.inro("diff", "--format", "json", "idle").ok().out == "{}\n"
    changed(anyone, "meta", "touch -d @5 /old/keptdir")
    assert anyone.inro("diff", "meta").ok().out.splitlines() == ["C /old", "C /old/keptdir"]


def test_layer_of_commit(anyone):
    changed(anyone)
    iid = anyone.inro("commit", "cc", "made:1").ok().out.strip()
    members = top_layer(anyone, iid)
    assert members["old/.wh.gone"][0].size == 0 and "old/.wh.gonedir" in members
    assert "old/again/.wh..wh..opq" in members and members["old/again/new"][1] == b"y\n"
    assert members["old/type"][0].isdir() and "old/kept" not in members
    assert members["old/changed"][1] == b"amore\n"
    assert members["old/moded"][0].mode == 0o751
    assert (members["old/owned"][0].uid, members["old/owned"][0].gid) == (11, 12)
    first, second = members["dir/hard"][0], members["dir/sub/file"][0]
    assert (first.isreg(), second.islnk(), second.linkname) == (True, True, "dir/hard")
    assert first.mode == 0o4755
    assert members["link"][0].linkname == "/etc/passwd" and members["fifo"][0].isfifo()
    assert members["dir/dated"][0].mtime == 1234567890
    assert "dir/ü" in members and "dir/" + "n" * 150 in members
    assert members["added"][0].mtime % 1 != 0
    # No mount point, no overlay attribute.
    assert not {"proc/x", "etc/resolv.conf", "etc/hosts", "dev/console"} & set(members)
    assert not [k for m, _ in members.values() for k in m.pax_headers if "overlay" in k]


def test_image_of_commit_is_what_the_container_was(anyone):
    changed(anyone)
    anyone.inro("commit", "-q", "cc", "made:1").ok()
    look = ('cd /; find added dir old link fifo | sort | while read -r f; '
            'do stat -c "%n %F %a %u %g %s %h %Y" "$f"; done')
    anyone.inro("commit", "cc", "again:1").ok()
    there = anyone.inro("run", "--rm", "made:1", "sh", "-c", look).ok().out
    assert "old/again/new" in there and "hidden" not in there and "gone" not in there
    assert there == anyone.inro("run", "--rm", "again:1", "sh", "-c", look).ok().out
    # What goes out and comes in again is the same.
    anyone.inro("save", "-o", anyone.dir / "made.tar", "made:1").ok()
    anyone.inro("rmi", "-f", "made:1", "again:1").ok()
    anyone.inro("load", "-i", anyone.dir / "made.tar").ok()
    assert there == anyone.inro("run", "--rm", "made:1", "sh", "-c", look).ok().out


def test_config_of_commit(anyone):
    changed(anyone, "cc", "exit 0", "-e", "OWN=1", "-w", "/tmp", "--label", "a=b", "-p",
            "8080:90/udp", "--expose", "70")
    path = anyone.dir / "iid"
    iid = anyone.inro("commit", "-a", "Me <me@example.com>", "-m", "what I did", "--iidfile", path,
                      "-c", "ENV X=y", "-c", 'CMD ["true"]', "-c", "ONBUILD RUN x", "-c",
                      "EXPOSE 80", "cc", "example.com/made:2").ok().out.strip()
    assert path.read_text() == iid
    manifest, config = image_of(anyone, iid)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"]) == 3
    run = config["config"]
    assert run["Cmd"] == ["true"] and run["WorkingDir"] == "/tmp" and run["Labels"] == {"a": "b"}
    assert {"OWN=1", "X=y"} <= set(run["Env"]) and not [e for e in run["Env"] if "HOSTNAME" in e]
    assert run["OnBuild"] == ["RUN x"]
    assert sorted(run["ExposedPorts"]) == ["70/tcp", "80/tcp", "90/udp"]
    last = config["history"][-1]
    assert last["author"] == config["author"] == "Me <me@example.com>"
    assert last["comment"] == "what I did" and last["created_by"] == "sh -c exit 0"
    assert last["created"] == config["created"]
    docker = anyone.inro("commit", "-f", "docker", "cc").ok().out.strip()
    manifest, config = image_of(anyone, docker)
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert {layer["mediaType"] for layer in manifest["layers"]} == {
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar"}
    assert config["config"]["Cmd"] == ["sh", "-c", "exit 0"]
    for bad in ("RUN x", "WORKDIR relative", "ENV", "EXPOSE nothing/x"):
        anyone.inro("commit", "-c", bad, "cc", "bad:1").fails()
    assert "\nbad " not in anyone.inro("images").ok().out
    anyone.inro("commit", "cc", "Bad:Name").fails("invalid image reference")


def test_more_ports_than_an_image_can_expose(root):
    base(root)
    root.inro("create", "--name", "many", "-p", "1-5000:1-5000/udp", "base:1", "true").ok()
    r = root.inro("commit", "many").ok()
    assert "exposes 4096 of the ports" in r.err
    ports = image_of(root, r.out.strip())[1]["config"]["ExposedPorts"]
    assert len(ports) == 4096 and "4096/udp" in ports


def test_init_is_not_the_images(root):
    changed(root, "ii", "exit 0", "--init")
    iid = root.inro("commit", "ii").ok().out.strip()
    assert image_of(root, iid)[1]["config"]["Cmd"] == ["sh", "-c", "exit 0"]


def test_reproducible(root):
    changed(root, "one")
    changed(root, "two")
    ids = {root.inro("commit", "--timestamp", "1000", c).ok().out for c in ("one", "two")}
    assert len(ids) == 1
    members = top_layer(root, ids.pop().strip())
    assert {m.mtime for m, _ in members.values()} == {1000}
    iid = root.inro("commit", "one", env={"SOURCE_DATE_EPOCH": "1500000000"}).ok().out.strip()
    _, config = image_of(root, iid)
    assert config["created"].startswith("2017-07-14T02:40:00")
    members = top_layer(root, iid)
    assert members["dir/dated"][0].mtime == 1234567890 and members["added"][0].mtime == 1500000000


def test_running_container_is_paused(root):
    client = engine.start(root, "--name", "busy", base(root), "sh", "-c",
                          "echo here >/here; echo ready; i=0; while :; do i=$((i+1)); "
                          "echo $i >/a; echo $i >/b; done")
    try:
        for _ in range(3):
            iid = root.inro("commit", "busy").ok().out.strip()
            members = top_layer(root, iid)
            assert members["here"][1] == b"here\n"
        iid = root.inro("commit", "--pause=false", "busy").ok().out.strip()
        assert "here" in top_layer(root, iid)
        assert "C /old" not in root.inro("diff", "busy").ok().out
        out = root.inro("export", "busy", stdout=subprocess.PIPE).ok()
        assert "here" in out.out
        # It goes on.
        assert root.inro("ps", "--format", "json").ok().out.count("Up ") == 1
    finally:
        root.inro("rm", "-f", "busy").ok()
        client.communicate(timeout=20)


def test_running_container_that_has_no_freezer(user):
    """As on cgroup v1, or with nothing delegated: it is done if nobody asks for the pause."""
    client = engine.start(user, "--name", "busy", base(user), "sh", "-c",
                          "echo here >/here; echo ready; exec sleep 1000")
    try:
        if user.inro("pause", "busy").code == 0:
            harness.machine_cannot("be without a freezer")
        for asked in "--pause", "-p", "--pause=true":
            user.inro("commit", asked, "busy").fails("it can't be paused", code=125)
        done = user.inro("commit", "busy").ok()
        assert "busy can't be paused here" in done.err
        assert top_layer(user, done.out.strip())["here"][1] == b"here\n"
    finally:
        user.inro("rm", "-f", "busy").ok()
        client.communicate(timeout=20)


def test_names_that_no_layer_can_hold(anyone):
    changed(anyone, "cc", "touch /tmp/.wh.foo")
    anyone.inro("commit", "cc", "made:1").fails("/tmp/.wh.foo", "stands for a file that is removed")
    assert "made" not in anyone.inro("images").ok().out
    assert os.listdir(anyone.state / "inro/staging") == []
    assert "A /tmp/.wh.foo" in anyone.inro("diff", "cc").ok().out


def test_levels_of_directories(anyone):
    script = 'i=0; while [ $i -lt %d ]; do mkdir d; cd d; i=$((i+1)); done; echo x >f'
    changed(anyone, "deep", script % 199)
    iid = anyone.inro("commit", "deep").ok().out.strip()
    assert top_layer(anyone, iid)["d/" * 199 + "f"][1] == b"x\n"
    assert "A " + "/d" * 199 + "/f" in anyone.inro("diff", "deep").ok().out.splitlines()
    anyone.inro("export", "-o", "/dev/null", "deep").ok()
    changed(anyone, "deeper", script % 210)
    for verb in ("commit", "diff"):
        anyone.inro(verb, "deeper").fails("more than 200 levels of directories")


def test_export(anyone):
    changed(anyone)
    path = anyone.dir / "out.tar"
    anyone.inro("export", "-o", path, "cc").ok()
    with tarfile.open(path) as archive:
        members = {m.name: m for m in archive}
        assert archive.extractfile("old/changed").read() == b"amore\n"
        assert archive.extractfile("old/kept").read() == b"h"
    assert "old/gone" not in members and "old/gonedir" not in members
    assert "old/again/hidden" not in members and "old/again/new" in members
    assert not [n for n in members if ".wh." in n]
    assert stat.S_IMODE(members["dir/hard"].mode) == 0o4755
    assert (members["old/owned"].uid, members["bin/busybox"].uid) == (11, 0)
    assert [n for n in members if n.startswith("proc/")] == []
    # Back in as an image, and by standard output.
    anyone.inro("import", path, "flat").ok()
    assert anyone.inro("run", "--rm", "flat", "cat", "/added").ok().out == "new\n"
    with open(anyone.dir / "piped", "wb") as out:
        anyone.inro("export", "cc", stdout=out).ok()
    assert (anyone.dir / "piped").read_bytes() == path.read_bytes()


def test_host_is_refused(root):
    root.inro("run", "--name", "hh", "host", "true").ok()
    for verb in ("diff", "export", "commit"):
        root.inro(verb, "hh", stdout=subprocess.PIPE).fails("image host")


CAP = bytes.fromhex("0100000200200000000000000000000000000000")


def members_of(path):
    with tarfile.open(path) as archive:
        return {m.name: m for m in archive}


@pytest.mark.parametrize("running", [False, True])
def test_a_user_namespace_of_its_own(root, running):
    """Out here the files belong to other ids than the container sees."""
    script = CHANGES + "cp /bin/busybox /tool; echo ready; [ -z \"$1\" ] || sleep 100"
    options = ("--name", "uu", "--userns", "private", base(root), "sh", "-c", script, "sh")
    client = engine.start(root, *options, "stay") if running else root.inro("run", *options).ok()
    try:
        upper = root.state / "inro/containers" / engine.containers(root)[0] / "upper"
        owner = (upper / "added").stat().st_uid
        assert owner >= 65536
        # as the kernel keeps it when the container's root sets it: with whose root that is
        os.setxattr(upper / "tool", "security.capability",
                    CAP[:3] + b"\3" + CAP[4:] + owner.to_bytes(4, "little"))
        lines = root.inro("diff", "uu").ok().out.splitlines()
        assert lines == sorted([*WANT, "A /tool"], key=lambda line: line[2:].encode())
        iid = root.inro("commit", "uu", "made:1").ok().out.strip()
        root.inro("export", "-o", root.dir / "out.tar", "uu").ok()
    finally:
        if running:
            root.inro("rm", "-f", "uu").ok()
            client.communicate(timeout=20)
    members = {name: m for name, (m, _) in top_layer(root, iid).items()}
    exported = members_of(root.dir / "out.tar")
    for found in (members, exported):
        assert {m.uid for m in found.values()} <= {0, 11}
        assert (found["old/owned"].uid, found["old/owned"].gid) == (11, 12)
        assert found["tool"].pax_headers["SCHILY.xattr.security.capability"].encode(
            "utf-8", "surrogateescape") == CAP
        assert found["dir/hard"].mode == 0o4755
    assert "old/.wh.gone" in members and "old/kept" not in members
    assert "old/gone" not in exported and exported["bin/busybox"].uid == 0
    # And as an image it gives the same to a container without.
    look = "stat -c '%u %g %a' /old/owned /added /dir/hard"
    want = root.inro("run", "--rm", "--userns", "private", "made:1", "sh", "-c", look).ok().out
    assert root.inro("run", "--rm", "made:1", "sh", "-c", look).ok().out == want


def test_userns_host_of_a_user_is_the_users_own(user):
    """As podman: there is no other that it could have."""
    ids = "cat /proc/self/uid_map"
    name = base(user)
    assert (user.inro("run", "--rm", "--userns", "host", name, "sh", "-c", ids).ok().out ==
            user.inro("run", "--rm", name, "sh", "-c", ids).ok().out)
    changed(user, "hh", CHANGES, "--userns", "host")
    iid = user.inro("commit", "hh").ok().out.strip()
    members = top_layer(user, iid)
    assert (members["old/owned"][0].uid, members["added"][0].uid) == (11, 0)


def test_capabilities_and_attributes_come_along(root):
    changed(root, "cc", "cp /bin/busybox /tool; touch /noted")
    cid = root.inro("ps", "-aq", "--no-trunc").ok().out.strip()
    upper = root.state / "inro/containers" / cid / "upper"
    cap = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(upper / "tool", "security.capability", cap)
    os.setxattr(upper / "noted", "user.note", b"a\0=\nb")
    os.setxattr(upper / "noted", "trusted.own", b"x")
    os.mknod(upper / "node", 0o20640, os.makedev(5, 300))
    with open(upper / "sparse", "wb") as file:
        file.truncate(3 << 20)
    iid = root.inro("commit", "cc", "made:1").ok().out.strip()
    members = top_layer(root, iid)
    headers = members["noted"][0].pax_headers
    assert headers["SCHILY.xattr.user.note"] == "a\0=\nb" and "SCHILY.xattr.trusted.own" not in headers
    assert (members["node"][0].devmajor, members["node"][0].devminor) == (5, 300)
    assert members["sparse"][0].size == 3 << 20
    layer = root.state / "inro/layers" / image_of(root, iid)[1]["rootfs"]["diff_ids"][-1][7:] / "fs"
    assert os.getxattr(layer / "tool", "security.capability") == cap


def test_umoci_unpacks_what_export_gives(root):
    """The image as another tool puts it together, and the container as it was."""
    if not shutil.which("umoci"):
        harness.machine_cannot("umoci is not installed")
    changed(root, "cc")
    root.inro("commit", "cc", "made:1").ok()
    root.inro("save", "--format", "oci-dir", "-o", root.dir / "lay", "made:1").ok()
    root.run("umoci", "unpack", "--image", "lay:1", "bundle").ok()
    (root.dir / "tree").mkdir()
    export = root.popen(*root.inro_argv("export", "cc"), stdout=subprocess.PIPE)
    root.run("tar", "-C", root.dir / "tree", "--xattrs", "--xattrs-include=*", "--numeric-owner",
             "-xpf", "-", stdin=export.stdout).ok()
    assert export.wait(10) == 0
    theirs, ours = ({path: {k: one[k] for k in ("mode", "perm", "owner", "mtime", "data", "target",
                                                "nlink") if k in one and
                            not (k == "nlink" and one["mode"][0] == "d")}
                     for path, one in look(root.dir / tree).items()}
                    for tree in ("bundle/rootfs", "tree"))
    # What the runtime made to mount on it is in the container, and no part of the image.
    mounts = [p for p in ours if p not in theirs]
    assert {m.split(b"/")[0] for m in mounts} <= {b"dev", b"proc", b"sys", b"etc"}
    for path, one in theirs.items():
        if any(m.rpartition(b"/")[0] == (b"" if path == b"." else path) for m in mounts):
            continue
        assert one == ours[path], path
