# SPDX-License-Identifier: Apache-2.0
"""inro top and stats."""

import json
import os
import re
import signal
import subprocess

import pytest

import engine
import fuse
import harness

BUSY = "echo ready; while :; do :; done"


@pytest.fixture
def web(anyone):
    with engine.running(anyone, "web"):
        yield anyone


def test_top(web):
    lines = web.inro("top", "web").ok().out.splitlines()
    assert lines[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert len(lines) == 2 and lines[1].endswith("sleep 1000")
    assert os.readlink(f"/proc/{lines[1].split()[1]}/ns/pid") != os.readlink("/proc/self/ns/pid")
    # options that say nothing of which processes; and one that can't be told which
    for options in [], ["-e", "f"]:
        r = web.inro("top", "web", *options, "-o", "pid,args").ok()
        lines = [line.split(maxsplit=1) for line in r.out.splitlines()]
        assert lines[0] == ["PID", "COMMAND"] and len(lines) == 2 and "sleep 1000" in lines[1][1]
        assert r.err == ""
    assert "sleep 1000" in web.inro("container", "top", "-l", "aux").ok().out
    web.inro("top", "web", "-o", "args").fails("PID", code=125)
    web.inro("top", "web", "--no-such-option").fails("ps: ", code=125)
    web.inro("top").fails("top needs a container", code=125)


ALL = ("args capamb capbnd capeff capinh capprm comm etime group groups hgroup hgroups hpid huser label "
       "nice pcpu pgid pid ppid rgroup rss ruser seccomp state stime time tty user vsz")


def test_words_of_podman(anyone):
    name = ("sh", "-c", "echo web:x:7:9::/: >>/etc/passwd; echo webs:x:9: >>/etc/group; echo ready; "
            "trap : TERM; while :; do sleep 0.1; done")
    anyone.inro("run", "-d", "--name", "web", engine.box(anyone), *name).ok()
    harness.wait_for(lambda: "ready" in anyone.inro("logs", "web").out, what="ready")
    anyone.inro("exec", "-d", "--user", "7:9", "web", "sleep", "1000").ok()
    anyone.inro("exec", "-d", "web", "sh", "-c", "sleep 2000; : \x1b[31m").ok()

    def top(*words):
        lines = [re.split(r" {3,}", line) for line in
                 anyone.inro("top", "web", *words).ok().out.splitlines()]
        return lines[0], {row[0]: row for row in lines[1:] if not row[0].startswith("sleep 0.1")}

    titles, rows = harness.wait_for(
        lambda: (lambda t: t if len(t[1]) >= 4 else None)(
            top("args,pid", "ppid", "user,group,seccomp", "capeff", "state", "%n", "tty,groups")),
        what="the command")
    assert titles == ["COMMAND", "PID", "PPID", "USER", "GROUP", "SECCOMP", "EFFECTIVE CAPS", "STATE",
                      "NI", "TTY", "GROUPS"]
    assert rows["sleep 1000"][2:8] == ["0", "web", "webs", "filter", "none", "S"]
    assert rows["sleep 1000"][10] == "webs"
    first = rows[next(key for key in rows if key.startswith("sh -c echo"))]
    assert first[1:6] == ["1", "0", "root", "root", "filter"] and first[9] == "?"
    assert "AUDIT_WRITE,CHOWN,DAC_OVERRIDE" in first[6] and "SYS_ADMIN" not in first[6]
    # what it is here
    pid = anyone.inro("inspect", "--format", "{{.State.Pid}}", "web").ok().out.strip()
    titles, rows = top("pid,comm,hpid,huser")
    assert titles == ["PID", "COMMAND", "HPID", "HUSER"]
    assert rows["1"][1:3] == ["sh", pid] and (rows["1"][3] == "root") != anyone.rootless
    titles, rows = top(*ALL.split())
    assert len(titles) == len(ALL.split())
    row = next(row for key, row in rows.items() if key.startswith("sh -c echo"))
    assert len(row) == len(titles) and row[titles.index("VSZ")].isdigit()
    assert re.fullmatch(r"[0-9.]+m?s", row[titles.index("ELAPSED")])
    assert re.fullmatch(r"[0-9]+\.[0-9]{3}", row[titles.index("%CPU")])
    assert any("?[31m" in key for key in top("args")[1])
    anyone.inro("top", "web", "pid", "nothing").fails("ps: ", code=125)


def test_files_that_do_not_answer(root):
    """A filesystem of the container's own holds up whoever looks names up there: not us."""
    with engine.running(root, "web"):
        pid = int(root.inro("inspect", "-f", "{{.State.Pid}}", "web").ok().out)
        with fuse.Hanging(pid, "/etc", fuse.LOOKUP) as fs:
            r = root.inro("top", "web", "user", "group", "hpid", timeout=20).ok()
            assert fs.asked.is_set()
            assert r.out.splitlines()[1].split() == ["0", "0", str(pid)]
            assert "do not answer" in r.err


def test_cve_2022_1227_nothing_of_the_container_is_executed(web):
    """The machine's ps(1) looks from outside, whatever the container has under such names."""
    trap = "for p in ps nsenter; do rm -f /bin/$p; printf '#!/bin/sh\\n>/executed\\n' >/bin/$p; chmod 755 /bin/$p; done"
    web.inro("exec", "web", "sh", "-c", trap).ok()
    assert "sleep 1000" in web.inro("top", "web").ok().out
    web.inro("exec", "web", "sh", "-c", "test -e /executed").fails(code=1)
    web.inro("exec", "web", "/bin/ps").ok()
    web.inro("exec", "web", "sh", "-c", "test -e /executed").ok()


def test_top_shows_what_exec_runs(web):
    client = web.popen(*web.inro_argv("exec", "web", "sh", "-c", "echo ready; exec sleep 2000"),
                       stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"ready\n"
    out = web.inro("top", "web").ok().out
    assert "sleep 1000" in out and "sleep 2000" in out and len(out.splitlines()) == 3
    web.inro("kill", "web").ok()
    assert client.wait(10) == 137
    web.inro("top", "web").fails("container web is not running", code=125)
    web.inro("top", "nothing").fails("No such container: nothing", code=125)


def can_count(who, name):
    r = who.inro("stats", "--no-stream", name)
    if who.rootless and r.code:
        r.fails("no cgroup", "delegated cgroup", code=125)
        harness.machine_cannot("count without a cgroup")


def test_stats(web):
    can_count(web, "web")
    web.inro("run", "--name", "done", "box", "true").ok()
    client = engine.start(web, "--name", "busy", "--memory", "64m", "box", "sh", "-c", BUSY)
    lines = web.inro("stats", "--no-stream").ok().out.splitlines()
    assert re.split(r" {3,}", lines[0]) == ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT",
                                            "MEM %", "NET I/O", "BLOCK I/O", "PIDS"]
    rows = {row[1]: row for row in (re.split(r" {3,}", line) for line in lines[1:])}
    assert set(rows) == {"web", "busy"}
    assert float(rows["web"][2][:-1]) < float(rows["busy"][2][:-1])
    assert float(rows["busy"][2][:-1]) > 5
    assert rows["busy"][3].endswith(" / 64MiB") and not rows["web"][3].endswith(" / 64MiB")
    assert rows["busy"][5] == "0B / 0B" and rows["busy"][7] == "1"

    row = json.loads(web.inro("stats", "--no-stream", "--no-trunc", "--format", "json",
                              "busy").ok().out)
    assert set(row) == {"BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name",
                        "NetIO", "PIDs",
                        "NetAllowed", "NetRefused"}  # ours
    assert len(row["ID"]) == 64 and row["Name"] == "busy"
    out = web.inro("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemLimit}}",
                   "done", "busy").ok().out.splitlines()
    assert out[0] == "done 0.00% 0" and out[1].endswith(f"% {64 << 20}")
    web.inro("rm", "-f", "busy").ok()
    client.wait(10)


def test_stats_of_all(web):
    can_count(web, "web")
    web.inro("run", "--name", "done", "box", "true").ok()
    show = ["--format", "{{.Name}}"]
    assert web.inro("stats", "-a", "--no-stream", *show).ok().out == "done\nweb\n"
    assert web.inro("stats", "-l", "--no-stream", *show).ok().out == "done\n"
    web.inro("stats", "--no-stream", "nothing").fails("No such container: nothing", code=125)
    web.inro("stats", "-l", "web").fails("cannot be used together", code=125)
    web.inro("stats", "--format", "{{end}}").fails("--format", code=125)
    web.inro("stats", "-i", "0").fails("--interval", code=125)


def test_stats_go_on(web):
    can_count(web, "web")
    client = web.popen(*web.inro_argv("stats", "--format", "{{.Name}}"), stdout=subprocess.PIPE)
    assert [client.stdout.readline() for _ in range(2)] == [b"web\n"] * 2
    client.send_signal(signal.SIGINT)
    assert client.wait(10) == -signal.SIGINT


def test_ps_with_namespaces(web):
    web.inro("create", "--name", "other", "box", "true").ok()
    lines = web.inro("ps", "-a", "--ns").ok().out.splitlines()
    assert lines[0].split() == ["CONTAINER", "ID", "NAMES", "PID", "CGROUPNS", "IPC", "MNT", "NET", "PIDNS",
                                "USERNS", "UTS"]
    row = next(line.split() for line in lines if " web " in line)
    assert f"uts:[{row[9]}]" == os.readlink(f"/proc/{row[2]}/ns/uts")
    assert f"user:[{row[8]}]" == os.readlink(f"/proc/{row[2]}/ns/user")
    assert next(line.split() for line in lines if " other " in line)[1:] == ["other", "0"]
    assert web.inro("ps", "--format", "{{.MNT}} {{.NET}}").ok().out.split() == [row[5], row[6]]
    web.inro("ps", "--ns", "--size").fails("--ns and --size", code=125)
