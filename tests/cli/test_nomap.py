# SPDX-License-Identifier: Apache-2.0
"""`--userns nomap`: the user is nobody in the container, whose ids are his subordinate ones."""

import json
import os

import engine

OWNERS = "stat -c %u / /etc /bin/busybox /etc/hosts /vol /image /src /src/mine"


def box_and_files(user):
    src = user.dir / "src"
    src.mkdir(mode=0o700)  # nobody but the user gets at what is in there, but that is no matter
    (src / "dir").mkdir()
    (src / "dir/mine").write_text("x")
    (src / "dir/mine").chmod(0o600)
    for path in (src, src / "dir", src / "dir/mine"):
        user.own(path)
    return engine.box(user), src / "dir"


def test_files(user):
    """What the container writes stays its own, and what is the user's it can't get at."""
    box, src = box_and_files(user)
    show = (f"{OWNERS}; cat /src/mine; touch /src/new; echo x > /etc/hosts; touch /vol/x /image/x; "
            "mkdir /made; chown 7:8 /made; stat -c %u /made")
    options = ["-v", f"{src}:/src", "-v", "new:/vol", "-v", "etc:/image", "-v", "etc:/etc"]
    made = user.inro("run", "--userns", "nomap", "--name", "away", *options, box, "sh", "-c", show)
    assert made.ok().out.split() == ["0"] * 6 + ["65534"] * 2 + ["7"]
    assert made.err.count("Permission denied") == 2 and not (src / "new").exists()
    again = user.inro("start", "-a", "away")
    assert again.out.split() == made.out.split() and "/made: File exists" in again.err.replace("'", "")
    host = json.loads(user.inro("inspect", "away").ok().out)[0]["HostConfig"]
    assert host["UsernsMode"] == "nomap"
    assert not any(f":{user.uid}:" in line for line in host["IDMappings"]["UidMap"])

    assert "A /made\n" in user.inro("diff", "away").ok().out
    user.inro("export", "-o", user.dir / "out.tar", "away").ok()
    user.inro("commit", "away", "next").ok()
    out = user.inro("run", "--rm", "next", "stat", "-c", "%u:%g", "/made").ok().out
    assert out == "7:8\n"
    user.inro("cp", "away:/etc/passwd", user.dir / "copy").ok()
    user.inro("create", "--userns", "nomap", "--name", "later", box, "stat", "-c", "%u", "/tmp/c").ok()
    user.inro("cp", user.dir / "copy", "later:/tmp/c").ok()
    assert user.inro("start", "-a", "later").ok().out == "0\n"
    user.inro("system", "check").ok()
    user.inro("rm", "away", "later").ok()
    assert not list((user.state / "inro/containers").iterdir())


def test_running(user):
    """Others join it, and what comes and goes while it runs."""
    box, src = box_and_files(user)
    user.inro("run", "-d", "--userns", "nomap", "--name", "one", box, "sleep", "1000").ok()
    assert user.inro("exec", "-u", "7", "one", "id", "-u").ok().out == "7\n"
    user.inro("cp", src / "mine", "one:/tmp/copy").ok()
    user.inro("update", "--mount-add", f"type=bind,src={src},dst=/src", "--mount-add",
              "type=volume,src=added,dst=/vol", "--mount-add", f"type=image,src={box},dst=/image",
              "one").ok()
    out = user.inro("exec", "one", "stat", "-c", "%u", "/src/mine", "/vol", "/image/bin", "/tmp/copy")
    assert out.ok().out.split() == ["65534", "0", "0", "0"]
    out = user.inro("run", "--rm", "--userns", "container:one", "-v", f"{src}:/src",
                    "--mount", f"type=image,src={box},dst=/image", box,
                    "stat", "-c", "%u", "/src/mine", "/image/bin", "/bin").ok().out
    assert out.split() == ["65534", "0", "0"]
    user.inro("secret", "create", "word", "-", input="x").ok()
    out = user.inro("run", "--rm", "--userns", "nomap", "--secret", "word,mode=0400", box, "sh", "-c",
                    "stat -c '%u %a' /run/secrets/word; cat /run/secrets/word").ok().out
    assert out == "0 400\nx"
    out = user.inro("run", "--rm", "--userns", "nomap", "--user", "4242", "--passwd-entry", "x:x:4242:0::/:/bin/sh",
                    box, "sh", "-c", "whoami; stat -c %u /etc /etc/passwd").ok().out.split()
    assert out == ["x", "0", "0"]
    for words in (["-v", f"{src}:/src:O"], ["--mount", f"type=image,src={box},dst=/image,rw=true"]):
        user.inro("run", "--rm", "--userns", "nomap", *words, box, "true").fails(
            "cannot write to an overlay", "mount it read-only", code=125)


def test_pod(user):
    """Members share the namespace, and with keep-id are run as the user."""
    box = engine.box(user)
    own = str(user.uid)
    for word, ids in (("nomap", ["0", "0"]), ("keep-id", [own, own]), ("keep-id:uid=5,gid=6", ["5", "5"])):
        user.inro("pod", "create", "--userns", word, "--share", "uts", "p").ok()
        user.inro("run", "-d", "--pod", "p", "--name", "one", box, "sleep", "1000").ok()
        out = user.inro("run", "--rm", "--pod", "p", "-v", "v:/vol:U", box, "sh", "-c",
                        "id -u; stat -c %u /vol; readlink /proc/self/ns/user").ok().out.split()
        assert out[:2] == ids
        assert user.inro("exec", "one", "readlink", "/proc/self/ns/user").ok().out.strip() == out[2]
        user.inro("pod", "clone", "--name", "copy", "p").ok()
        assert user.inro("run", "--rm", "--pod", "copy", box, "id", "-u").ok().out == ids[0] + "\n"
        user.inro("pod", "rm", "-t", "0", "-f", "p", "copy").ok()
        user.inro("volume", "rm", "v").ok()
    user.inro("create", "--pod", "new:made", "--userns", "nomap", "--name", "two", box, "cat",
              "/proc/self/uid_map").ok()
    assert user.inro("start", "-a", "two").ok().out.split()[1] not in ("0", own)


def test_root(root):
    """Who makes root's containers is in them all."""
    for words in (["run", "--rm", "--userns", "nomap", engine.box(root), "true"],
                  ["pod", "create", "--userns", "nomap"]):
        root.inro(*words).fails("root is in each; use auto", code=125)
    assert not os.listdir(root.state / "inro/containers")
