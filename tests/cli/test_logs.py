# SPDX-License-Identifier: Apache-2.0
"""inro logs: what was printed comes out again, of one container and of several."""

import calendar
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import engine
import harness

BASE = calendar.timegm((2026, 1, 2, 15, 4, 5))  # 2026-01-02T15:04:05Z


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(BASE + seconds)) + ".000000000Z"


class Logged:
    """A container whose log is written by the monitor's code, at times of our own."""

    def __init__(self, who, name, driver="cri"):
        self.who, self.name, self.driver = who, name, driver
        self.max_size, self.max_files = 10 << 20, 3
        if not who.inro("image", "exists", "box").code == 0:
            engine.box(who)
        who.inro("run", "--name", name, "box", "true").ok()
        self.id = who.inro("ps", "-lq", "--no-trunc").ok().out.strip()
        self.dir = who.state / "inro/containers" / self.id
        for path in self.dir.glob("ctr.log*"):
            path.unlink()

    def write(self, text, stream="stdout", at=0, attrs=()):
        data = text if isinstance(text, bytes) else text.encode()
        self.who.run(self.who.program("tests/faults/logwriter"), self.dir, self.driver, self.max_size,
                     self.max_files, stream, int((BASE + at) * 1_000_000_000), *attrs,
                     input=data).ok()
        return self

    def logs(self, *options):
        return self.who.inro("logs", *options, self.name).ok()


def both(who, *args):
    """What a terminal would show."""
    return who.inro(*args, stderr=subprocess.STDOUT).ok().out


def test_streams_are_kept_apart(anyone):
    web = Logged(anyone, "web").write("one\n").write("oops\n", "stderr", 1).write("two\n", at=2)
    r = web.logs()
    assert (r.out, r.err) == ("one\ntwo\n", "oops\n")
    assert both(anyone, "logs", "web") == "one\noops\ntwo\n"
    assert anyone.inro("container", "logs", web.id[:8]).ok().out == "one\ntwo\n"
    assert anyone.inro("logs", "-l").ok().out == "one\ntwo\n"
    assert oct((web.dir / "ctr.log").stat().st_mode & 0o777) == "0o600"


def test_bytes_are_not_changed(root):
    data = bytes(range(256)) * 300 + b"\r\n" + b"x" * 70000 + b"\nno newline at the end"
    web = Logged(root, "web").write(data)
    r = subprocess.run(web.who.inro_argv("logs", "web"), capture_output=True, check=True,
                       **web.who._as_user({}))
    assert r.stdout == data and r.stderr == b""


def test_tail(root):
    web = Logged(root, "web")
    web.write("".join(f"line {i}\n" for i in range(1000)))
    web.write("x" * 50000 + "\n", "stderr", 1).write("last", at=2)
    assert web.logs("-n", "3").out == "line 999\nlast"
    assert web.logs("-n", "3").err == "x" * 50000 + "\n"
    assert web.logs("--tail=0").out == ""
    for everything in ("all", "-1", "5000"):
        assert web.logs("--tail", everything).out.count("\n") == 1000
    root.inro("logs", "-n", "many", "web").fails('invalid number of lines "many"', code=125)


def test_times(root):
    web = Logged(root, "web")
    for i in range(5):
        web.write(f"{i}\n", at=i)
    assert web.logs("--since", stamp(3)).out == "3\n4\n"
    assert web.logs("--until", str(BASE + 1)).out == "0\n1\n"
    assert web.logs("--since", str(BASE + 1.5), "--until", "2026-01-02T16:04:08.5+01:00").out == \
        "2\n3\n"
    assert web.logs("--until", stamp(3), "-n", "2").out == "2\n3\n"
    assert web.logs("--since", "1h").out == ""
    assert web.logs("--until", "1s").out == "0\n1\n2\n3\n4\n"
    root.inro("logs", "--since", "noon", "web").fails('invalid time "noon"', code=125)


def test_timestamps(root):
    web = Logged(root, "web").write("a\n" + "b" * 20000 + "\n").write("c", "stderr", 1)
    assert both(root, "logs", "-t", "web") == \
        f"{stamp(0)} a\n{stamp(0)} {'b' * 20000}\n{stamp(1)} c"


def test_json_file(root):
    web = Logged(root, "web", "json")
    web.write("one\n\x1b[1m\u00e9\"\\\n", attrs=['{"app":"a b","tier":"x/y"}']).write("end", "stderr")
    first = json.loads((web.dir / "ctr.log").read_text().splitlines()[0])
    assert first == {"log": "one\n", "stream": "stdout", "time": stamp(0),
                     "attrs": {"app": "a b", "tier": "x/y"}}
    assert web.logs().out == "one\n\x1b[1m\u00e9\"\\\n"
    assert web.logs("--details", "-t").out.splitlines()[0] == f"{stamp(0)} app=a+b,tier=x%2Fy one"
    assert web.logs("--details").err == " end"


def test_rotated_files(root):
    web = Logged(root, "web")
    web.max_size = 500
    lines = [f"line {i}\n" for i in range(200)]
    web.write("".join(lines))
    assert sorted(p.name for p in web.dir.glob("ctr.log*")) == ["ctr.log", "ctr.log.1", "ctr.log.2"]
    kept = web.logs().out
    assert kept and "".join(lines).endswith(kept)
    assert 20 <= kept.count("\n") <= 30
    assert web.logs("-n", "15").out == "".join(lines[-15:])


def test_several(anyone):
    web, db = Logged(anyone, "web"), Logged(anyone, "db")
    for i in range(3):
        web.write(f"w{i}\n", at=2 * i)
        db.write(f"d{i}\n", at=2 * i + 1)
    assert both(anyone, "logs", "--names", "web", "db") == \
        "web w0\ndb d0\nweb w1\ndb d1\nweb w2\ndb d2\n"
    assert both(anyone, "logs", "-n", "1", "-t", "db", "web") == \
        f"{web.id[:12]} {stamp(4)} w2\n{db.id[:12]} {stamp(5)} d2\n"
    # a line without an end doesn't run into another container's
    web.write("w?", at=6)
    db.write("d3\n", at=7)
    assert both(anyone, "logs", "--names", "-n", "1", "web", "db") == "web w?\ndb d3\n"
    assert both(anyone, "logs", "--names", "web") == "w0\nw1\nw2\nw?"


def test_nothing_to_show(anyone):
    anyone.inro("logs", "-l").fails("there are no containers", code=1)
    anyone.inro("run", "--name", "web", engine.box(anyone), "true").ok()
    for path in (anyone.state / "inro/containers").glob("*/ctr.log"):
        path.unlink()
    r = anyone.inro("logs", "web").ok()
    assert (r.out, r.err) == ("", "")
    assert anyone.inro("logs", "-f", "web").ok().out == ""
    anyone.inro("logs", "web", "nobody").fails("No such container: nobody", code=1)
    anyone.inro("logs").fails("requires at least 1 argument", code=125)
    anyone.inro("logs", "-l", "web").fails("either --latest or", code=125)


def test_lines_that_are_no_records(root):
    web = Logged(root, "web").write("one\n")
    with open(web.dir / "ctr.log", "ab") as f:
        f.write(b"what is this\n\n" + b"\xff" * 100 + b"\n")
    web.write("two\n")
    r = web.logs()
    assert r.out == "one\ntwo\n" and "3 lines that are no records" in r.err


def follow(who, *args):
    return who.popen(*who.inro_argv("logs", "-f", *args), stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE)


def running(who, name):
    """A container that runs, with a log that only the test writes to."""
    client = engine.start(who, "--name", name, engine.box(who), "sh", "-c",
                          "echo ready; exec sleep 1000")
    logged = Logged.__new__(Logged)
    logged.who, logged.name, logged.driver = who, name, "cri"
    logged.max_size, logged.max_files = 500, 100
    logged.id = who.inro("ps", "-lq", "--no-trunc").ok().out.strip()
    logged.dir = who.state / "inro/containers" / logged.id
    for path in logged.dir.glob("ctr.log*"):
        path.unlink()
    return client, logged


def test_follow(anyone):
    client, web = running(anyone, "web")
    web.write("first\nold\n")
    reader = follow(anyone, "-n", "1", "web")
    assert reader.stdout.readline() == b"old\n"
    for i in range(30):
        web.write(f"line {i}\n" * 5)  # a file takes 12 lines: rotated again and again
        for _ in range(5):
            assert reader.stdout.readline() == f"line {i}\n".encode()
    web.write("name: ")
    assert os.read(reader.stdout.fileno(), 100) == b"name: "
    assert reader.poll() is None
    # it ends with the container, and misses nothing of what came last
    web.write("the end\n")
    anyone.inro("rm", "-f", "web").ok()
    assert reader.communicate(timeout=10) == (b"\nthe end\n", b"")
    assert reader.returncode == 0
    client.wait(10)


def test_follow_until(root):
    client, web = running(root, "web")
    web.write("one\n")
    start = time.monotonic()
    until = f"{time.time() + 0.6:.3f}"
    assert root.inro("logs", "-f", "--until", until, "web").ok().out == "one\n"
    assert time.monotonic() - start > 0.3
    assert root.inro("logs", "-f", "--until", "1s", "web").ok().out == "one\n"
    # who reads no further ends it
    reader = follow(root, "web")
    reader.stdout.readline()
    reader.stdout.close()
    web.write("two\n")
    assert reader.wait(10) != 0
    reader.stderr.close()
    root.inro("rm", "-f", "web").ok()
    client.wait(10)


def test_follow_several(root):
    (one, web), (two, db) = running(root, "web"), running(root, "db")
    reader = follow(root, "--names", "web", "db")
    for i in range(3):
        web.write(f"{i}\n")
        assert reader.stdout.readline() == f"web {i}\n".encode()
        db.write(f"{i}\n")
        assert reader.stdout.readline() == f"db {i}\n".encode()
    root.inro("rm", "-f", "web").ok()
    db.write("alone\n")
    assert reader.stdout.readline() == b"db alone\n"
    assert reader.poll() is None
    root.inro("rm", "-f", "db").ok()
    assert reader.communicate(timeout=10) == (b"", b"")
    assert reader.returncode == 0
    one.wait(10)
    two.wait(10)


def test_follow_ends_with_a_killed_monitor(root):
    client, web = running(root, "web")
    web.write("one\n")
    reader = follow(root, "web")
    assert reader.stdout.readline() == b"one\n"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "(inro-monitor)" in stat and int(stat.rsplit(")", 1)[1].split()[1]) == client.pid:
            os.kill(int(pid), signal.SIGKILL)
    client.wait(10)
    assert reader.communicate(timeout=10) == (b"", b"")
    harness.wait_for(lambda: "Exited" in root.inro("ps", "-a").out, what="the end")


def detached(who, *args, name="web"):
    who.inro("run", "-d", "--name", name, *args[:-1], engine.box(who), "sh", "-c", args[-1]).ok()


def test_what_a_container_prints(anyone):
    detached(anyone, "echo one; echo oops >&2; printf 'name: '; read x; exec sleep 1000")
    # it is there at once, a prompt a moment later
    harness.wait_for(lambda: "name: " in anyone.inro("logs", "web").out, what="the prompt")
    r = anyone.inro("logs", "web").ok()
    assert (r.out, r.err) == ("one\nname: ", "oops\n")
    assert anyone.inro("logs", "--since", "1m", "-n", "1", "web").ok().out == "name: "
    assert anyone.inro("logs", "--until", "1m", "web").ok().out == ""
    anyone.inro("rm", "-f", "web").ok()


def test_lives_follow_each_other(anyone):
    box = engine.box(anyone)
    client = anyone.inro("run", "--name", "web", box, "sh", "-c", "echo $((1 + 1)); printf end").ok()
    assert client.out == "2\nend"
    assert anyone.inro("logs", "web").ok().out == "2\nend"
    assert anyone.inro("start", "-a", "web").ok().out == "2\nend"
    assert anyone.inro("logs", "-f", "web").ok().out == "2\nend\n2\nend"
    assert anyone.inro("logs", "-n", "2", "web").ok().out == "2\nend"


def test_follow_to_the_end(anyone):
    """Whoever follows gets all that a container prints, however it ends, and ends with it."""
    detached(anyone, "--log-opt", "max-size=20k", "--log-opt", "max-file=100", "--rm",
             "sleep 0.5; seq 1 20000; printf end >&2; kill -9 $$")
    r = anyone.inro("logs", "-f", "web").ok()
    assert r.out == "".join(f"{i}\n" for i in range(1, 20001)) and r.err == "end"


def test_follow_restarts(root):
    detached(root, "--restart", "on-failure:2", "echo here; exit 3")
    # those that have gone by before are shown, too
    assert root.inro("logs", "-f", "web").ok().out == "here\n" * 3


def test_drivers(root):
    box = engine.box(root)
    say = ("sh", "-c", "echo one; echo two")
    root.inro("run", "--name", "none", "--log-driver", "none", box, *say).ok()
    root.inro("logs", "none").fails('has the log driver "none"', code=1)
    root.inro("run", "--name", "json", "--log-driver", "json-file", "--label", "app=x", "--log-opt",
                "labels=app,other", box, *say).ok()
    assert root.inro("logs", "--details", "json").ok().out == "app=x one\napp=x two\n"
    info = json.loads(root.inro("inspect", "json").ok().out)[0]
    assert info["HostConfig"]["LogConfig"] == {
        "Type": "json-file", "Config": {"max-file": "3", "max-size": "10485760"}}
    first = json.loads(pathlib.Path(info["LogPath"]).read_text().splitlines()[0])
    assert (first["log"], first["attrs"]) == ("one\n", {"app": "x"})
    root.inro("run", "--name", "small", "--log-opt", "max-size=300", "--log-opt", "max-file=2",
                "--log-opt", "mode=non-blocking", box, "seq", "1", "100").ok()
    assert root.inro("logs", "small").ok().out.splitlines()[-3:] == ["98", "99", "100"]
    assert 6 <= root.inro("logs", "small").ok().out.count("\n") <= 14
    for words, message in (
            (["--log-driver", "syslog"], "syslog"),
            (["--log-opt", "path=/x"], 'log option "path=/x" is not supported'),
            (["--log-opt", "max-size=much"], "max-size=much"),
            (["--log-opt", "max-file=0"], "from 1 to 100"),
            (["--log-opt", "mode=quick"], "blocking or non-blocking"),
            (["--log-opt", "labels=a"], "needs the log driver json-file")):
        root.inro("run", "--rm", *words, box, "true").fails(message, code=125)


def test_full_disk(root):
    """The container waits until there is room, and nothing is missing then; one that may drop lines
    goes on, and says how many."""
    box = engine.box(root)
    disk = root.state / "inro/containers"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    try:
        root.inro("create", "--name", "wait", box, "sh", "-c", "seq 1 50000; echo done").ok()
        root.inro("create", "--name", "drop", "--log-opt", "mode=non-blocking", box, "sh", "-c",
                  "seq 1 50000; echo done; exec sleep 1000").ok()
        with open(disk / "filler", "wb") as f:
            free = os.statvfs(disk)
            f.write(b"x" * (free.f_bavail * free.f_bsize - (512 << 10)))
        root.inro("start", "wait").ok()
        harness.wait_for(lambda: os.statvfs(disk).f_bavail == 0, what="a full disk")
        root.inro("start", "drop").ok()
        time.sleep(0.3)
        assert root.inro("ps", "--format", "{{.Names}}").ok().out == "drop\nwait\n"
        follower = follow(root, "wait")
        assert follower.stdout.read(1000)
        (disk / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        follower.communicate(timeout=30 * harness.PATIENCE)
        lines = root.inro("logs", "wait").ok().out.splitlines()
        assert lines == [str(i) for i in range(1, 50001)] + ["done"]
        harness.wait_for(lambda: "are missing here" in root.inro("logs", "drop").err, 10, "the notice")
        # an end does not wait for room
        with open(disk / "filler", "wb") as f:
            free = os.statvfs(disk)
            f.write(b"x" * (free.f_bavail * free.f_bsize - (64 << 10)))
        root.inro("start", "wait").ok()
        harness.wait_for(lambda: os.statvfs(disk).f_bavail == 0, what="a full disk")
        # nor does it hide what is missing for ever
        root.inro("kill", "drop", "wait").ok()
        told = root.inro("why", "wait").ok().out
        lines, size = map(int, re.search(
            r"log lacks the last (\d+) lines \((\d+) bytes\) of its output: there was no room", told).groups())
        assert 0 < lines < 50001 and size > 2 * lines
        root.inro("rm", "-f", "wait", "drop").ok()
    finally:
        subprocess.run(["umount", disk], check=True)
