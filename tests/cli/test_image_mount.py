# SPDX-License-Identifier: Apache-2.0
"""inro unshare, image mount, image unmount."""

import json
import os
import pathlib
import shlex

import engine
import harness
from layers import docker_archive, entry, tar, xattr

LOWER = [entry("d/", mode=0o751, uid=3, gid=4), entry("d/kept", "a"), entry("d/gone", "b"),
         entry("again/"), entry("again/hidden", "x"), entry("suid", "x", mode=0o4755, uid=7)]
UPPER = [entry("d/", mode=0o751, uid=3, gid=4), entry("d/.wh.gone"), entry("again/"),
         entry("again/.wh..wh..opq"), entry("again/new", "y"), xattr("noted", "n", user__note="v")]


def load(who, *layers, tags=("mt:1",)):
    who.inro("load", input=docker_archive([tar(*one) for one in layers], tags=tags)).ok()
    return tags[0]


def inside(who, script, *args, **kw):
    """The script by sh, in `inro unshare`; $inro is inro with this test's store."""
    env = {"inro": shlex.join(map(str, who.inro_argv()))}
    return who.run(*who.inro_argv("unshare", "sh", "-ec", script, "sh", *args), env=env, **kw)


def image_id(who, word):
    return json.loads(who.inro("inspect", word).ok().out)[0]["Id"].removeprefix("sha256:")


def test_refused_outside(anyone):
    load(anyone, LOWER)
    for args in (["mount", "mt:1"], ["mount"], ["mount", "--all"], ["unmount", "mt:1"],
                 ["umount", "--all"]):
        anyone.inro("image", *args).fails("inside of `inro unshare` only", "hint: inro unshare", code=125)
    # A variable that was carried out of the namespace opens no door.
    carried = inside(anyone, "echo $INRO_UNSHARED").ok().out.strip()
    assert carried
    anyone.inro("image", "mount", "mt:1", env={"INRO_UNSHARED": carried}).fails("inro unshare")


def test_tree(anyone):
    load(anyone, LOWER, UPPER)
    r = inside(anyone, "m=$($inro image mount mt:1); echo $m; cd $m; ls -A . d again; cat d/kept again/new;"
               "stat -c '%n %a %u %g' d suid; ! touch d/x 2>/dev/null; ! rm suid 2>/dev/null").ok()
    lines = r.out.splitlines()
    root = anyone.run_dir / "inro/mounts" / image_id(anyone, "mt:1") / "fs"
    assert lines[0] == str(root)
    assert lines[1:] == [".:", "again", "d", "noted", "suid", "", "again:", "new", "", "d:", "kept",
                         "ay" "d 751 3 4", "suid 4755 7 0"]
    # Outside there is nothing of it, and nothing stays.
    assert list((anyone.run_dir / "inro/mounts").iterdir()) == []


def test_mounts_are_not_seen_on_the_host(anyone):
    load(anyone, LOWER)
    mark = anyone.dir / "mark"
    with anyone.popen(*anyone.inro_argv("unshare", "sh", "-ec",
                                        f'inro="{shlex.join(map(str, anyone.inro_argv()))}";'
                                        f"ls $($inro image mount mt:1)/d >{mark}.part; mv {mark}.part {mark};"
                                        "cat"), stdin=-1) as process:
        harness.wait_for(mark.exists, 10, "the mount")
        assert mark.read_text() == "gone\nkept\n"
        here = pathlib.Path("/proc/self/mountinfo").read_text()
        there = pathlib.Path(f"/proc/{process.pid}/mountinfo").read_text()
        assert "/inro/mounts" in there and "/inro/mounts" not in here
        assert os.listdir(anyone.run_dir / "inro/mounts") == []
        # Two namespaces do not know of each other.
        assert inside(anyone, "$inro image mount").ok().out == ""
        process.stdin.close()


def test_count(anyone):
    load(anyone, LOWER)
    iid = image_id(anyone, "mt:1")
    r = inside(anyone, "a=$($inro image mount mt:1); b=$($inro image mount mt:1); [ $a = $b ];"
               "$inro image unmount mt:1; ls $a; $inro image umount mt:1; [ ! -e $a ]; "
               "$inro image unmount mt:1; echo end").ok()
    assert r.out.split() == [iid, "again", "d", "suid", iid, "end"]
    r = inside(anyone, "a=$($inro image mount mt:1); $inro image mount mt:1 >/dev/null;"
               "$inro image unmount --force mt:1; [ ! -e $a ]; $inro image mount").ok()
    assert r.out.split() == [iid]
    inside(anyone, "$inro image unmount no-such-image").fails("No such image: no-such-image")
    inside(anyone, "$inro image mount no-such-image").fails("No such image: no-such-image")
    inside(anyone, "$inro image unmount").fails("must be specified")
    inside(anyone, "$inro image mount --all mt:1").fails("--all")


def test_listing(anyone):
    load(anyone, LOWER, tags=("mt:1", "mt:also"))
    load(anyone, LOWER, UPPER, tags=("two:1",))
    ids = {name: image_id(anyone, name) for name in ("mt:1", "two:1")}
    top = anyone.run_dir / "inro/mounts"
    r = inside(anyone, "$inro image mount --all >/dev/null; $inro image mount; echo; $inro image mount mt:1 two:1;"
               "echo; $inro image unmount --all; $inro image mount").ok()
    listed, both, gone = (part.splitlines() for part in r.out.split("\n\n"))
    want = {("docker.io/library/" + name, f"{top}/{iid}/fs") for name, iid in ids.items()}
    assert {tuple(line.split()) for line in listed} == want
    assert [tuple(line.split()) for line in both] == sorted(want)
    # Those two were mounted twice.
    assert sorted(gone[:2]) == sorted(ids.values()) and len(gone) == 4
    r = inside(anyone, "$inro image mount --format json mt:1").ok()
    row = json.loads(r.out)[0]
    assert (row["id"], row["mountpoint"]) == (ids["mt:1"], f"{top}/{ids['mt:1']}/fs")
    assert set(row["Repositories"]) == {"docker.io/library/mt:1", "docker.io/library/mt:also"}
    assert row["Names"][0].startswith("sha256:")


def test_layers_alone(anyone):
    """Overlayfs takes no single directory; marks of a lowest layer are not to be seen."""
    load(anyone, [entry(".wh.nothing"), entry("f", "x")])
    assert inside(anyone, "ls -A $($inro image mount mt:1)").ok().out == "f\n"
    load(anyone, tags=("none:1",))
    assert inside(anyone, "cd $($inro image mount none:1); ls -A; ! touch x 2>/dev/null").ok().out == ""


def test_whiteouts_of_nothing(anyone):
    """What hides nothing is not to be seen either, in directories that no other layer has."""
    odd = [entry("new/", mode=0o711, uid=3), entry("new/.wh.gone"), entry("new/kept", "x"),
           entry("new/not/named/f", "x"), entry("new/not/named/.wh.x"), entry("d/.wh.gone"),
           entry("late/.wh.a"), entry("late/b", "b"), entry("late/.wh..wh..opq")]
    load(anyone, LOWER + [entry("late/", mode=0o700), entry("late/old")], odd)
    load(anyone, odd, tags=("alone:1",))
    look = ("cd $($inro image mount $1); for d in new new/not/named d late; do ls -A $d; done;"
            "stat -c '%a %u' new d late; ls -l new >/dev/null")
    r = inside(anyone, look, "mt:1").ok()
    assert r.out.split() == ["kept", "not", "f", "kept", "b", "711", "3", "751", "3", "700", "0"] and r.err == ""
    r = inside(anyone, look, "alone:1").ok()
    assert r.out.split() == ["kept", "not", "f", "b", "711", "3", "755", "0", "755", "0"] and r.err == ""
    assert "no damage" in anyone.inro("system", "check").ok().out


def test_devices_and_programs_are_dead(root):
    cap = bytes.fromhex("0100000200200000000000000000000000000000").decode("latin-1")
    load(root, [entry("null", kind=b"3", devmajor=1, devminor=3, mode=0o666),
                xattr("f", security__capability=cap)])
    r = inside(root, "cd $($inro image mount mt:1); ! cat null; stat -c %F null; grep ' '$PWD' ' "
               "/proc/self/mountinfo").ok()
    assert "Permission denied" in r.err and "character special file" in r.out
    assert "nosuid" in r.out and "nodev" in r.out and " ro," in r.out


def test_removed_meanwhile(anyone):
    """Its files stay until the last process has gone, then the next removal takes them along."""
    load(anyone, LOWER)
    load(anyone, UPPER, tags=("two:1",))
    layers = anyone.state / "inro/layers"
    r = inside(anyone, "m=$($inro image mount mt:1); $inro rmi mt:1 >/dev/null; cat $m/d/kept; $inro image mount;"
               "$inro image unmount --all").ok()
    iid = r.out.split()[-1]
    assert r.out.startswith("a") and f"sha256:{iid}" in r.out and len(iid) == 64
    anyone.inro("rmi", "two:1").ok()
    assert list(layers.iterdir()) == []


def test_unmount_by_a_name_that_has_moved(anyone):
    """What was mounted by a name is unmounted by it, whatever has the name by then."""
    load(anyone, LOWER)
    load(anyone, UPPER, tags=("two:1",))
    first, second = image_id(anyone, "mt:1"), image_id(anyone, "two:1")
    r = inside(anyone, "$inro image mount mt:1 >/dev/null; $inro tag two:1 mt:1; $inro image unmount mt:1;"
               "$inro image mount | wc -l").ok()
    assert r.out.split() == [first, "0"]
    # which it means now comes first
    r = inside(anyone, f"$inro tag {first} mt:1; $inro image mount mt:1 >/dev/null; $inro tag two:1 mt:1;"
               "$inro image mount mt:1 >/dev/null; $inro image unmount mt:1; $inro image unmount mt:1;"
               "$inro image unmount mt:1").ok()
    assert r.out.split() == [second, first]
    # a name of two that are mounted, and of neither now
    r = inside(anyone, f"$inro tag {first} mt:1; $inro image mount mt:1 >/dev/null; $inro tag two:1 mt:1;"
               "$inro image mount mt:1 >/dev/null; $inro untag two:1 mt:1; $inro image unmount mt:1")
    r.fails("several mounted images were called mt:1", "by its id")
    # one that has been removed, by a part of its id
    r = inside(anyone, f"$inro image mount {first} >/dev/null; $inro rmi {first} >/dev/null;"
               f"$inro image unmount {first[:12]}").ok()
    assert r.out.strip() == first
    inside(anyone, "$inro image unmount nothing:1").fails("No such image: nothing:1")


def test_command_and_exit_status(anyone):
    run = anyone.run
    assert run(*anyone.inro_argv("unshare", "sh", "-c", "exit 7")).code == 7
    run(*anyone.inro_argv("unshare", "no-such-command"), env={"PATH": "/usr/bin:/bin"}).fails(
        "no-such-command", code=127)
    run(*anyone.inro_argv("unshare", "/etc/passwd")).fails("Permission denied", code=126)
    shell = anyone.dir / "shell"
    shell.write_text("#!/bin/sh\nid -u; echo args $#\n")
    shell.chmod(0o755)
    assert run(*anyone.inro_argv("unshare"), env={"SHELL": str(shell)}).ok().out == "0\nargs 0\n"
    assert run(*anyone.inro_argv("unshare"), env={"SHELL": ""}, input="echo $0\n").ok().out == "/bin/sh\n"


def test_of_a_user(user):
    """The ids of images, as they are; and inro is what it is outside."""
    name = engine.box(user)
    script = ("cat /proc/self/uid_map; stat -c '%u' $1; $inro images -q; $inro load -qi $2 >/dev/null;"
              "$inro run --rm $3 sh -c 'echo run'")
    archive = user.dir / "a.tar"
    archive.write_bytes(docker_archive([tar(*LOWER)], tags=("mt:1",)))
    r = inside(user, script, user.dir, archive, name).ok()
    assert r.out.splitlines()[0].split() == ["0", str(user.uid), "1"]
    assert "0" in r.out.splitlines() and r.out.splitlines()[-1] == "run"
    # What was loaded in there is as if it had been loaded outside.
    look = "stat -c '%u %g %a' $($inro image mount mt:1)/d $($inro image mount mt:1)/suid"
    assert inside(user, look).ok().out == "3 4 751\n7 0 4755\n"
    r = inside(user, "$inro unshare sh -c \"ls $($inro image mount mt:1); $inro image mount mt:1\"").ok()
    assert "/inro/mounts/" in r.out
