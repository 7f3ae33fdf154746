# SPDX-License-Identifier: Apache-2.0
"""Where the output of containers goes: --log-driver journald and passthrough, and what inro.conf says."""

import json
import os
import pathlib
import pty
import socket
import threading

import pytest

import engine
import harness

TURNS = True
# What the journal would say: the datagrams as they came, which are entries of its export format.
JOURNALCTL = """#!/bin/sh
echo "$@" > {dir}/args
head -c 300 {dir}/entries; sleep 0.1; tail -c +301 {dir}/entries
case "$*" in *--follow*) exec sleep 1000;; esac
"""


class Journal:
    """Listens where systemd-journald does, in /run of the tests."""

    PATH = pathlib.Path("/run/systemd/journal/socket")

    def __init__(self, who):
        self.dir, self.got = who.dir, []
        program = who.dir / "bin/journalctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(JOURNALCTL.format(dir=who.dir))
        program.chmod(0o755)
        self.env = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        for path in (program, program.parent):
            who.own(path)

    def __enter__(self):
        if os.geteuid() != 0:
            harness.machine_cannot("put a socket into /run: this is not root")
        self.PATH.parent.mkdir(parents=True, exist_ok=True)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.PATH))
        self.PATH.chmod(0o666)
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()
        return self

    def receive(self):
        while True:
            data = self.sock.recv(1 << 20)
            if data == b"end":
                return
            self.got.append(data)

    def __exit__(self, *args):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", str(self.PATH))
        self.thread.join()
        self.sock.close()
        self.PATH.unlink()
        for path in (self.PATH.parent, self.PATH.parent.parent):
            path.rmdir()
        entries = self.dir / "entries"
        entries.write_bytes(b"".join(data + b"\n" for data in self.got))
        entries.chmod(0o644)

    def fields(self):
        return [dict(line.split("=", 1) for line in data.decode().splitlines())
                for data in self.got]


def test_journald(anyone):
    box = engine.box(anyone)
    with Journal(anyone) as journal:
        anyone.inro("run", "--name", "web", "--log-driver", "journald", "--label",
                    "com.example=x\ny", "--log-opt", "labels=com.example,none", "--log-opt",
                    "tag={{.Name}}/{{.ID}}", box, "sh", "-c",
                    "echo one; echo two >&2; head -c 20000 /dev/zero | tr '\\0' y").ok()
        cid = anyone.inro("ps", "-lq", "--no-trunc").ok().out.strip()
    out = {"6": "", "3": ""}
    for entry in journal.fields():
        out[entry["PRIORITY"]] += entry["MESSAGE"] + \
            "\n" * ("CONTAINER_PARTIAL_MESSAGE" not in entry)
        assert entry["CONTAINER_ID"] == cid[:12] and entry["CONTAINER_ID_FULL"] == cid
        assert entry["CONTAINER_NAME"] == "web" and entry["IMAGE_NAME"] == "box"
        assert entry["CONTAINER_TAG"] == entry["SYSLOG_IDENTIFIER"] == f"web/{cid[:12]}"
        assert entry["COM_EXAMPLE"] == "x?y" and "NONE" not in entry
    assert out == {"6": "one\n" + "y" * 20000, "3": "two\n"}
    r = anyone.inro("logs", "--tail", "all", "web", env=journal.env).ok()
    assert (r.out.rstrip("\n"), r.err) == ("one\n" + "y" * 20000, "two\n")
    args = (anyone.dir / "args").read_text()
    assert f"CONTAINER_ID_FULL={cid} _UID={anyone.uid}" in args
    assert anyone.inro("logs", "-f", "web", env=journal.env).ok().out.startswith("one\n")
    # Beside one whose log is a file, which is later.
    anyone.inro("run", "--name", "other", box, "sh", "-c", "echo three; echo four >&2").ok()
    for words in [], ["--follow"]:
        r = anyone.inro("logs", "--names", *words, "other", "web", env=journal.env).ok()
        # Also when journalctl stops for a moment on its way.
        assert r.out.splitlines() == ["web one", "web " + "y" * 20000, "other three"]
        assert r.err.splitlines() == ["web two", "other four"]
    # What is dated later than now waits for nothing: the clock was set back since.
    anyone.inro("run", "-d", "--name", "later", box, "sh", "-c", "echo five; exec sleep 60").ok()
    log = pathlib.Path(anyone.inro("inspect", "-f", "{{.LogPath}}", "later").ok().out.strip())
    harness.wait_for(lambda: b"five" in log.read_bytes(), what="its line")
    log.write_bytes(b"2101" + log.read_bytes()[4:])
    client = anyone.popen(*anyone.inro_argv("logs", "-f", "later", "web"), stdout=-1, stderr=-1, text=True,
                          env=journal.env)
    limit = threading.Timer(5 * harness.PATIENCE, client.kill)
    limit.start()
    assert [client.stdout.readline() for _ in range(3)][2].endswith(" five\n")
    limit.cancel()
    client.terminate()
    client.communicate()
    anyone.inro("rm", "-f", "-t", "0", "later").ok()
    pathlib.Path(anyone.dir / "bin/journalctl").write_text("#!/bin/sh\nexit 7\n")
    anyone.inro("logs", "other", "web", env=journal.env).fails("journalctl failed with status 7", code=1)
    info = json.loads(anyone.inro("inspect", "web").ok().out)[0]
    assert info["HostConfig"]["LogConfig"]["Type"] == "journald" and info["LogPath"] == ""


def test_without_a_journal(anyone):
    """The container does not wait for it, and what is missing is told."""
    box = engine.box(anyone)
    anyone.inro("run", "-d", "--name", "web", "--log-driver", "journald", box, "sh", "-c",
                "echo lost; echo gone; touch /said; while [ ! -e /go ]; do sleep 0.02; done; "
                "echo back").ok()
    harness.wait_for(lambda: anyone.inro("exec", "web", "test", "-e", "/said").code == 0)
    with Journal(anyone) as journal:
        anyone.inro("exec", "web", "touch", "/go").ok()
        assert anyone.inro("wait", "web").ok().out == "0\n"
    assert [entry["MESSAGE"] for entry in journal.fields()] == [
        "inro: 2 lines (10 bytes) are missing here: the journal did not take them", "back"]


def test_passthrough(anyone):
    box = engine.box(anyone)
    options = ("--log-driver", "passthrough")
    r = anyone.inro("run", "--name", "web", *options, box, "sh", "-c", "cat; echo err >&2",
                    input="in\n").ok()
    assert (r.out, r.err) == ("in\n", "err\n")
    anyone.inro("logs", "web").fails("passthrough", code=1)
    # the file itself, not a pipe of the monitor's
    path = anyone.dir / "out"
    with open(path, "w") as out:
        anyone.inro("run", "-d", "--name", "side", *options, box, "sh", "-c",
                    "stat -Lc %i /proc/self/fd/1; exec sleep 1000", stdout=out, stderr=out).ok()
    harness.wait_for(lambda: len(path.read_text().splitlines()) == 2)
    assert str(path.stat().st_ino) in path.read_text().splitlines()
    anyone.inro("attach", "side").fails("cannot attach", code=125)
    anyone.inro("update", "--restart", "always", "side").fails("log driver passthrough", code=1)
    anyone.inro("rm", "-fa").ok()
    for words in (["-t"], ["--restart", "always"]):
        anyone.inro("run", "--rm", *options, *words, box, "true").fails("conflicting", code=125)
    master, slave = pty.openpty()
    anyone.inro("run", "--rm", *options, box, "true", stdin=slave).fails("cannot be used on a TTY",
                                                                       code=125)
    os.close(master)
    os.close(slave)


def test_configured(anyone):
    box = engine.box(anyone)
    conf = anyone.dir / "inro.conf"
    conf.write_text("[log]\ndriver = json-file\nmax_size = 1m\nmax_files = 2\n" + harness.NO_NETWORK)
    conf.chmod(0o644)
    env = {"INRO_CONFIG": str(conf)}
    anyone.inro("create", "--name", "web", box, "true", env=env).ok()
    anyone.inro("create", "--name", "own", "--log-driver", "k8s-file", "--log-opt", "max-file=5", box,
                "true", env=env).ok()
    anyone.inro("create", "--name", "none", "--log-driver", "none", box, "true", env=env).ok()

    def log(name):
        return json.loads(anyone.inro("inspect", name).ok().out)[0]["HostConfig"]["LogConfig"]

    assert log("web") == {"Type": "json-file", "Config": {"max-file": "2", "max-size": "1048576"}}
    assert log("own") == {"Type": "k8s-file", "Config": {"max-file": "5", "max-size": "1048576"}}
    assert log("none") == {"Type": "none", "Config": {}}
    conf.write_text("[log]\ndriver = passthrough\n" + harness.NO_NETWORK)
    anyone.inro("config", env=env).fails("inro.conf:2", "with --log-driver only")


@pytest.mark.parametrize("words, message", [
    (["--log-opt", "tag=x"], 'log option "tag" needs the log driver journald'),
    (["--log-driver", "journald", "--log-opt", "max-size=1m"], "a log driver that writes files"),
    (["--log-driver", "journald", "--log-opt", "tag={{.Nme}}"], '"{{.Nme}}" is none of'),
    (["--log-driver", "syslog"], "syslog"),
])
def test_refused(root, words, message):
    root.inro("create", *words, "host", "true").fails(message, code=125)
