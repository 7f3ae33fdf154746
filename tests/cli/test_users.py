# SPDX-License-Identifier: Apache-2.0
"""Users that a container's /etc/passwd and /etc/group have besides those of the image."""

import json
import os
import pathlib
import subprocess
import tarfile

import engine
from layers import docker_archive, entry, tar

TURNS = True


def run(who, *args):
    return who.inro("run", "--rm", *args).ok().out


def test_number(anyone):
    """Who is run as a number has a name, a home and a shell; the image's lines stay."""
    box = engine.box(anyone)
    show = ("cat /etc/passwd; echo; cat /etc/group; echo; id -un; echo $HOME;"
            " stat -c '%a %u %g' /etc /etc/passwd /etc/group")
    passwd, group, rest = run(anyone, "-u", "4242:4343", "-w", "/tmp", box, "sh", "-c",
                              show).split("\n\n")
    assert passwd == engine.PASSWD + "4242:*:4242:4343:container user:/tmp:/bin/sh"
    assert group == engine.GROUP + "4343:x:4343:4242"
    assert rest.split("\n")[:-1] == ["4242", "/tmp", "755 0 0", "644 0 0", "644 0 0"]
    # Nothing is added for who is known, nor for whose group is.
    for user in ("alice", "1000", "0", "root:staff", "1000:50"):
        assert run(anyone, "-u", user, box, "cat", "/etc/passwd", "/etc/group") \
            == engine.PASSWD + engine.GROUP
    assert run(anyone, "-u", "4242", box, "cat", "/etc/group") == engine.GROUP
    # The number of the image's user, too.
    numbered = engine.box(anyone, "numbered", "USER 4242:staff", "WORKDIR /var")
    assert run(anyone, numbered, "sh", "-c", "tail -n 1 /etc/passwd; tail -n 1 /etc/group") == (
        "4242:*:4242:50:container user:/var:/bin/sh\nnogroup:x:65534:\n")
    assert run(anyone, "--read-only", "-u", "7", box, "id", "-un") != ""


def test_name_of_this_machine(anyone):
    """A number that somebody has here is called like that, unless the image has the name."""
    box = engine.box(anyone)
    line, = (line for line in pathlib.Path("/etc/passwd").read_text().splitlines()
             if line.startswith("games:"))
    uid, gid, gecos, home = line.split(":")[2:6]
    assert run(anyone, "-u", uid, box, "tail", "-n", "1", "/etc/passwd") \
        == f"games:*:{uid}:0:{gecos}:/:/bin/sh\n"
    for word in ("games", uid):
        assert run(anyone, "--hostuser", word, "--hostuser", "root", "-v", f"vol:{home}", "-u",
                   "games", box, "sh", "-c", "tail -n 2 /etc/passwd; id -u; echo ~") == (
                       engine.PASSWD.splitlines()[-1]
                       + f"\ngames:*:{uid}:{gid}:{gecos}:{home}:/bin/sh\n{uid}\n{home}\n")
    anyone.inro("run", "--rm", "--hostuser", "nobody-here", box, "true").fails(
        "--hostuser nobody-here: no such user in this machine's /etc/passwd", code=125)
    assert not engine.containers(anyone)


def test_lines_as_asked(anyone):
    box = engine.box(anyone)
    out = run(anyone, "-u", "4242:4343", "-w", "/tmp", "--passwd-entry",
              "me-$USERNAME:x:$UID:$GID:$NAME:$HOME:/bin/ash", "--group-entry",
              "g$GROUPNAME:x:$GID:$USERLIST,root", box, "sh", "-c",
              "tail -n 1 /etc/passwd; tail -n 1 /etc/group")
    assert out == "me-4242:x:4242:4343:container user:/tmp:/bin/ash\ng4343:x:4343:4242,root\n"
    assert run(anyone, "--passwd=false", "-u", "4242:4343", box, "cat", "/etc/passwd",
               "/etc/group") == engine.PASSWD + engine.GROUP
    for options in (["--passwd-entry", "a\nroot2::0:0::/:/bin/sh"], ["--group-entry", ""],
                    ["--passwd=false", "--hostuser", "root"], ["--passwd=maybe"]):
        anyone.inro("run", "--rm", "-u", "4242", *options, box, "true").fails(code=125)
    # What an image says of its directory makes no line.
    evil = engine.box(anyone, "evil", "WORKDIR /tmp/x:0:0")
    assert run(anyone, "-u", "4242", evil, "tail", "-n", "1", "/etc/passwd") \
        == "4242:*:4242:0:container user:/:/bin/sh\n"


def test_it_is_no_change(anyone):
    """Not for diff and commit; for exec, cp, export, a second start and a copy it is there."""
    box, line = engine.box(anyone), "4242:*:4242:0:container user:/:/bin/sh\n"
    anyone.inro("create", "--name", "one", "-u", "4242", box, "sleep", "1000").ok()
    anyone.inro("cp", "one:/etc/passwd", anyone.dir / "before").ok()
    assert (anyone.dir / "before").read_text() == engine.PASSWD + line
    for _ in range(2):
        anyone.inro("start", "one").ok()
        assert anyone.inro("exec", "-u", "4242", "one", "sh", "-c", "id -un; id -g").ok().out \
            == "4242\n0\n"
        anyone.inro("kill", "one").ok()
        anyone.inro("wait", "one").ok()
    assert anyone.inro("diff", "one").ok().out == ""
    anyone.inro("export", "-o", anyone.dir / "out.tar", "one").ok()
    with tarfile.open(anyone.dir / "out.tar") as out:
        passwd, = (m for m in out if m.name.strip("./") == "etc/passwd")
        assert out.extractfile(passwd).read().decode() == engine.PASSWD + line
        assert (passwd.mode, passwd.uid, passwd.gid) == (0o644, 0, 0)
    anyone.inro("commit", "one", "next").ok()
    assert run(anyone, "--passwd=false", "next", "cat", "/etc/passwd") == engine.PASSWD
    info = json.loads(anyone.inro("inspect", "one").ok().out)[0]
    assert info["Config"]["Passwd"] is True and "--user" not in info["Config"]["Env"]
    anyone.inro("container", "clone", "one", "two").ok()
    anyone.inro("cp", "two:/etc/passwd", anyone.dir / "cloned").ok()
    assert (anyone.dir / "cloned").read_text() == engine.PASSWD + line
    anyone.inro("system", "check").ok()


def test_the_container_can_replace_it(anyone):
    """As useradd does: by renaming, which a file with a mount on it does not allow."""
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "one", "-u", "4242", box, "sleep", "1000").ok()
    anyone.inro("exec", "-u", "0", "one", "sh", "-c",
                "(cat /etc/passwd; echo new:x:77:77::/:/bin/sh) > /etc/passwd+ &&"
                " mv /etc/passwd+ /etc/passwd").ok()
    assert anyone.inro("exec", "-u", "new", "one", "id", "-u").ok().out == "77\n"
    assert anyone.inro("exec", "-u", "4242", "one", "id", "-un").ok().out == "4242\n"
    assert anyone.inro("diff", "one").ok().out == "C /etc\nC /etc/passwd\n"


def test_keep_id(user):
    """Who stays himself in the container is called so in there."""
    box, name = engine.box(user), user.name
    group = subprocess.run(["id", "-gn", name], capture_output=True, text=True, check=True)
    show = "id -un; id -gn; tail -n 1 /etc/passwd; stat -c %u:%g:%a /etc /etc/passwd; echo $HOME"
    gecos = [line.split(":")[4] for line in pathlib.Path("/etc/passwd").read_text().splitlines()
             if line.startswith(f"{name}:")][0]
    for ids, keep in ((f"{user.uid}:{user.gid}", "keep-id"), ("5:6", "keep-id:uid=5,gid=6")):
        user.inro("run", "--name", "kept", "--userns", keep, "-w", "/tmp", box, "sh", "-c",
                  show).ok()
        out = user.inro("start", "-a", "kept").ok().out.splitlines()
        assert out == [name, group.stdout.strip(), f"{name}:*:{ids}:{gecos}:/tmp:/bin/sh",
                       "0:0:755", "0:0:644", "/tmp"]
        assert user.inro("diff", "kept").ok().out == ""
        user.inro("rm", "kept").ok()
    out = run(user, "--userns", "keep-id", "-u", "4242", box, "tail", "-n", "2", "/etc/passwd")
    assert [line.split(":")[0] for line in out.splitlines()] == [name, "4242"]
    # Nor does it matter what others may do with the user's new files.
    out = user.run("sh", "-c", 'umask 077; exec "$@"', "sh", *user.inro_argv(
        "run", "--rm", "--userns", "nomap", "-u", "4242:4343", box, "sh", "-c",
        "id -un; tail -n 1 /etc/group; stat -c %u /etc /etc/passwd")).ok().out
    assert out == "4242\n4343:x:4343:4242\n0\n0\n"
    # Whoever it is run as, and all can be taken away.
    user.inro("create", "--name", "closed", "--userns", "keep-id", "-u", "0", box, "true").ok()
    user.inro("export", "-o", user.dir / "out.tar", "closed").ok()
    with tarfile.open(user.dir / "out.tar") as out:
        assert {m.uid for m in out if m.name.strip("./").startswith("etc")} == {0}
    user.inro("rm", "closed").ok()
    user.inro("system", "check").ok()


def test_root_directories(anyone):
    """--rootfs: the directory itself stays as it is."""
    tree = anyone.dir / "tree"
    tree.mkdir()
    subprocess.run(["tar", "-C", tree, "--no-same-owner", "-xf", engine.rootfs_tar(anyone)],
                   check=True)
    for top, dirs, files in os.walk(tree):
        for name in [".", *dirs, *files]:
            anyone.own(os.path.join(top, name))
    kinds = [[], ["--read-only"]] + ([] if anyone.rootless else [["--userns", "auto"]])
    for end in ("", ":O"):
        for options in kinds:
            if options[:1] == ["--userns"] and not end:
                end = ":idmap"
            out = run(anyone, "-u", "4242:4343", *options, "--rootfs", f"{tree}{end}", "sh", "-c",
                      "id -un; tail -n 1 /etc/group; stat -c '%u %g %a' /etc/passwd")
            assert out == "4242\n4343:x:4343:4242\n0 0 644\n"
    assert (tree / "etc/passwd").read_text() == engine.PASSWD


def test_ids_of_its_own(root):
    """--userns auto: the owners of the lines' files are the image's."""
    show = "id -un; stat -c '%u %g %a' /etc /etc/passwd /etc/group"
    for options in (["--userns", "auto"], ["--userns", "keep-id"], ["--uidmap", "0:100000:5000"]):
        assert run(root, *options, "-u", "4242:4343", engine.box(root), "sh", "-c", show) \
            == "4242\n0 0 755\n0 0 644\n0 0 644\n"


def test_hostile_images(anyone):
    """Links, a file without an end, a directory in its place, none at all: nothing is lost, nothing
    of this machine is read or written."""
    tools = engine.rootfs_tar(anyone)
    with tarfile.open(tools) as box:
        busybox = box.extractfile(next(m for m in box if m.name.endswith("bin/busybox"))).read()
    base = tar(entry("bin/", mode=0o755), entry("bin/busybox", busybox, mode=0o755))

    def last(*members):
        anyone.inro("load", "-q", input=docker_archive([base, tar(*members)])).ok()
        done = anyone.inro("run", "--rm", "-u", "4242", "--entrypoint", "/bin/busybox",
                           "example.com/made:1", "tail", "-n", "3", "/etc/passwd")
        return done.out, done.err

    line = "4242:*:4242:0:container user:/:/bin/sh\n"
    assert last(entry("x")) == (line, "")
    assert last(entry("etc/passwd", "a:x:1:1::/:/bin/sh")) == ("a:x:1:1::/:/bin/sh\n" + line, "")
    out, err = last(entry("etc/passwd", link="/proc/self/root/tmp/x"))
    assert line not in out and "is a link" in err
    out, err = last(entry("usr/etc/passwd", "b:x:1:1::/:/bin/sh\n"), entry("etc", link="usr/etc"))
    assert out == "b:x:1:1::/:/bin/sh\n" and "is a link" in err
    out, err = last(entry("etc/passwd/"))
    assert line not in out and "is a link, or can't be read" in err
