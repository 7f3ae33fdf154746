# SPDX-License-Identifier: Apache-2.0
"""`inro update --mount-add`, `--mount-rm`, `--device-add`, `--device-rm`: of containers that run."""

import json
import os
import pathlib
import shlex
import sqlite3
import subprocess
import time

import pytest

import engine
import harness
import test_runtime_cgroup2

TURNS = True
SLEEP = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")


@pytest.fixture
def web(anyone):
    """The user, with a running container "web" and a directory "src" with a file."""
    return begin(anyone)


def begin(who, *options):
    src = who.dir / "src"
    src.mkdir()
    (src / "file").write_text("from the host\n")
    for path in (src, src / "file"):
        who.own(path)
        path.chmod(0o755)
    who.inro("run", "-d", "--name", "web", *options, engine.box(who), *SLEEP).ok()
    return who


def sh(who, script):
    return who.inro("exec", "web", "sh", "-c", script)


def update(who, *args):
    return who.inro("update", *args, "web")


def mounts(who):
    text = who.inro("inspect", "--format", "{{json .Mounts}}", "web").ok().out
    return {m["Destination"]: m for m in json.loads(text)}


def config(who):
    path = who.inro("inspect", "--format", "{{.OCIConfigPath}}", "web").ok().out.strip()
    return json.loads(pathlib.Path(path).read_text())


def restart(who):
    who.inro("restart", "-t", "5", "web").ok()


def test_directory(web):
    src = web.dir / "src"
    update(web, "--mount-add", f"type=bind,source={src},target=/data/new").ok()
    assert sh(web, "cat /data/new/file; echo inside >/data/new/made").ok().out == "from the host\n"
    assert (src / "made").read_text() == "inside\n"
    assert mounts(web)["/data/new"]["Source"] == str(src)
    # in the container only, and what is mounted there later does not come here
    assert str(src) not in pathlib.Path("/proc/self/mountinfo").read_text()
    restart(web)
    assert sh(web, "cat /data/new/made").ok().out == "inside\n"
    assert update(web, "--mount-rm", "/data/new/").ok().out == "web\n"
    assert sh(web, "ls /data/new").ok().out == "" and "/data/new" not in mounts(web)
    restart(web)
    assert sh(web, "ls /data/new").ok().out == ""
    assert (src / "made").exists()


def test_read_only_and_several(web):
    src = web.dir / "src"
    update(web, "--mount-add", f"{src}:/ro:ro", "--mount-add", f"./src/file:/etc/one",
           "--mount-add", "type=tmpfs,target=/scratch,tmpfs-size=64k,tmpfs-mode=700").ok()
    sh(web, "echo no >/ro/file").fails("Read-only file system")
    assert sh(web, "cat /ro/file /etc/one").ok().out == "from the host\n" * 2
    assert sh(web, "stat -c %a /scratch; df -k /scratch | tail -n 1 | awk '{print $2}'").ok().out \
        == "700\n64\n"
    assert not mounts(web)["/ro"]["RW"]
    update(web, "--mount-rm", "/scratch", "--mount-rm", "/etc/one").ok()
    assert sh(web, "cat /etc/one; grep -c scratch /proc/mounts").out == "0\n"
    update(web, "--mount-rm", "/ro", "--mount-add", f"{src}:/ro").ok()
    sh(web, "echo yes >/ro/file").ok()


def test_of_run(anyone):
    """What run has mounted goes, too; a file also when it was replaced on the host."""
    begin(anyone, "-v", "./src:/v", "-v", "./src/file:/one",
          "--tmpfs", "/t")
    new = anyone.dir / "new"
    new.write_text("another\n")
    anyone.own(new)
    new.rename(anyone.dir / "src/file")
    update(anyone, "--mount-rm", "/v", "--mount-rm", "/one", "--mount-rm", "/t").ok()
    assert sh(anyone, "ls /v; cat /one; grep -cE ' /(v|one|t) ' /proc/mounts").out == "0\n"
    assert not {"/v", "/one", "/t"} & mounts(anyone).keys()


def test_volume(anyone):
    """One that is taken away is in use no more; --volumes-from has what there is by now."""
    begin(anyone, "-v", "vol:/one", "-v", "vol:/two")
    sh(anyone, "echo kept >/one/file").ok()
    update(anyone, "--mount-rm", "/one", "--mount-add", "./src:/data:ro").ok()
    anyone.inro("volume", "rm", "vol").fails("in use", code=1)
    again = ("run", "--rm", "--volumes-from", "web", "box", "sh", "-c", "ls /one; cat /*/file")
    r = anyone.inro(*again)
    assert r.out == "from the host\nkept\n" and "/one" in r.err
    update(anyone, "--mount-rm", "/two").ok()
    anyone.inro("volume", "rm", "vol").ok()
    restart(anyone)
    assert sh(anyone, "cat /data/file; ls /two").ok().out == "from the host\n"


def test_volume_is_added(anyone):
    """With what the container has there; it is in use, and known to be one."""
    begin(anyone)
    sh(anyone, "mkdir /data /part; echo own >/data/own").ok()
    anyone.inro("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mem").ok()
    update(anyone, "--mount-add", "vol:/data", "--mount-add", "type=volume,dst=/anon,nocopy",
           "--mount-add", "src=mem,dst=/mem").ok()
    assert sh(anyone, "cat /data/own; mkdir /data/sub; echo new >/data/sub/f").ok().out == "own\n"
    found = mounts(anyone)
    assert found["/data"]["Name"] == "vol" and found["/anon"]["Type"] == "volume"
    anyone.inro("volume", "rm", "vol").fails("in use", code=1)
    update(anyone, "--mount-add", "src=vol,dst=/part,subpath=sub,ro").ok()
    assert sh(anyone, "cat /part/f; grep -c ' /mem tmpfs ' /proc/mounts").ok().out == "new\n1\n"
    # nothing stays of what fails
    before = set(anyone.inro("volume", "ls", "-q").ok().out.split())
    update(anyone, "--mount-add", "none:/n", "--mount-add", "type=volume,dst=/nameless",
           "--mount-add", "vol:/proc/sys").fails("/proc", code=1)
    assert set(anyone.inro("volume", "ls", "-q").ok().out.split()) <= before | {"none"}
    assert "none" not in anyone.inro("volume", "ls", "-q", "-f", "dangling=false").ok().out.split()
    restart(anyone)
    assert sh(anyone, "cat /data/own /part/f; ls /anon").ok().out == "own\nnew\n"
    update(anyone, "--mount-rm", "/part", "--mount-rm", "/data").ok()
    assert sh(anyone, "cat /data/own").ok().out == "own\n" and "/data" not in mounts(anyone)
    anyone.inro("volume", "rm", "vol").ok()


def test_overlays_images_and_owners(anyone):
    """O, U, images, ramfs and patterns, as a start has them; and they come and go."""
    options = () if anyone.rootless else ("--userns", "private")
    begin(anyone, *options, "-v", "first:/first:O", "--user", "1000:50")
    web = f"inspect --format {{{{.Id}}}} web".split()
    overlays = anyone.state / "inro/containers" / anyone.inro(*web).ok().out.strip() / "overlays"
    (anyone.dir / "src").chmod(0o777)
    anyone.inro("run", "--rm", "-v", "vol:/v", "box", "sh", "-c", "mkdir /v/sub; touch /v/sub/f").ok()
    for turn in range(2):
        update(anyone, "--mount-add", "./src:/over:O", "--mount-add", "vol:/mine:U", "--mount-add",
               "type=image,src=box,dst=/image", "--mount-add",
               "type=image,src=box,dst=/part,rw,subpath=bin", "--mount-add", "type=ramfs,dst=/ram",
               "--mount-add", "type=glob,src=./sr*/f*,dst=/g", "--mount-add", "./src:/own:O,U").ok()
        found = mounts(anyone)
        assert [found[f"/{m}"]["Type"] for m in ("over", "mine", "image", "part", "ram")] == [
            "overlay", "volume", "image", "image", "ramfs"]
        anyone.inro("rmi", "box").fails("is using", code=1)
        look = """cat /over/file /g/file; ls /image/bin | grep -c busybox; ls /part | grep -c busybox
            stat -c '%u:%g' /mine/sub/f /own /own/file; touch /image/n 2>/dev/null || echo ro
            echo more >/own/new; touch /over/n; echo x >/mine/sub/f; cat /own/new"""
        seen = "from the host\n" * 2 + "1\n1\n" + "1000:50\n" * 3 + "ro\nmore\n"
        assert sh(anyone, look).ok().out == seen
        assert sorted(os.listdir(anyone.dir / "src")) == ["file"]
        if turn == 0:
            restart(anyone)
            assert sh(anyone, look).ok().out == seen
        assert len(list(overlays.iterdir())) == (4, 7)[turn]
        before = set(overlays.iterdir())
        update(anyone, "--mount-add", "./src:/late:O", "--mount-add", "/proc:/x/../proc/sys").fails(
            "/proc", code=1)
        assert set(overlays.iterdir()) == before and "/late" not in mounts(anyone)
        update(anyone, *(x for m in ("over", "mine", "image", "part", "ram", "g/file", "own")
                         for x in ("--mount-rm", f"/{m}"))).ok()
        assert sh(anyone, "ls /over /mine /image /part /ram /own; grep -cE ' /(over|g|own|part)'"
                  " /proc/mounts").out.endswith("0\n")
        assert set(mounts(anyone)) == {"/first"}


def test_one_that_does_not_run(anyone):
    begin(anyone)
    anyone.inro("stop", "web").ok()
    update(anyone, "--mount-add", "./src:/data").ok()
    anyone.inro("start", "web").ok()
    assert sh(anyone, "cat /data/file").ok().out == "from the host\n"
    anyone.inro("stop", "web").ok()
    update(anyone, "--mount-rm", "/data").ok()
    anyone.inro("start", "web").ok()
    assert sh(anyone, "ls /data").ok().out == ""


# Options, and what the error says.
REFUSED = [
    (["--mount-add", "./src:/proc/sys/kernel"], "it is inside /proc"),
    (["--mount-add", "./src:/proc"], "would cover the mount at /proc"),
    (["--mount-add", "./src:/link/driver"], "it is inside /proc"),
    (["--mount-add", "./src:/sys2/firmware"], "/sys/firmware, which is protected"),
    (["--mount-add", "./src:/sys2"], "would cover"),
    (["--mount-add", "./src:/etc"], "would cover the mount at /etc/"),
    (["--mount-add", "./src:/kept"], "would cover the mount at /kept"),
    (["--mount-add", "./src/none:/data"], "bind source path does not exist"),
    (["--mount-add", "./src:data"], "must be absolute"),
    (["--mount-add", "type=devpts,dst=/data"], "a devpts can't be added"),
    (["--mount-add", "/etc:/data:U"], "the system's"),
    (["--mount-add", "type=image,src=none,dst=/data"], "none"),
    (["--mount-add", "type=tmpfs"], "target is required"),
    (["--mount-add", "type=glob,src=./src/none*"], "no file paths matching"),
    (["--mount-rm", "/proc/kcore"], "no volume, bind mount or tmpfs of the container's"),
    (["--mount-rm", "/dev/shm"], "no volume, bind mount or tmpfs of the container's"),
    (["--mount-rm", "/etc/hosts"], "no volume, bind mount or tmpfs of the container's"),
    (["--mount-rm", "/none"], "no volume, bind mount or tmpfs of the container's"),
    (["--device-add", "/none"], "/none"),
    (["--device-rm", "/dev/null"], "no device that the container was given"),
    # what was done before is taken back
    (["--mount-add", "./src:/early", "--mount-rm", "/kept", "--mount-add", "./src:/link/driver"],
     "it is inside /proc"),
]


def test_refused(anyone):
    begin(anyone, "-v", "./src:/kept")
    sh(anyone, "ln -s /proc /link; ln -s /sys /sys2").ok()
    before, look = config(anyone), "cat /proc/mounts; ls /sys/firmware /kept"
    seen = sh(anyone, look).ok().out
    for options, words in REFUSED:
        update(anyone, *options).fails("cannot update container web: ", words, code=1)
        assert config(anyone) == before
    assert sorted(sh(anyone, look).ok().out.splitlines()) == sorted(seen.splitlines())


def test_renamed_directory_does_not_unmask(anyone):
    """The name leads to a masked file of /proc, to what masks a directory, or to the root by now."""
    begin(anyone)
    update(anyone, "--mount-add", "./src:/c/x").ok()
    sh(anyone, "mv /c /d && mkdir /c && ln -s / /c/x").ok()
    update(anyone, "--mount-rm", "/c/x").fails("something else", code=1)
    masked = [p for p in config(anyone)["linux"]["maskedPaths"] if os.path.exists(p)]
    one = next(p for p in masked if os.path.isfile(p))
    many = next(p for p in masked if os.path.isdir(p))
    for n, (path, source) in enumerate(((one, "./src/file"), (many, "./src"))):
        top, name = os.path.split(path)
        update(anyone, "--mount-add", f"{source}:/a{n}/{name}").ok()
        sh(anyone, f"mv /a{n} /b{n} && ln -s {top} /a{n}").ok()
        update(anyone, "--mount-rm", f"/a{n}/{name}").fails("something else", code=1)
    assert sh(anyone, f"head -c 5 {one}; ls {many}").ok().out == ""
    assert sh(anyone, "cat /b0/* /b1/*/file").ok().out == "from the host\n" * 2


def test_paused(root):
    begin(root)
    root.inro("pause", "web").ok()
    update(root, "--mount-add", "./src:/data").ok()
    root.inro("unpause", "web").ok()
    assert sh(root, "cat /data/file").ok().out == "from the host\n"


def test_user_namespace(root):
    begin(root, "--userns", "private")
    update(root, "--mount-add", "./src:/data", "--mount-add", "type=tmpfs,target=/t",
           "--device-add", "/dev/fuse").ok()
    assert sh(root, "cat /data/file; stat -c %u /t /data/..").ok().out == "from the host\n0\n0\n"
    assert sh(root, "stat -c %t:%T /dev/fuse").ok().out == "a:e5\n"
    update(root, "--mount-add", "vol:/v", "--mount-add", "./src:/m:idmap").ok()
    assert sh(root, "touch /v/f; stat -c %u /v/f /m/file").ok().out == "0\n0\n"
    data = root.inro("volume", "inspect", "-f", "{{.Mountpoint}}", "vol").ok().out.strip()
    assert os.stat(f"{data}/f").st_uid == 0
    update(root, "--mount-rm", "/t", "--mount-rm", "/data", "--device-rm", "/dev/fuse").ok()
    assert sh(root, "ls /data /dev/fuse; grep -cE ' (/data|/t|/dev/fuse) ' /proc/mounts").out \
        == "/data:\n0\n"


def test_device(root):
    begin(root)
    use = "exec 3<>/dev/fuse && echo opened"
    # who may make any node may not open it
    sh(root, "mknod /dev/fuse c 10 229").ok()
    sh(root, use).fails("Operation not permitted")
    sh(root, "rm /dev/fuse").ok()
    update(root, "--device-add", "/dev/fuse").ok()
    assert sh(root, use).ok().out == "opened\n"
    update(root, "--device-add", "/dev/fuse").fails("the container has /dev/fuse", code=1)
    restart(root)
    assert sh(root, use).ok().out == "opened\n"
    update(root, "--device-rm", "/dev/fuse").ok()
    assert sh(root, "ls /dev/fuse").code != 0
    sh(root, "mknod /dev/fuse c 10 229").ok()
    sh(root, use).fails("Operation not permitted")
    sh(root, "echo x >/dev/null; head -c 1 /dev/zero >/dev/null").ok()


def test_device_of_a_user(user):
    begin(user)
    update(user, "--device-add", "/dev/fuse").ok()
    show = "stat -c %t:%T /dev/fuse"
    assert sh(user, show).ok().out == "a:e5\n"
    update(user, "--device-add", "/dev/fuse:/dev/other").fails("in a user namespace", code=1)
    restart(user)
    assert sh(user, show).ok().out == "a:e5\n"
    update(user, "--device-rm", "/dev/fuse").ok()
    assert sh(user, "ls /dev/fuse").code != 0


def test_no_device_gets_into_a_volume(root):
    """Where a link leads to one: the node would be the host's, for all its users."""
    begin(root, "-v", "./src:/vol")
    sh(root, "ln -s /vol /dev/sub; mkdir /dev/own; ln -s /dev/own /dev/well; ln -s / /dev/top").ok()
    os.mknod(root.dir / "src/mine", 0o20600, os.makedev(10, 229))
    for place in ("/dev/sub/fuse", "/vol/fuse"):
        update(root, "--device-add", f"/dev/fuse:{place}").fails("its directory is in a mount",
                                                                 code=1)
    assert sorted(os.listdir(root.dir / "src")) == ["file", "mine"]
    update(root, "--device-add", "/dev/fuse:/dev/well/a", "--device-add",
           "/dev/fuse:/dev/top/b").ok()
    assert sh(root, "stat -c %t:%T /dev/own/a /b").ok().out == "a:e5\n" * 2
    # by now the name is that of another node
    sh(root, "rm /dev/well; ln -s /vol /dev/well; mv /vol/mine /vol/a").ok()
    update(root, "--device-rm", "/dev/well/a").fails("its directory is in a mount", code=1)
    assert sorted(os.listdir(root.dir / "src")) == ["a", "file"]


def test_device_of_another_name(root):
    begin(root)
    update(root, "--device-add", "/dev/fuse:/dev/sub/mine:r").ok()
    assert sh(root, "stat -c %t:%T /dev/sub/mine; exec 3</dev/sub/mine").ok().out == "a:e5\n"
    sh(root, "exec 3>/dev/sub/mine").fails("Operation not permitted")


def test_while_it_starts_again(web):
    """Whichever of both is first: it is done, and the container is what its record says."""
    for n in range(harness.rounds(5)):
        p = web.popen(*web.inro_argv("restart", "-t", "5", "web"), stdout=subprocess.DEVNULL)
        time.sleep(0.02 * n)
        assert update(web, "--mount-add", "./src:/data").ok().err == ""
        assert p.wait(30) == 0
        assert sh(web, "cat /data/file").ok().out == "from the host\n"
        update(web, "--mount-rm", "/data").ok()


def test_killed_update_is_finished(anyone):
    begin(anyone)
    bundle = pathlib.Path(anyone.inro("inspect", "--format", "{{.Bundle}}", "web").ok().out.strip())

    def leave(name, text):
        (bundle / name).write_text(text)
        anyone.own(bundle / name)

    def recorded(options=None):
        db = sqlite3.connect(anyone.state / "inro/inro.db")
        if options:
            db.execute("UPDATE containers SET options = ?", options)
        (row,) = db.execute("SELECT options FROM containers").fetchall()
        db.commit()
        db.close()
        return row

    for n in range(3):  # before it was mounted, after that, and with the record still to be told
        old = config(anyone)
        update(anyone, "--mount-add", f"./src:/data{n}").ok()
        new, row = config(anyone), recorded()
        if n == 0:
            update(anyone, "--mount-rm", "/data0").ok()
            recorded(row)
        leave("update.record", json.dumps({"options": json.loads(row[0])
                                           | {"restart": "unless-stopped"}}))
        if n < 2:
            leave("config.json", json.dumps(old))
            leave("update.json", json.dumps(new))
        assert f"/data{n}" in mounts(anyone)
        assert not (bundle / "update.json").exists() and not (bundle / "update.record").exists()
        if n < 2:
            assert sh(anyone, f"cat /data{n}/file; grep -c ' /data{n} ' /proc/mounts").out \
                == "from the host\n1\n"
    shown = anyone.inro("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", "web").ok().out
    assert shown == "unless-stopped\n"
    assert anyone.inro("run", "--rm", "--volumes-from", "web", "box", "cat", "/data0/file",
                       "/data1/file", "/data2/file").ok().out == "from the host\n" * 3


def test_killed_while_a_volume_is_added(root):
    """It is mounted and in use, or neither."""
    begin(root)
    root.inro("volume", "create", "vol").ok()
    for n in range(1, 6):
        r = root.run(root.program("tests/faults/killat"), "-p", "volumes", n, "--",
                     *root.inro_argv("update", "--mount-add", "vol:/data", "web"))
        assert r.code == 137 or n > 2, r
        found = mounts(root).get("/data")
        there = sh(root, "grep -c ' /data ' /proc/mounts").out == "1\n"
        assert there == bool(found), n
        if found:
            assert found["Name"] == "vol", n
            root.inro("volume", "rm", "vol").fails("in use", code=1)
            update(root, "--mount-rm", "/data").ok()
        used = root.inro("volume", "ls", "-q", "-f", "dangling=false").ok().out
        assert used == "", n
    root.inro("volume", "rm", "vol").ok()


def test_device_where_cgroup_v2_is_the_only_one(root):
    """The rules are a program there, which is replaced."""
    box, inro = engine.box(root), shlex.join(map(str, root.inro_argv()))
    second = root.dir / "second"
    os.mknod(second, 0o20666, os.makedev(10, 237))
    use = f"{inro} exec web sh -c 'exec 3<>/dev/fuse'"
    done = test_runtime_cgroup2.World(root)(f"""
        {inro} run -d --name web {box} sleep 600
        trap '{inro} rm -f web >&2' EXIT
        {inro} update --device-add /dev/fuse --device-add {second}:/dev/second:r web
        {use} && echo given
        {inro} update --device-rm /dev/fuse web
        {inro} exec web sh -c 'mknod /dev/fuse c 10 229; : <>/dev/null'
        {use} || echo taken
        {inro} exec web head -c 0 /dev/second 2>&1 | grep permitted || echo kept
    """)
    words = [word for word in done.ok().out.split() if word in ("given", "taken", "kept")]
    assert words == ["given", "taken", "kept"], done
    assert "Operation not permitted" in done.err, done
