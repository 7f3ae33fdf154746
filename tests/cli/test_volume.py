# SPDX-License-Identifier: Apache-2.0
"""Volumes: the verbs, what containers see of them, and what is left when something is killed."""

import fcntl
import io
import json
import os
import pathlib
import signal
import struct
import subprocess
import tarfile

import pytest

import engine
import harness
import layers

TURNS = True
ANONYMOUS = "com.docker.volume.anonymous"


def image(who, *changes, entries=()):
    """The busybox image with more files in it."""
    path = engine.rootfs_tar(who)
    more = who.dir / "more.tar"
    more.write_bytes(path.read_bytes())
    with tarfile.open(more, "a", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    who.own(more)
    options = [word for change in ("CMD true", *changes) for word in ("--change", change)]
    who.inro("import", *options, more, "box").ok()
    return "box"


def sh(who, options, script, name="box"):
    return who.inro("run", "--rm", *options, name, "sh", "-c", script).ok().out


def volumes(who, *options):
    return who.inro("volume", "ls", "-q", *options).ok().out.split()


def directory(who, name=""):
    return who.state / "inro/volumes" / name


def healthy(who):
    """Nothing is lost or left of volumes."""
    found = json.loads(who.inro("system", "check", "--quick", "--format", "json").ok().out)
    assert not [x for x in found["Leftovers"] if x["Path"].startswith("volumes/")]
    assert not [n for n in os.listdir(directory(who)) if n[0] in "._"]


def test_verbs(anyone):
    who = anyone
    assert who.inro("volume", "create", "--label", "a=b", "-l", "c", "data").ok().out == "data\n"
    assert who.inro("volume", "create", "data").ok().out == "data\n"
    nameless = who.inro("volume", "create").ok().out.strip()
    assert len(nameless) == 64 and sorted([nameless, "data"]) == volumes(who)
    (found,) = json.loads(who.inro("volume", "inspect", "data").ok().out)
    assert found.pop("CreatedAt").endswith("Z")
    assert found == {"Driver": "local", "Labels": {"a": "b", "c": ""}, "Name": "data",
                     "Mountpoint": str(directory(who, "data/_data")), "Options": {},
                     "Scope": "local"}
    assert json.loads(who.inro("inspect", "--type", "volume", "data").ok().out)[0]["Name"] == "data"
    assert who.inro("inspect", "-f", "{{.Scope}}", "data").ok().out == "local\n"
    assert who.inro("volume", "ls").ok().out.splitlines()[0].split() == ["DRIVER", "VOLUME", "NAME"]
    row = json.loads(who.inro("volume", "ls", "-f", "name=data", "--format", "json").ok().out)
    assert row["Labels"] == "a=b,c=" and row["Name"] == "data" and row["Driver"] == "local"
    for filters, names in [("label=a", ["data"]), ("label=a=x", []), ("label!=a", [nameless]),
                           (f"label={ANONYMOUS}", [nameless]), ("driver=nfs", []),
                           ("name=^dat", ["data"]), ("anonymous=true", [nameless])]:
        assert volumes(who, "-f", filters) == names, filters
    assert who.inro("volume", "exists", "data").code == 0
    assert who.inro("volume", "exists", "other").code == 1
    who.inro("volume", "inspect", "data", "other").fails("get other: no such volume", code=1)
    assert who.inro("volume", "rm", "data", "-f", "other").ok().out == "data\nother\n"
    who.inro("volume", "rm", "other").fails("get other: no such volume", code=1)
    assert volumes(who) == [nameless]
    healthy(who)


@pytest.mark.parametrize("args, words", [
    (["create", "-d", "nfs", "v"], ["nfs"]),
    (["create", "../v"], ["includes invalid characters"]),
    (["create", "x" * 255], ["254"]),
    (["create", "-o", "type=nfs", "-o", "device=:/x", "v"], ["nfs"]),
    (["create", "-o", "size=1", "v"], ["invalid option"]),
    (["create", "-o", "type=none", "-o", "o=bind", "v"], ["device"]),
    (["ls", "-f", "color=red"], ["color"]),
    (["rm"], ["--all"]),
])
def test_wrong_usage(root, args, words):
    root.inro("volume", *args).fails(*words, code=125)
    assert volumes(root) == []


def test_files_outlive_containers(anyone):
    who = anyone
    image(who)
    sh(who, ["-v", "data:/data"], "echo one > /data/file; chown 1000:50 /data/file; ln -s x /data/l")
    out = sh(who, ["--mount", "source=data,target=/d,readonly"],
             "cat /d/file; stat -c %u:%g /d/file; readlink /d/l; echo > /d/file || grep /d /proc/mounts")
    assert out.startswith("one\n1000:50\nx\n") and " ro," in out
    who.inro("create", "--name", "user", "-v", "data:/data", "box", "true").ok()
    who.inro("volume", "rm", "-f", "data").fails("volume is in use", code=1)
    assert volumes(who, "-f", "dangling=true") == []
    assert who.inro("ps", "-aq", "-f", "volume=data").ok().out
    assert who.inro("ps", "-aq", "-f", "volume=/data").ok().out
    assert not who.inro("ps", "-aq", "-f", "volume=other").ok().out
    shown = who.inro("ps", "-a", "--format", "{{.Mounts}} {{.LocalVolumes}}").ok().out
    assert shown == "data 1\n"
    who.inro("rm", "-v", "user").ok()
    assert volumes(who, "-f", "dangling=true") == ["data"]
    assert (directory(who, "data/_data/file")).read_text() == "one\n"
    told = who.inro("events", "--stream=false", "--filter", "type=volume", "--format",
                    "{{.Action}} {{.Actor.ID}}").ok().out.splitlines()
    assert told == ["create data", "mount data", "mount data"]
    who.inro("volume", "rm", "data").ok()
    assert os.listdir(directory(who)) == []


def test_inspect_of_a_container(anyone):
    who = anyone
    image(who, "VOLUME /made")
    who.inro("create", "--name", "c1", "-v", "data:/data:ro", "-v", f"{who.dir}:/host", "--mount",
             "type=tmpfs,target=/tmp", "box").ok()
    (found,) = json.loads(who.inro("inspect", "c1").ok().out)
    by_place = {m["Destination"]: m for m in found["Mounts"]}
    assert by_place["/data"] == {
        "Type": "volume", "Name": "data", "Source": str(directory(who, "data/_data")),
        "Destination": "/data", "Driver": "local", "Mode": "ro", "RW": False, "Propagation": ""}
    assert by_place["/host"] == {
        "Type": "bind", "Source": str(who.dir), "Destination": "/host", "Mode": "", "RW": True,
        "Propagation": "rprivate"}
    assert by_place["/tmp"]["Type"] == "tmpfs" and len(by_place) == 4
    assert by_place["/made"]["Name"] in volumes(who) and by_place["/made"]["Driver"] == "local"


def test_anonymous_volumes(anyone):
    who = anyone
    image(who, "VOLUME /made /other")
    sh(who, ["-v", "/own", "--tmpfs", "/other"], "touch /made/x /own/x /other/x")
    assert volumes(who) == []
    who.inro("create", "--name", "aa", "-v", "/own", "-v", "named:/other", "box").ok()
    assert len(volumes(who)) == 3
    who.inro("create", "--name", "bb", "--volumes-from", "aa", "box").ok()
    assert len(volumes(who)) == 3
    who.inro("rm", "-v", "aa").ok()
    assert len(volumes(who)) == 3, "the other container has them still"
    who.inro("rm", "bb").ok()
    assert len(volumes(who)) == 3
    (line,) = [x for x in who.inro("system", "df").ok().out.splitlines() if "Volumes" in x]
    assert line.split()[2:4] == ["3", "0"]
    out = who.inro("volume", "prune", "-f").ok().out
    assert out.startswith("Deleted Volumes:\n") and "Total reclaimed space: 0B" in out
    assert volumes(who) == ["named"]
    assert who.inro("volume", "prune", input="n\n").ok().out.startswith(
        "WARNING! This will remove anonymous local volumes not used by at least one container.")
    who.inro("volume", "prune", "-af", "--filter", "label=none").ok()
    assert volumes(who) == ["named"]
    assert "named" in who.inro("volume", "prune", "-af").ok().out
    who.inro("create", "box").ok()
    assert "Deleted Volumes:" in who.inro("system", "prune", "-f", "--volumes").ok().out
    assert os.listdir(directory(who)) == []


CONTENT = (layers.entry("vol/", uid=7, gid=8, mode=0o2770), layers.entry("vol/a", "first", uid=1000),
           layers.entry("vol/sub/", mode=0o700), layers.entry("vol/sub/b", "second", mode=0o4755),
           layers.hardlink("vol/sub/c", "vol/a"), layers.entry("vol/link", link="../../etc/passwd"),
           layers.xattr("vol/x", "text", user__kind="mine"))
LOOK = ("cd /vol; stat -c '%n %a %u %g %h' . a sub sub/b sub/c; readlink link; cat a sub/b")
SEEN = (". 2770 7 8 3\na 644 1000 0 2\nsub 700 0 0 2\nsub/b 4755 0 0 1\nsub/c 644 1000 0 2\n"
        "../../etc/passwd\nfirstsecond")


@pytest.mark.parametrize("options", [[], ["--userns", "private"]])
def test_a_new_volume_has_what_the_image_has(root, options):
    new_volume_has_what_the_image_has(root, options)


def test_a_new_volume_of_a_user_has_what_the_image_has(user):
    new_volume_has_what_the_image_has(user, [])


def new_volume_has_what_the_image_has(who, options):
    image(who, "VOLUME /vol", entries=CONTENT)
    assert sh(who, [*options, "-v", "data:/vol"], LOOK) == SEEN
    assert sh(who, options, LOOK) == SEEN  # anonymous
    if not who.rootless:
        assert os.getxattr(directory(who, "data/_data/x"), "user.kind") == b"mine"
    # what is in it stays as it is
    sh(who, [*options, "-v", "data:/vol"], "rm -r /vol/sub; echo other > /vol/a")
    assert sh(who, [*options, "-v", "data:/vol"], "ls /vol; cat /vol/a") == "a\nlink\nx\nother\n"
    assert sh(who, [*options, "-v", "none:/vol:nocopy"], "ls -a /vol") == ".\n..\n"
    assert sh(who, [*options, "-v", "void:/no/such"], "ls -a /no/such") == ".\n..\n"
    # emptied, it has nothing in the same container; in a new one it is as new
    who.inro("run", "--name", "c1", *options, "-v", "data:/vol", "box", "sh", "-c",
             "ls /vol; rm -rf /vol/*").ok()
    assert who.inro("start", "-a", "c1").ok().out == ""
    assert sh(who, [*options, "-v", "data:/vol"], LOOK) == SEEN
    who.inro("rm", "c1").ok()
    healthy(who)


def test_links_of_the_image_lead_nowhere_else(anyone):
    """A hostile image's volume is below a link: what is copied is the image's own."""
    who = anyone
    secret = who.dir / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    who.own(secret)
    image(who, f"VOLUME /up{secret}", "VOLUME /loop",
          entries=[layers.entry("up", link="../../../.."), layers.entry("loop", link="loop"),
                   layers.entry(f"{str(secret)[1:]}/", mode=0o755),
                   layers.entry(f"{str(secret)[1:]}/mine", "image")])
    done = who.inro("run", "--name", "c1", "-v", f"v:/up{secret}", "--tmpfs", "/loop", "box", "true")
    assert os.listdir(directory(who, "v/_data")) == ["mine"], done
    who.inro("rm", "-f", "c1")


def test_a_hostile_image_names_nothing_of_the_host(anyone):
    """VOLUME with the words of -v is no mount of a directory of the machine."""
    who = anyone
    image(who, f'VOLUME ["{who.dir}:/host", "/plain"]')
    assert sh(who, [], "ls / | grep -c host; grep -c ' /plain ' /proc/mounts") == "0\n1\n"


def test_a_killed_copy_is_done_again(anyone):
    """What kill -9 leaves in the middle of copying: the mark, and a part of the files."""
    who = anyone
    image(who, entries=CONTENT)
    who.inro("volume", "create", "data").ok()
    for path, text in ((directory(who, "data/copying"), ""),
                       (directory(who, "data/_data/a"), "fir")):
        path.write_text(text)
        who.own(path)
    assert sh(who, ["-v", "data:/vol"], LOOK) == SEEN
    assert os.listdir(directory(who, "data")) == ["_data"]
    # what somebody has put there since is not covered
    mark = directory(who, "data/copying")
    mark.write_text("")
    who.own(mark)
    who.inro("volume", "import", "data", "-", input=layers.tar(layers.entry("a", "mine"))).ok()
    assert sh(who, ["-v", "data:/vol"], "cat /vol/a") == "mine"


def test_a_killed_copy_is_finished_by_others(anyone):
    """A volume never has files of two images: the mark says whose."""
    who = anyone
    image(who, entries=CONTENT)
    first = who.inro("images", "-q", "--no-trunc", "box").ok().out.strip()
    engine.box(who, "other", "CMD true")
    for name, image_id in (("data", first), ("lost", f"sha256:{'0' * 64}")):
        who.inro("volume", "create", name).ok()
        for path, text in ((directory(who, f"{name}/copying"), f"{image_id}\n/vol"),
                           (directory(who, f"{name}/_data/a"), "fir")):
            path.write_text(text)
            who.own(path)
    assert sh(who, ["-v", "data:/bin2"], LOOK.replace("/vol", "/bin2"), "other") == SEEN
    assert os.listdir(directory(who, "data")) == ["_data"]
    done = who.inro("run", "--rm", "-v", "lost:/etc", "other", "cat", "/etc/a").ok()
    assert done.out == "fir" and "which is gone" in done.err
    assert "passwd" in os.listdir(directory(who, "lost/_data"))


def test_a_copy_that_is_waited_for_can_be_given_up(anyone):
    """Somebody exports the volume, to who does not read: a start waits, and heeds a signal."""
    who = anyone
    image(who, entries=CONTENT)
    who.inro("volume", "create", "data").ok()
    exported = os.open(directory(who, "data"), os.O_RDONLY)
    fcntl.flock(exported, fcntl.LOCK_SH)
    with who.popen(*who.inro_argv("run", "-v", "data:/vol", "box", "true"),
                   stderr=subprocess.PIPE) as client:
        try:
            harness.wait_for(lambda: engine.containers(who), what="its record")
            client.send_signal(signal.SIGTERM)
            err = client.communicate(timeout=10 * harness.PATIENCE)[1]
        finally:
            client.kill()
    assert client.returncode == 125 and b"interrupted by signal 15 (TERM)" in err
    assert not engine.containers(who)
    os.close(exported)
    assert sh(who, ["-v", "data:/vol"], LOOK) == SEEN


def test_volumes_of_the_image(anyone):
    """--image-volume, and what a tmpfs takes."""
    who = anyone
    image(who, "VOLUME /vol", "USER 1000:50", entries=CONTENT)
    look = "grep -c ' /vol tmpfs ' /proc/mounts; cat /vol/a"
    assert sh(who, ["--image-volume", "ignore", "-u", "0"], look) == "0\nfirst"
    assert sh(who, ["--image-volume", "tmpfs", "-u", "0"], f"{look}; touch /vol/n") == "1\nfirst"
    assert volumes(who) == []
    who.inro("create", "--image-volume", "bind", "box").ok()
    assert len(volumes(who)) == 1
    who.inro("run", "--image-volume", "all", "box").fails("--image-volume", code=125)
    assert sh(who, ["--tmpfs", "/t:U,mode=0700", "--mount", "type=tmpfs,dst=/bin,tmpcopyup,exec,U",
                    "--mount", "type=tmpfs,dst=/own,chown=true,nodev"],
              "stat -c '%u %g' /t /bin /own; touch /t/f /own/f; stat -c %a /t") \
        == "1000 50\n" * 3 + "700\n"
    image(who, "VOLUME /a:b")
    who.inro("run", "--rm", "box").fails("must be absolute", code=125)
    sh(who, ["--image-volume", "ignore"], "true")

def test_owner(anyone):
    """-v ...:U: all in it becomes the container's user's, in its ids; links lead nowhere."""
    who = anyone
    image(who, "USER 1000:50", entries=CONTENT)
    there, beside = who.dir / "there", who.dir / "beside"
    for path in (there, there / "sub", beside):
        path.mkdir()
        who.own(path)
    (there / "sub/f").write_text("text")
    (there / "up").symlink_to(beside)
    for path in (there / "sub/f", there / "up"):
        if os.geteuid() == 0:
            os.chown(path, *(os.stat(there).st_uid, os.stat(there).st_gid), follow_symlinks=False)
    look = "stat -c '%u:%g' /t /t/sub /t/sub/f /t/up /v; echo new > /t/sub/f"
    before = os.stat(beside).st_uid
    for options in ([], ["--userns", "private"])[:2 - who.rootless]:
        out = sh(who, [*options, "-v", f"{there}:/t:U", "--mount", "src=v,dst=/v,U=true"], look)
        assert out == "1000:50\n" * 5
        owner = os.stat(there / "sub/f").st_uid
        assert (owner == 1000) == (not options and not who.rootless)
        assert os.stat(beside).st_uid == before
    assert sh(who, ["-v", "v:/vol:U"], "stat -c %u:%g /vol /vol/a /vol/sub") == "1000:50\n" * 3
    who.inro("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mem").ok()
    assert sh(who, ["-v", "mem:/m:U"], "stat -c %u:%g /m") == "1000:50\n"
    # of a part of it: links lead nowhere out of the volume. O: as podman, and what it has written
    sh(who, ["--user", "0", "-v", "v:/v"], "mkdir -p /v/p/q /v/etc; ln -s /etc /v/abs; chown 0:0 /v/p/q")
    part = "src=v,dst=/v,U,subpath="
    assert sh(who, ["--mount", f"{part}p"], "stat -c %u:%g /v /v/q") == "1000:50\n" * 2
    assert sh(who, ["--mount", f"{part}abs"], "stat -c %u:%g /v") == "1000:50\n"
    assert sh(who, ["-v", "v:/v"], "stat -c %u:%g /v/etc /v/p") == "1000:50\n" * 2
    who.inro("create", "--name", "c1", "-v", "v:/v:O,U", "box", "sh", "-c",
             "stat -c %u:%g /v /v/p; touch /v/new").ok()
    for _ in range(2):
        assert who.inro("start", "-a", "c1").ok().out == "1000:50\n" * 2
    # a container that has the directory above can make this of it
    (there / "srv").symlink_to("/srv")
    for refused, words in ((["-v", "/etc:/e:U"], "the system's"), (["-v", "v:/v:U,O,upperdir=/srv,workdir=/w"], "/srv is the"),
                           (["-v", f"{there}/srv:/e:U"], "/srv is the system's"),
                           (["-v", f"{there}/sub/f:/e:U"], "for directories"),
                           (["-v", "/usr/lib:/e:U"], "the system's")):
        who.inro("run", *refused, "box").fails(words, code=125)


def test_owner_of_a_part_of_the_systems(root):
    """U: the part is what counts, also where a link leads to what is around it."""
    image(root, "USER 1000:50")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/media"], check=True)
    try:
        top = pathlib.Path("/media")
        (top / "data/sub").mkdir(parents=True)
        (top / "link").symlink_to(".")
        root.inro("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/media", "v").ok()
        sh(root, ["--mount", "src=v,dst=/v,U,subpath=data"], "touch /v/sub/f")
        assert os.stat(top / "data/sub").st_uid == 1000
        for refused in (["-v", "v:/v:U"], ["--mount", "src=v,dst=/v,U,subpath=link"]):
            root.inro("run", *refused, "box").fails("/media is the system's", code=125)
        assert os.stat(top).st_uid == 0
    finally:
        subprocess.run(["umount", "/media"], check=True)


def test_volumes_from(anyone):
    who = anyone
    image(who)
    who.inro("create", "--name", "aa", "-v", "data:/data", "-v", "extra:/extra:ro", "-v",
             f"{who.dir}:/host", "box").ok()
    sh(who, ["-v", "data:/d"], "echo hi > /d/f")
    assert sh(who, ["--volumes-from", "aa"], "cat /data/f; touch /extra/f || ls /host | grep more"
              ) == "hi\nmore.tar\n"
    assert sh(who, ["--volumes-from", "aa:ro", "-v", "own:/extra"],
              "touch /data/g; touch /host/g; touch /extra/g; ls /data /extra") == \
        "/data:\nf\n\n/extra:\ng\n"
    who.inro("run", "--volumes-from", "nobody", "box").fails("No such container: nobody", code=125)
    who.inro("run", "--volumes-from", "aa:zz", "box").fails("zz", code=125)


def test_options_of_the_driver(anyone):
    who = anyone
    image(who, entries=CONTENT)
    there = who.dir / "there"
    there.mkdir()
    who.own(there)
    who.inro("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={there}",
             "bound").ok()
    sh(who, ["-v", "bound:/d"], "echo hi > /d/f")
    assert (there / "f").read_text() == "hi\n"
    assert json.loads(who.inro("volume", "inspect", "bound").ok().out)[0]["Options"]["o"] == "bind"
    who.inro("volume", "rm", "bound").ok()
    assert (there / "f").exists(), "what it was made of is the user's"
    # what root has mounted with other times of access, a user can't mount without
    words = "nosymfollow,noexec,defaults" + ("" if who.rootless else ",noatime")
    out = sh(who, ["--mount", f'dst=/b,volume-opt=type=none,"volume-opt=o=bind,{words}",'
                   f"volume-opt=device={there}"], "ln -s f /b/l; cat /b/l; grep ' /b ' /proc/mounts")
    assert "nosymfollow" in out and "hi" not in out and ("noatime" in out or who.rootless)
    (there / "l").unlink()
    out = sh(who, ["--mount", 'dst=/vol,volume-opt=type=tmpfs,"volume-opt=o=size=1m,mode=0700"'],
             "grep ' /vol ' /proc/mounts; cat /vol/a")
    assert "tmpfs" in out and "size=1024k" in out and out.endswith("first")
    assert volumes(who) == []


def test_ids_in_a_directory_of_the_machine(root):
    """Root of a user namespace is not root there, be it a volume or not; unless the user says so."""
    image(root, entries=CONTENT)
    there = root.dir / "there"
    there.mkdir()
    there.chmod(0o777)
    root.inro("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={there}",
              "bound").ok()
    script = "cp /bin/busybox /vol/f; chmod 4755 /vol/f; stat -c %u /vol/f; ls /vol"
    own = ["--userns", "private", "-v"]
    for source in (there, "bound:/vol:nocopy"):
        assert sh(root, [*own, source if ":" in str(source) else f"{source}:/vol"],
                  script) == "0\nf\n"
        assert os.stat(there / "f").st_uid > 1000, source
        (there / "f").unlink()
    # What the image has comes with the ids that the container would write it with.
    root.inro("create", "--name", "one", *own, "bound:/vol", "box", "sh", "-c", LOOK).ok()
    assert root.inro("start", "-a", "one").ok().out == root.inro("start", "-a", "one").ok().out == SEEN
    ids = {str(p.relative_to(there)): os.lstat(p) for p in [there, *there.rglob("*")]}
    first = ids["sub/b"].st_uid
    assert first > 1000 and (ids["."].st_uid, ids["."].st_gid) == (first + 7, first + 8)
    assert ids["a"].st_uid == first + 1000
    root.inro("rm", "one").ok()
    for path in there.iterdir():
        subprocess.run(["rm", "-rf", path], check=True)
    os.chown(there, 0, 0)
    (there / "kept").touch()
    assert sh(root, [*own, "bound:/vol:idmap"], script) == "0\nf\nkept\n"
    assert os.stat(there / "f").st_uid == 0


def test_cve_2017_1002101_subpath_of_a_volume(anyone):
    """A part of a volume: links that containers have made in it lead nowhere out of it."""
    who = anyone
    image(who, entries=CONTENT)
    sh(who, ["-v", "data:/v"], """
        mkdir -p /v/one/two /v/etc; echo in > /v/one/two/file; echo mine > /v/etc/hostname
        ln -s one/two /v/link; ln -s / /v/top; ln -s /etc /v/abs; ln -s ../../../../.. /v/up""")
    mount = "type=volume,src=data,dst=/m,volume-subpath="
    assert sh(who, ["--mount", f"{mount}one/./two/"], "cat /m/file; echo new > /m/more") == "in\n"
    assert sh(who, ["--mount", f"{mount}link/more,ro"], "cat /m; echo x > /m || :") == "new\n"
    whole = "abs\netc\nlink\none\ntop\nup\n"
    for part, seen in (("top", whole), ("up", whole), (".", whole), ("abs", "hostname\n"),
                       ("up/one", "two\n")):
        assert sh(who, ["--mount", f"{mount}{part}"], "ls /m") == seen, part
    assert sh(who, ["--mount", f"{mount}abs/hostname"], "cat /m") == "mine\n"
    run = ("run", "--rm", "--mount")
    who.inro(*run, f"{mount}none", "box", "ls").fails("No such file or directory", code=125)
    for wrong in ("../data", "/one", "one/../..", "one/../one"):
        who.inro(*run, f"{mount}{wrong}", "box", "ls").fails("must be a relative path", code=125)
    who.inro(*run, "type=volume,dst=/m,subpath=a,volume-opt=type=tmpfs,volume-opt=device=tmpfs",
             "box").fails("is a tmpfs", code=125)
    assert volumes(who) == ["data"]
    # of one that is a directory of the machine, and of another container
    there = who.dir / "there"
    (there / "sub").mkdir(parents=True)
    (there / "sub/f").write_text("there")
    for path in (there, there / "sub", there / "sub/f"):
        who.own(path)
    who.inro("create", "--name", "c1", "--mount", f"dst=/b,src=bound,subpath=sub,volume-opt=o=bind,"
             f"volume-opt=type=none,volume-opt=device={there}", "--mount", f"{mount}one", "box").ok()
    assert sh(who, ["--volumes-from", "c1"], "cat /b/f /m/two/file") == "therein\n"


def test_overlay(anyone):
    """-v SOURCE:TARGET:O: the source stays as it is."""
    who = anyone
    image(who, entries=CONTENT)
    there = who.dir / "there"
    up, work = who.dir / "up", who.dir / "work"
    for path in (there, up, work):
        path.mkdir()
        who.own(path)
    (there / "old").write_text("old")
    who.own(there / "old")
    there.chmod(0o750)
    sh(who, ["-v", "data:/vol"], "true")
    name = who.dir / "link"
    name.symlink_to(there)
    script = "cat /o/old; stat -c %a /o; echo new > /o/old; touch /o/n; rm /d/a; ls /d; ls /u"
    for options in ([], ["--userns", "private"])[:2 - who.rootless]:
        more = ["-v", "data:/u:O,ro"] if options else \
            ["--mount", f"type=overlay,src={name},dst=/u,upperdir={up},workdir={work}"]
        if options:
            (there / "old").chmod(0o666)
            there.chmod(0o777)
        out = who.inro("run", "--name", "c1", *options, "-v", f"{name}:/o:O", "-v", "data:/d:O",
                       *more, "box", "sh", "-c", script)
        mode = "777" if options else "750"
        assert out.ok().out == f"old{mode}\nlink\nsub\nx\n" + ("a\nlink\nsub\nx\n" if options
                                                               else "old\n"), out
        assert os.listdir(there) == ["old"] and (there / "old").read_text() == "old"
        # the container has it again
        (found,) = json.loads(who.inro("inspect", "c1").ok().out)
        by_place = {m["Destination"]: m for m in found["Mounts"]}
        assert by_place["/o"]["Type"] == "overlay" and by_place["/o"]["Source"] == str(name)
        assert by_place["/d"]["Name"] == "data"
        who.inro("start", "-a", "c1")
        assert "new" in who.inro("logs", "c1").ok().out
        who.inro("cp", there / "old", "c1:/o/copy").ok()
        assert os.listdir(there) == ["old"]
        who.inro("cp", "c1:/o/copy", who.dir / "back").ok()
        assert (who.dir / "back").read_text() == "old"
        who.inro("rm", "c1").ok()
    assert sh(who, ["-v", "data:/vol"], LOOK) == SEEN
    for options in ([], ["--userns", "private"])[:2 - who.rootless]:
        made = f"made{len(options)}"
        who.inro("create", "--name", made, *options, "-v", f"{made}:/m:O", "box", "touch", "/m/f").ok()
        who.inro("start", "-a", made).ok()
        who.inro("rm", made).ok()
    sh(who, ["-v", f"{name}:/o:O,upperdir={up},workdir={work}"], "echo kept > /o/n")
    assert os.listdir(up) == ["n"]


def test_mount_of_an_image(anyone):
    """With its files as they are, or with changes of the container's own; it is in use."""
    who = anyone
    image(who, entries=CONTENT)
    who.inro("run", "--name", "c1", "box", "sh", "-c", "echo 2 > /vol/b; rm /vol/a").ok()
    two = who.inro("commit", "c1", "two").ok().out.strip()
    who.inro("rm", "c1").ok()
    mounts = ["--mount", "type=image,src=two,dst=/two", "--mount",
              "type=image,source=box,destination=/one,rw=true", "--mount",
              "type=image,src=box,dst=/ro", "--mount", "type=image,src=two,dst=/rw,rw"]
    script = """stat -c '%u %n' /two /two/vol /one /one/vol/a /ro/vol; cat /two/vol/b
        touch /two/vol/n /ro/vol/n 2>/dev/null; rm /one/vol/a /rw/vol/b; echo n > /rw/vol/n
        ls /two/vol /one/vol /ro/vol /rw/vol"""
    for options in ([], ["--userns", "private"])[:2 - who.rootless]:
        assert sh(who, [*options, *mounts], script) == (
            "0 /two\n7 /two/vol\n0 /one\n1000 /one/vol/a\n7 /ro/vol\n2\n"
            "/one/vol:\nlink\nsub\nx\n\n/ro/vol:\na\nlink\nsub\nx\n\n"
            "/rw/vol:\nlink\nn\nsub\nx\n\n/two/vol:\nb\nlink\nsub\nx\n")
    engine.box(who, "other", "CMD true")
    who.inro("create", "--name", "c2", *mounts, "other", "cat", "/two/vol/b").ok()
    (found,) = json.loads(who.inro("inspect", "c2").ok().out)
    by_place = {m["Destination"]: m for m in found["Mounts"]}
    assert by_place["/two"]["Type"] == by_place["/ro"]["Type"] == "image"
    assert by_place["/rw"]["RW"] and not by_place["/two"]["RW"] and not by_place["/ro"]["RW"]
    who.inro("rmi", "two").fails("is using its referenced image", code=1)
    who.inro("image", "prune", "-af")
    assert who.inro("start", "-a", "c2").ok().out == "2\n"
    who.inro("rm", "c2").ok()
    who.inro("create", "--health-cmd", two, "other").ok()  # which uses nothing
    who.inro("rmi", two).ok()
    for wrong, words in (("src=none", "none"), ("dst=/x", "which image"),
                         ("src=box,image-subpath=/vol", "relative path within the image"),
                         ("src=box,subpath=/vol/../x", "relative path"),
                         ("src=box,image-subpath=vol/none", "No such file or directory"),
                         ("src=box,rw,subpath=/none", "No such file or directory"),
                         ("src=box,nocopy", "of a")):
        who.inro("run", "--mount", f"type=image,dst=/i,{wrong}", "box").fails(words, code=125)


def test_part_of_an_image(anyone):
    """Directories and files, of one layer and of several, by links that lead nowhere out of it."""
    who = anyone
    image(who, entries=(*CONTENT, layers.entry("top", link="../../../.."),
                        layers.entry("abs", link="/vol/sub")))
    who.inro("run", "--name", "c1", "box", "sh", "-c", "echo 2 > /vol/b; rm /vol/a").ok()
    who.inro("commit", "c1", "two").ok()
    who.inro("rm", "c1").ok()
    mounts, looks = [], []
    for number, (how, seen) in enumerate([
            ("src=box,image-subpath=vol/sub", "b c"), ("src=two,image-subpath=./vol/", "b link sub x"),
            ("src=two,subpath=/vol/sub,rw", "b c"), ("src=box,subpath=/abs", "b c"),
            ("src=two,subpath=abs", "b c"), ("src=box,rw,subpath=top/abs", "b c"),
            ("src=two,image-subpath=vol/b", "2"), ("src=box,image-subpath=vol/x", "text"),
            ("src=box,rw=true,subpath=vol/sub/b", "second")]):
        mounts += ["--mount", f"type=image,dst=/m{number},{how}"]
        looks.append(f"/m{number} {seen}\n")
    script = """for m in /m?; do if [ -d $m ]; then echo $m `ls $m`; else echo $m `cat $m`; fi; done
        for m in /m?; do [ ! -d $m ] || touch $m/n || :; done 2>/dev/null
        for m in /m?; do [ -d $m ] || echo n > $m || :; done 2>/dev/null
        echo /m?/n; cat /m8; grep -c ' /m8 overlay' /proc/mounts; stat -c '%u %g' /m1"""
    for options in ([], ["--userns", "private"])[:2 - who.rootless]:
        out = sh(who, [*options, *mounts], script)
        assert out == "".join(looks) + "/m2/n /m5/n\nn\n1\n7 8\n"
    # of one that does not run, too; and it is seen again
    who.inro("create", "--name", "c2", *mounts, "box", "cat", "/m5/b", "/m6").ok()
    who.inro("cp", "c2:/m5/b", who.dir / "b").ok()
    assert (who.dir / "b").read_text() == "second"
    assert who.inro("start", "-a", "c2").ok().out == "second2\n"
    who.inro("rmi", "two").fails("is using its referenced image", code=1)


def test_files_by_a_pattern(anyone):
    """type=glob: names with a dot in front, too; each where the target says, or at its own path."""
    who = anyone
    image(who)
    for name in ("libs/one.so", "libs/.two.so", "libs/three", "libs/dir.so/in", "more/x.so"):
        path = who.dir / "li*s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for path in (who.dir / "li*s", *(who.dir / "li*s").rglob("*")):
        who.own(path)
        path.chmod(0o755)
    there = f"{who.dir}/li[*]s"
    out = sh(who, ["--mount", f"type=glob,src={there}/*s/*.so,dst=/l/,ro", "--mount",
                   f"type=glob,source={there}/m*/?.so"], f"""
        cd /l; ls -a; cat one.so .two.so dir.so/in; touch one.so || cat "{who.dir}/li*s/more/x.so" """)
    assert out == (".\n..\n.two.so\ndir.so\none.so\n"
                   "libs/one.solibs/.two.solibs/dir.so/inmore/x.so")
    run = ("run", "--rm", "--mount")
    out = who.inro(*run, "type=glob,src=./l*/t*,dst=/t", "box", "cat", "/t/three", cwd=who.dir / "li*s")
    assert out.ok().out == "libs/three"
    # ".." is what the kernel takes it for
    (who.dir / "link").symlink_to("li*s/libs")
    out = sh(who, ["--mount", f"type=glob,src={who.dir}/link/../m*/x.so,dst=/l"], "cat /l/x.so")
    assert out == "more/x.so"
    for wrong, words in ((f"src={there}/x*,dst=/l", "no file paths matching glob"),
                         ("src=l*,dst=/l", "is a relative path"), ("dst=/l", "source is empty"),
                         (f"src={there}/*/*.so,dst=l", "must be absolute"),
                         ("src=/", "can't be")):
        who.inro(*run, f"type=glob,{wrong}", "box").fails(words, code=125)


def test_ramfs(anyone):
    who = anyone
    image(who)
    script = "grep -c '^ramfs /r ramfs rw,nosuid,nodev,noexec' /proc/mounts; echo yes > /r/f; cat /r/f"
    who.inro("create", "--name", "c1", "--mount", "type=ramfs,dst=/r", "box", "sh", "-c", script).ok()
    assert who.inro("start", "-a", "c1").ok().out == "1\nyes\n"
    (found,) = json.loads(who.inro("inspect", "c1").ok().out)
    assert [(m["Type"], m["Source"], m["Destination"]) for m in found["Mounts"]] == [
        ("ramfs", "", "/r")]
    for wrong in ("src=/x", "tmpfs-size=1m", "U"):
        who.inro("run", "--mount", f"type=ramfs,dst=/r,{wrong}", "box").fails("ramfs", code=125)


def test_volumes_that_do_not_come_to_be(anyone):
    """One can't be made: nothing of the other stays."""
    who = anyone
    image(who)
    sh(who, ["-v", "old:/o"], "touch /o/f")
    directory(who, "bad").write_text("no directory")
    who.own(directory(who, "bad"))
    who.inro("run", "-v", "new:/n", "-v", "old:/o", "-v", "bad:/b", "box").fails("bad", code=125)
    directory(who, "bad").unlink()
    assert os.listdir(directory(who)) == ["old"] == volumes(who)
    healthy(who)


def test_export_and_import(anyone):
    who = anyone
    image(who, entries=CONTENT)
    sh(who, ["-v", "data:/vol"], "echo hidden > /vol/.wh.name")
    packed = who.inro("volume", "export", "-o", "out.tar", "data").ok()
    assert packed.out == ""
    who.inro("volume", "create", "copy").ok()
    sh(who, ["-v", "copy:/c:nocopy"], "echo old > /c/a; echo kept > /c/kept")
    who.inro("volume", "import", "copy", "out.tar").ok()
    assert sh(who, ["-v", "copy:/vol"], LOOK) == SEEN
    assert sh(who, ["-v", "copy:/c"], "cat /c/kept /c/.wh.name") == "kept\nhidden\n"
    # compressed, from a pipe
    blob = layers.zstd((who.dir / "out.tar").read_bytes())
    who.inro("volume", "create", "again").ok()
    who.inro("volume", "import", "again", "-", input=blob).ok()
    assert sh(who, ["-v", "again:/vol"], LOOK) == SEEN
    who.inro("volume", "import", "none", "out.tar").fails("get none: no such volume", code=125)
    who.inro("volume", "import", "again", "-", input=b"no tar" * 1000).fails("again", code=125)
    hostile = layers.tar(layers.entry("up", link="../../../.."),
                         layers.entry("up/escaped", "out"), layers.entry("../beside", "out"))
    who.inro("volume", "import", "again", "-", input=hostile)
    found = [n for _, _, names in os.walk(who.state) for n in names if n in ("escaped", "beside")]
    assert all((directory(who, "again/_data") / n).exists() for n in found)


def test_what_killed_commands_leave(anyone):
    who = anyone
    # killed before the database was told: it is still there
    who.inro("volume", "create", "kept").ok()
    (directory(who, "kept/_data/file")).write_text("here")
    directory(who, "kept").rename(directory(who, ".kept"))
    # and after: it is gone, and so it is for a new one of its name
    for name in (".gone", ".anew", "_0123"):
        (directory(who, name) / "_data").mkdir(parents=True)
        (directory(who, name) / "_data/file").write_text("old")
        for path in (directory(who, name), directory(who, name) / "_data"):
            who.own(path)
    who.inro("volume", "create", "anew").ok()
    assert os.listdir(directory(who, "anew/_data")) == []
    healthy(who)
    assert sorted(os.listdir(directory(who))) == ["anew", "kept"]
    assert directory(who, "kept/_data/file").read_text() == "here"


def set_immutable(path, flag):
    with open(path, encoding="ascii") as file:
        try:
            fcntl.ioctl(file, 0x40086602, struct.pack("l", flag))  # FS_IOC_SETFLAGS
        except OSError as e:
            harness.machine_cannot(f"FS_IMMUTABLE_FL: {e.strerror}")


def test_files_that_stay_are_told_of(root):
    root.inro("volume", "create", "data").ok()
    path = pathlib.Path(root.inro("volume", "inspect", "-f", "{{.Mountpoint}}", "data").ok().out.strip())
    (path / "file").touch()
    set_immutable(path / "file", 0x10)
    try:
        r = root.inro("volume", "rm", "data").ok()
    finally:
        [left] = path.parent.parent.glob("*/_data/file")
        set_immutable(left, 0)
    assert "files of a removed volume stay in" in r.err and "Operation not permitted" in r.err
    # whoever removes the next one removes them
    root.inro("volume", "create", "data").ok()
    assert root.inro("volume", "rm", "data").ok().err == ""
    assert not left.exists()


def test_check(anyone):
    who = anyone
    who.inro("volume", "create", "lost").ok()
    (directory(who, "lost/_data")).rmdir()
    (directory(who, "lost")).rmdir()
    (directory(who, "found/_data")).mkdir(parents=True)
    (directory(who, "found/_data/file")).write_text("precious")
    for path in ("found", "found/_data", "found/_data/file"):
        who.own(directory(who, path))
    done = who.inro("system", "check")
    done.fails("damage detected", code=125)
    assert "volume lost has no directory: its files are lost" in done.out
    assert "Leftover volumes/found" in done.out and volumes(who) == ["lost"]
    done = who.inro("system", "check", "--repair").ok()
    assert "an empty one was made" in done.out and "it is one again" in done.out
    assert volumes(who) == ["found", "lost"]
    assert directory(who, "found/_data/file").read_text() == "precious"
    healthy(who)


def test_the_log_of_the_database_stays_small(anyone):
    """Each of these commands writes once, and the next one reads the whole log."""
    log = anyone.state / "inro/inro.db-wal"
    largest = 0
    for number in range(70):
        anyone.inro("volume", "create", f"v{number}").ok()
        largest = max(largest, log.stat().st_size)
    assert 0 < largest < 120 * 4120
