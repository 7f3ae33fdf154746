# SPDX-License-Identifier: Apache-2.0
"""`--userns keep-id`: a user's files are the user's in the container too, and those of the image
have the owners that the image gives them."""

import fcntl
import json
import os
import signal
import tarfile

import engine
import harness
from layers import docker_archive, entry, hardlink, tar


def test_files(user):
    """Whose what is, inside and out, at the first start and the second."""
    box, src, own = engine.box(user), user.dir / "src", str(user.uid)
    src.mkdir()
    user.own(src)
    show = ("id -u; id -g; stat -c %u /src / /etc /bin/busybox /etc/hosts /vol/passwd;"
            " touch /src/new /tmp/new; stat -c %u /tmp/new")
    want = [own, str(user.gid), own, "0", "0", "0", "0", "0", own]
    made = user.inro("run", "--userns", "keep-id", "--name", "kept", "-v", f"{src}:/src",
                     "-v", "files:/etc", "-v", "files:/vol", box, "sh", "-c", show).ok()
    assert made.out.split() == want
    assert (src / "new").stat().st_uid == user.uid
    assert user.inro("start", "-a", "kept").ok().out.split() == want
    assert "A /tmp/new\n" in user.inro("diff", "kept").ok().out
    info = json.loads(user.inro("inspect", "kept").ok().out)[0]["HostConfig"]
    assert info["UsernsMode"] == "keep-id"
    assert f"{own}:{own}:1" in info["IDMappings"]["UidMap"]

    user.inro("export", "-o", user.dir / "out.tar", "kept").ok()
    with tarfile.open(user.dir / "out.tar") as tree:
        owners = {m.name.strip("./"): m.uid for m in tree}
    assert owners["tmp/new"] == user.uid and owners["bin/busybox"] == 0
    user.inro("cp", "kept:/bin/busybox", user.dir / "copy").ok()
    user.inro("cp", user.dir / "copy", "kept:/tmp/copy").ok()

    # An image of it has the owners that were seen in it, also in the user's own mapping.
    user.inro("commit", "kept", "next").ok()
    for options in ([], ["--userns", "keep-id"], ["--userns", "keep-id:uid=5,gid=6"]):
        out = user.inro("run", "--rm", *options, "next", "sh", "-c",
                        "stat -c %u /tmp/new /bin/busybox; id -u; id -g").ok().out.split()
        assert out[:2] == [own, "0"]
        assert out[2:] == (["0", "0"] if not options else
                           ["5", "6"] if "uid" in options[1] else [own, str(user.gid)])

    # Who joins its user namespace has its ids; the image's say in the user is over.
    user.inro("run", "-d", "--userns", "keep-id", "--name", "one", box, "sleep", "1000").ok()
    out = user.inro("run", "--rm", "--userns", "container:one", "-v", f"{src}:/src", box, "sh",
                    "-c", "stat -c %u /src /bin/busybox").ok().out
    assert out.split() == [own, "0"]
    assert user.inro("exec", "-u", "0", "one", "id", "-u").ok().out == "0\n"
    assert user.inro("exec", "one", "id", "-u").ok().out == own + "\n"


def test_closed(user):
    """What belongs to the container's root alone, the user's commands get at all the same."""
    box = engine.box(user)
    options = ["--userns", "keep-id", "--user", "0", "--passwd=false"]
    user.inro("run", *options, "--name", "closed", box, "chmod", "700", "/").ok()
    user.inro("start", "-a", "closed").ok()
    user.inro("cp", "closed:/etc/passwd", user.dir / "copy").ok()
    assert (user.dir / "copy").read_text() == engine.PASSWD
    user.inro("cp", user.dir / "copy", "closed:/tmp/copy").ok()
    assert "A /tmp/copy\n" in user.inro("diff", "closed").ok().out
    # Root of the image is in group 10, too.
    user.inro("run", "--rm", "--userns", "keep-id:size=3", "--user", "0", box, "true").fails(
        "supplementary groups", "not mapped", code=125)
    # What overlayfs has left in its work directory, of one that is to be mounted "volatile".
    user.inro("create", "--rm", *options, "--name", "brief", box, "cat", "/tmp/copy").ok()
    user.inro("cp", user.dir / "copy", "brief:/tmp/copy").ok()
    assert user.inro("start", "-a", "brief").ok().out == engine.PASSWD


def test_interrupted(user):
    """Nobody has to wait for the trees, nor for who makes them."""
    box = engine.box(user)
    layer, = (user.state / "inro/layers").iterdir()
    other = os.open(layer, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    argv = user.inro_argv("run", "--rm", "--userns", "keep-id", box, "true")
    client = user.popen(*argv, stderr=-1)
    harness.wait_for(lambda: user.inro("ps", "-aq").ok().out)
    client.send_signal(signal.SIGINT)
    assert b"interrupted by signal 2 (INT)" in client.communicate(timeout=20 * harness.PATIENCE)[1]
    assert client.returncode == 125 and user.inro("ps", "-aq").ok().out == ""
    assert not list(layer.glob("maps/*")) and not list((user.state / "inro/staging").iterdir())
    os.close(other)
    user.run(*argv).ok()


def test_trees(user):
    """What a layer can hold comes out the same, and goes with the image."""
    below = tar(entry("d/", uid=7, gid=8, mode=0o750), entry("d/below", "x", uid=7),
                entry("e/"), entry("e/hidden", "x"), entry("gone", "x"),
                entry("implied/", uid=9, gid=9, mode=0o711),
                entry("suid", "x", uid=3, mode=0o4755), hardlink("linked", "suid"))
    tools = tar(entry("bin/"), *((i, d) for i, d in _tools(user)))
    above = tar(entry(".wh.gone"), entry("e/.wh..wh..opq"), entry("e/seen", "x"),
                entry("implied/file", "x", uid=1000, gid=1000))
    user.inro("load", "-q", input=docker_archive([below, tools, above])).ok()
    show = ("busybox find / -xdev ! -path '/dev*' ! -path '/etc*' ! -path /proc ! -path /sys "
            "-exec busybox stat -c '%n %u:%g %a %h %Y' {} +")
    options = ["--rm", "--user", "0", "--entrypoint", "/bin/busybox", "-v", "/etc"]
    want = user.inro("run", *options, "example.com/made:1", "sh", "-c", show).ok().out
    lines = want.splitlines()
    assert any(line.startswith("/implied 9:9 711") for line in lines)
    assert any(line.startswith("/suid 3:0 4755 2") for line in lines) and "/gone" not in want
    got = user.inro("run", "--userns", "keep-id", *options, "example.com/made:1", "sh", "-c", show)
    mine = [line for line in got.ok().out.splitlines() if not line.startswith("/ ")]
    assert mine == [line for line in lines if not line.startswith("/ ")]

    stored = user.state / "inro/layers"
    few = ["--userns", "keep-id:size=5", *options, "example.com/made:1", "true"]
    user.inro("run", *few).fails("giving", "to 7:8: Invalid argument", "give a larger size=", code=125)
    user.inro("image", "prune", "-f").ok()  # what there was until then
    user.inro("run", "--userns", "keep-id", *options, "example.com/made:1", "true").ok()
    assert len(list(stored.glob("*/maps/*/fs"))) == 3
    assert len(list(stored.glob("*/shims/*/maps/*/fs"))) == 1
    assert not list((user.state / "inro/staging").iterdir())
    user.inro("system", "check").ok()
    user.inro("rmi", "example.com/made:1").ok()
    assert not list(stored.iterdir())


def _tools(user):
    with tarfile.open(engine.rootfs_tar(user)) as archive:
        for member in archive:
            if "bin/busybox" in member.name:
                member.name, member.uid, member.gid = "bin/busybox", 0, 0
                yield member, archive.extractfile(member).read()


def _old_mark(user, of, name):
    """As a power cut leaves it."""
    path = user.state / "inro/unsynced" / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to("00000000-0000-0000-0000-000000000000.1")
    os.chown(path, of.stat().st_uid, -1, follow_symlinks=False)
    return path


def test_store(user):
    """Trees are counted and checked, and go when no container has their mapping any more."""
    box = engine.box(user)
    user.inro("run", "--userns", "keep-id", "--name", "kept", box, "true").ok()
    layer, = (user.state / "inro/layers").iterdir()
    kept, = layer.glob("maps/*")
    user.inro("run", "--rm", "--userns", "nomap", box, "true").ok()
    df = user.inro("system", "df", "--format", "{{.Type}}:{{.TotalCount}}:{{.Active}}").ok().out
    assert "Image Mappings:2:1\n" in df
    text = (kept / "about").read_text().split("\n")[0]
    assert f"{layer.name[:12]}   {text}" in user.inro("system", "df", "-v").ok().out
    # What was not on the disk counts again when it is whole, and is not heard of when it is gone.
    mark = _old_mark(user, kept, f"map-{kept.name}-{layer.name}")
    gone = _old_mark(user, kept, f"map-{'0' * 64}-{layer.name}")
    assert "unsynced/map-000" in user.inro("system", "check", "--repair").ok().out
    assert not os.path.lexists(mark) and not os.path.lexists(gone)

    (kept / "fs/etc/passwd").write_text("x")
    problem = f"its files for the mapping {text.split(';')[0]} differ in /etc/passwd"
    found = user.inro("system", "check")
    assert problem in found.out and found.code == 125
    assert f"{problem}: removed" in user.inro("system", "check", "--repair").ok().out
    assert not kept.exists()
    user.inro("start", "-a", "kept").ok()
    assert kept.exists()
    user.inro("system", "check").ok()

    user.inro("image", "prune", "-f").ok()
    assert list(layer.glob("maps/*")) == [kept]
    user.inro("start", "-a", "kept").ok()
    user.inro("rm", "kept").ok()
    assert user.inro("image", "prune", "-f").ok().out != "Total reclaimed space: 0B\n"
    assert not list(layer.glob("maps/*")) and not list((user.state / "inro/staging").iterdir())
    assert "Image Mappings" not in user.inro("system", "df").ok().out
    user.inro("run", "--rm", "--userns", "keep-id", box, "true").ok()


def test_root(root):
    """Each id is as it is, in a user namespace of its own."""
    out = root.inro("run", "--rm", "--userns", "keep-id", engine.box(root), "sh", "-c",
                    "stat -c %u /etc/passwd; readlink /proc/self/ns/user; "
                    "cat /proc/self/uid_map").ok().out.split()
    assert out[0] == "0" and out[2:] == ["0", "0", "4294967295"]
    for word, message in (("keep-id:uid=x", "expected keep-id"), ("keep-id:u=1", "unknown option"),
                          ("keep-id:size=0", "unknown option")):
        root.inro("run", "--rm", "--userns", word, "box", "true").fails(message, code=125)
