# SPDX-License-Identifier: Apache-2.0
"""inro events: what is told, of what, to whom."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import sqlite3
import subprocess
import time

import pytest

import engine
import harness

TURNS = True

LOOP = "trap 'exit 42' TERM; trap 'exit 7' USR1; echo ready; while :; do sleep 0.02; done"


@pytest.fixture
def box(anyone):
    engine.box(anyone, "box", 'CMD ["true"]')
    yield anyone
    anyone.inro("rm", "-fa").ok()


def told(who, *options, show="{{.Action}}"):
    """All that was told until now."""
    out = who.inro("events", "--stream=false", "--format", show, *options).ok().out
    return out.splitlines()


def of(who, name, show="{{.Action}}"):
    return told(who, "--filter", f"container={name}", show=show)


@contextlib.contextmanager
def following(who, *options):
    """A client that follows; each line is one event."""
    client = who.popen(*who.inro_argv("events", *options), stdout=subprocess.PIPE, bufsize=0)
    watches = pathlib.Path(f"/proc/{client.pid}/fd")
    try:
        # it has begun when it waits: by inotify, after its first look
        harness.wait_for(lambda: any("inotify" in os.readlink(fd) for fd in watches.iterdir()),
                         what="the watch")
        harness.wait_for(lambda: "poll" in pathlib.Path(
            f"/proc/{client.pid}/wchan").read_text(), what="waiting")
        yield client
    finally:
        client.kill()
        client.wait()
        client.stdout.close()


def line_of(client, seconds=10):
    assert select.select([client.stdout], [], [], seconds * harness.PATIENCE)[0], "nothing was told"
    return client.stdout.readline().decode().rstrip("\n")


def database(who):
    return sqlite3.connect(who.state / "inro/inro.db")


def test_life_of_a_container(box):
    box.inro("run", "--rm", "--name", "short", "--label", "a=b", "box", "sh", "-c", "exit 3")
    assert of(box, "short") == ["create", "attach", "start", "die", "destroy"]
    box.inro("run", "-d", "--name", "web", "box", "sh", "-c", LOOP).ok()
    harness.wait_for(lambda: box.inro("logs", "web").out, what="web")
    box.inro("stop", "web").ok()
    box.inro("restart", "web").ok()
    box.inro("rename", "web", "site").ok()
    harness.wait_for(lambda: box.inro("logs", "site").out.count("ready") == 2, what="site")
    box.inro("kill", "-s", "USR1", "site").ok()
    assert box.inro("wait", "site").ok().out == "7\n"
    box.inro("rm", "site").ok()
    show = "{{.Action}} {{.Actor.Attributes.name}}"
    cid = told(box, "-f", "container=site", show="{{.Actor.ID}}")[0]
    assert told(box, "-f", f"container={cid[:12]}", show=show) == [
        "create web", "start web", "kill web", "die web", "stop web", "start web", "restart web",
        "rename site", "kill site", "die site", "destroy site"]
    show = "{{.Action}} {{.Actor.Attributes.signal}} {{.Actor.Attributes.exitCode}} " \
           "{{.Actor.Attributes.oldName}}"
    rows = told(box, "-f", f"container={cid}", show=show)
    assert rows[2] == "kill 15 <no value> <no value>"
    assert rows[3] == "die <no value> 42 <no value>"
    assert rows[7] == "rename <no value> <no value> /web"
    assert rows[8].startswith(f"kill {int(signal.SIGUSR1)} ")
    assert rows[9] == "die <no value> 7 <no value>"


def test_ends_of_all_kinds(box):
    """Each start is followed by one end, whoever sees it."""
    box.inro("run", "--name", "no", "box", "/nothing").fails(code=127)
    assert of(box, "no", "{{.Action}} {{.Actor.Attributes.exitCode}}")[-2:] == [
        "start <no value>", "die 127"]
    box.inro("run", "--name", "twice", "--restart", "on-failure:1", "-d", "box", "false").ok()
    harness.wait_for(lambda: of(box, "twice").count("die") == 2, what="two ends")
    assert of(box, "twice") == ["create", "start", "die", "start", "die"]
    box.inro("run", "-d", "--name", "forced", "box", "sleep", "1000").ok()
    box.inro("rm", "-f", "forced").ok()
    assert of(box, "forced", "{{.Action}} {{.Actor.Attributes.exitCode}}") == [
        "create <no value>", "start <no value>", "kill <no value>", "die 137",
        "destroy <no value>"]
    # by kill -9 of all that could tell: the next command does
    cid = box.inro("run", "-d", "--name", "lost", "box", "sleep", "1000").ok().out.strip()
    state = json.loads((box.run_dir / "inro/runtime" / cid / "state.json").read_text())
    monitor = pathlib.Path(f"/proc/{state['pid']}/stat").read_text().split()[3]
    os.kill(int(monitor), signal.SIGKILL)
    harness.wait_for(lambda: "Exited" in box.inro("ps", "-a", "-f", "name=lost").out, what="repair")
    assert of(box, "lost") == ["create", "start", "die"]


def test_commands_that_are_executed(box):
    box.inro("run", "-d", "--name", "web", "box", "sleep", "1000").ok()
    assert box.inro("exec", "web", "sh", "-c", "exit 3").code == 3
    # what has ended before its client is told of when that has
    show = "{{.Action}} {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.execID}}"
    rows = [row.rsplit(" ", 1) for row in of(box, "web", show)[2:]]
    assert [row[0] for row in rows] == ["exec_create: sh -c exit 3 <no value>",
                                        "exec_start: sh -c exit 3 <no value>", "exec_die 3"]
    assert len({row[1] for row in rows}) == 1 and len(rows[0][1]) == 64
    box.inro("exec", "web", "nothing").fails(code=127)
    box.inro("exec", "-d", "web", "nothing").fails(code=127)
    assert told(box, "-f", "event=exec_die", show="{{.Actor.Attributes.exitCode}}") \
        == ["3", "127", "127"]
    assert len(told(box, "-f", "event=exec_create")) == 3

    def running():
        return json.loads(box.inro("inspect", "-f", "{{json .ExecIDs}}", "web").ok().out)
    with following(box, "-f", "event=exec_die", "--format",
                   "{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.execID}}") as client:
        box.inro("exec", "-d", "web", "sh", "-c",
                 "while [ ! -e /tmp/go ]; do sleep 0.02; done; exit 4").ok()
        ids = running()
        assert len(ids) == 1
        box.inro("exec", "web", "touch", "/tmp/go").ok()
        assert {line_of(client)[:2], line_of(client)[:2]} == {"0 ", "4 "}
        harness.wait_for(lambda: not running(), what="the end")
        # those that are left end with the container
        box.inro("exec", "-d", "web", "sleep", "1000").ok()
        ids = running()
        box.inro("rm", "-f", "web").ok()
        assert line_of(client) == f"137 {ids[0]}"
    execs = box.run_dir / "inro/execs"
    assert os.listdir(execs) == []
    # of commands that were killed before they began: the old one goes, not one that may go on
    old, new = execs / ("." + 64 * "a"), execs / ("." + 64 * "b")
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    told(box, "-f", "event=exec_die")
    assert os.listdir(execs) == [new.name]


def test_pause(root):
    engine.box(root)
    root.inro("run", "-d", "--name", "web", "box", "sleep", "1000").ok()
    root.inro("pause", "web").ok()
    root.inro("unpause", "web").ok()
    root.inro("unpause", "web").fails("not paused", code=1)
    assert of(root, "web") == ["create", "start", "pause", "unpause"]


def test_images(box):
    image = box.inro("images", "-q", "--no-trunc", "box").ok().out.strip()
    box.inro("tag", "box", "other:1").ok()
    box.inro("save", "-o", box.dir / "saved.tar", "other:1").ok()
    box.inro("untag", "box").ok()
    box.inro("rmi", "-f", image).ok()
    box.inro("load", "-i", box.dir / "saved.tar").ok()
    box.inro("create", "--name", "cc", "other:1", "true").ok()
    box.inro("commit", "-m", "mine", "cc", "made").ok()
    rows = told(box, "--filter", "type=image", show="{{.Action}} {{.ID}} {{.Actor.Attributes.name}}")
    assert rows == [
        f"import {image} box:latest", f"tag {image} other:1", f"save {image} {image}",
        f"untag {image} box:latest", f"untag {image} other:1", f"delete {image} {image}",
        f"load {image} other:1"]
    made = box.inro("images", "-q", "--no-trunc", "made").ok().out.strip()
    assert of(box, "cc", "{{.Action}} {{.Actor.Attributes.comment}} {{.Actor.Attributes.imageID}}")[-1] \
        == f"commit mine {made}"


def test_filters(box):
    for name, label in (("one", "n=1"), ("one2", "n=2")):
        box.inro("create", "--name", name, "--label", label, "--label", "all", "box").ok()
    box.inro("rm", "one").ok()
    names = lambda *words: told(box, *[w for word in words for w in ("-f", word)],
                                show="{{.Action}} {{.Name}}")
    assert names("container=one") == ["create one", "destroy one"]
    assert names("container=one", "container=/one2") == ["create one", "create one2", "destroy one"]
    assert names("container=one", "event=destroy") == ["destroy one"]
    assert names("label=n=2") == ["create one2"]
    assert names("label=all", "label=n=1", "event=create") == ["create one"]
    assert names("image=box", "type=container") == ["create one", "create one2", "destroy one"]
    assert names("image=box:latest", "type=image") == ["import box:latest"]
    assert names("image=bo") == [] == names("type=volume")
    assert names("scope=local", "event=import") == ["import box:latest"]
    box.inro("events", "-f", "colour=red").fails('invalid filter "colour=red"', "label", code=125)
    box.inro("events", "-f", "type").fails("name=value", code=125)


def test_times(box):
    box.inro("create", "--name", "one", "box").ok()
    at = told(box, "-f", "container=one", show="{{.TimeNano}}")[0]
    seconds = f"{at[:-9]}.{at[-9:]}"
    assert told(box, "--since", seconds) == ["create"]
    assert told(box, "--until", seconds) == ["import", "create"]
    assert told(box, "--since", "-1h") == [] == told(box, "--until", "1h")
    # a time that is over ends a stream as well
    r = box.inro("events", "--until", seconds, "--format", "{{.Action}}").ok()
    assert r.out.split() == ["import", "create"]
    start = time.monotonic()
    box.inro("events", "--until", "-300ms").ok()
    assert 0.2 < time.monotonic() - start < 5 * harness.PATIENCE
    box.inro("events", "--since", "yesterday").fails('invalid time "yesterday"', code=125)


def test_formats(box):
    cid = box.inro("create", "--name", "one", "--label", "k=v\x1b[1m", "box").ok().out.strip()
    line = box.inro("events", "--stream=false", "-f", "type=container", env={"TZ": "UTC-1"}).ok().out
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+01:00 container create "
                        + cid + r" \(image=box, k=v\x1b\[1m, name=one\)\n", line)
    line = box.inro("system", "events", "--stream=false", env={"TZ": "UTC"}).ok().out
    assert re.match(r"\S+\.\d{9}Z image import sha256:\w{64} \(name=box:latest\)\n", line)
    doc = json.loads(told(box, "-f", "type=container", show="json")[0])
    assert told(box, "-f", "type=container", show="{{json .}}")[0] == json.dumps(
        doc, separators=(",", ":"))
    when = doc.pop("timeNano")
    assert abs(when / 1e9 - time.time()) < 60 * harness.PATIENCE and doc.pop("time") == when // 10**9
    assert doc == {"status": "create", "id": cid, "from": "box", "Type": "container",
                   "Action": "create", "scope": "local",
                   "Actor": {"ID": cid, "Attributes": {"image": "box", "k": "v\x1b[1m",
                                                       "name": "one"}}}
    show = "{{.Status}} {{.From}} {{.Image}} {{.Scope}} {{.Attributes.k | len}}{{.Actor.Attributes.zz}}"
    assert told(box, "-f", "type=container", show=show) == ["create box box local 5<no value>"]
    box.inro("events", "--format", "{{.Colour").fails("--format", code=125)
    box.inro("events", "--stream=false", "--format", "{{.Colour}}").fails("Colour", code=125)
    # on a terminal nothing of a label's steers it
    r = box.run("script", "-qec", " ".join(map(str, box.inro_argv("events", "--stream=false"))),
                "/dev/null").ok()
    assert "k=v?[1m" in r.out


def test_follow(box):
    with following(box, "--format", "{{.Action}} {{.Name}}") as client, \
            following(box, "-f", "event=die", "-f", "event=tag", "--format", "{{.Action}}") as other:
        box.inro("run", "--rm", "--name", "web", "box", "true").ok()
        actions = ["create", "attach", "start", "die", "destroy"]
        assert [line_of(client) for _ in actions] == [f"{action} web" for action in actions]
        assert line_of(other) == "die"
        # the database's log is taken away, and made anew
        with contextlib.closing(database(box)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        box.inro("tag", "box", "again").ok()
        assert line_of(client) == "tag again:latest"


def test_follower_is_woken(box):
    """It does not look every now and then."""
    with following(box, "--format", "{{.TimeNano}}") as client:
        late = []
        for i in range(5):
            box.inro("tag", "box", f"t{i}").ok()
            late.append(time.time_ns() - int(line_of(client)))
    # the first one may have come when it looked anyway
    assert min(late[1:]) < 500e6, late


def test_old_ones_go(box):
    """Both by number and by age."""
    now, day = time.time_ns(), 24 * 3600 * 10**9
    with contextlib.closing(database(box)) as db:
        row = "INSERT INTO events VALUES (?, ?, 'image', 'old', 'x', NULL, NULL, '', '')"
        db.execute("DELETE FROM events")
        db.executemany(row, [(seq, now) for seq in range(1, 20 * 1024)])
        db.commit()
        box.inro("tag", "box", "new").ok()
        assert db.execute("SELECT count(*), max(seq) FROM events").fetchone() == (10000, 20480)
        db.execute("DELETE FROM events")
        db.executemany(row, [(seq, now - (31 if seq < 1000 else 29) * day)
                             for seq in range(900, 1024)])
        db.commit()
        box.inro("tag", "box", "newer").ok()
        assert db.execute("SELECT min(seq), max(seq) FROM events").fetchone() == (1000, 1024)


def test_killed_writer_tells_all_or_nothing(box):
    """What is in the database and what is told of it agree, wherever a command is killed."""
    for i in range(harness.rounds(12)):
        client = box.popen(*box.inro_argv("run", "-d", "--name", f"c{i}", "box", "sleep", "1000"),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.0007 * i)
        client.kill()
        client.wait()
    box.inro("ps", "-aq").ok()
    there = set(box.inro("ps", "-a", "--format", "{{.Names}}").ok().out.split())
    told_of = {}
    for row in told(box, "-f", "type=container", show="{{.Name}} {{.Action}}"):
        name, action = row.split()
        told_of.setdefault(name, []).append(action)
    assert {n for n, a in told_of.items() if "destroy" not in a} == there
    for actions in told_of.values():
        assert actions[0] == "create" and actions.count("die") <= actions.count("start")


def test_of_each_user(root, user):
    engine.box(root)
    assert told(user) == [] and told(root) == ["import"]
