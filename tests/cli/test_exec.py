# SPDX-License-Identifier: Apache-2.0
"""inro exec: a further command in a container that runs."""

import os
import pathlib
import select
import signal
import subprocess

import pytest

import engine
import harness

READY = "echo ready; exec sleep 1000"


@pytest.fixture
def web(anyone):
    """The user, with a running container "web" of an image with settings of its own."""
    box = engine.box(anyone, "box", "ENV A=image TERM=", "WORKDIR /tmp")
    client = engine.start(anyone, "--name", "web", "-e", "B=run", "--group-add", "staff", box,
                          "sh", "-c", READY)
    yield anyone
    anyone.inro("rm", "-f", "web").ok()
    client.wait(10)


def sh(who, script, *options, **kw):
    return who.inro("exec", *options, "web", "sh", "-c", script, **kw)


def on_terminal(who, *args):
    """What inro prints with a terminal that script(1) makes."""
    command = " ".join(map(str, who.inro_argv(*args)))
    done = who.run("script", "-qec", "stty rows 33 cols 101; " + command, "/dev/null",
                   stdin=subprocess.DEVNULL)
    # how script passes an end of file, and what the outer terminal adds where it is not raw
    done.out = done.out.replace("^@", "").replace("\0", "").replace("\r", "")
    return done


def test_output_and_exit_status(web):
    r = sh(web, "echo out; echo err >&2; exit 7")
    assert (r.out, r.err, r.code) == ("out\n", "err\n", 7)
    assert sh(web, "kill -TERM $$").code == 143
    assert web.inro("container", "exec", "/web", "hostname").ok().out \
        == web.inro("ps", "-q").ok().out


def test_command_that_cannot_be_run(web):
    for command, code in (("no-such-command", 127), ("/no/such/path", 127), ("/etc/passwd", 126),
                          ("/etc", 126)):
        web.inro("exec", "web", command).fails("inro: exec failed: exec: ", command, code=code)


def test_it_is_in_the_container(web):
    assert "sleep 1000" in web.inro("exec", "web", "ps").ok().out
    sh(web, "echo new > /tmp/file").ok()
    assert sh(web, "cat file").ok().out == "new\n"


def test_variables(web):
    path = web.dir / "vars"
    path.write_text("# comment\nC=file\nD=file\nOUTSIDE\n")
    r = sh(web, "echo $A $B $C $D $E $OUTSIDE", "--env-file", path, "-e", "D=two words", "-e", "E",
           "-e", "B=new", env={"E": "ours", "OUTSIDE": "yes", "F": "no"})
    assert r.ok().out == "image new file two words ours yes\n"
    assert sh(web, "echo $B$F", env={"F": "no"}).ok().out == "run\n"
    sh(web, "true", "--env-file", "/no/such").fails("--env-file", code=125)


def test_variables_are_nobodys_business(web):
    """Everybody may read the arguments of processes."""
    client = web.popen(*web.inro_argv("exec", "-e", "SECRET=xyzzy", "web", "sh", "-c",
                                      "echo $SECRET; exec sleep 1000"), stdout=subprocess.PIPE,
                       env={"FROM_FILE": "x"})
    assert client.stdout.readline() == b"xyzzy\n"
    try:
        # the runtime, which stays as long as the command
        line = pathlib.Path(f"/proc/{client.pid}/cmdline").read_bytes()
        assert b"runtime" in line and b"SECRET" in b"SECRET" and b"xyzzy" not in line, line
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
        sh(web, "killall sleep")


USERS = [
    ([], "0 0 [0, 10, 50] /root"),
    (["--user", "alice"], "1000 1000 [10, 1000] /home/alice"),
    (["-u", "1000"], "1000 1000 [10, 1000] /home/alice"),
    (["-u", "alice:staff"], "1000 50 [50] /home/alice"),
    (["-u", "1234:56"], "1234 56 [56] /"),
    (["-u", "1234"], "1234 0 [0] /"),
]


def test_user(web):
    for options, want in USERS:
        uid, gid, groups, home = sh(web, "id -u; id -g; id -G; echo $HOME",
                                    *options).ok().out.split("\n")[:4]
        assert f"{uid} {gid} {sorted(set(map(int, groups.split())))} {home}" == want
    sh(web, "true", "-u", "mallory").fails("mallory", code=125)


def test_home_that_the_image_sets_stays(anyone):
    box = engine.box(anyone, "box", "ENV HOME=/srv")
    client = engine.start(anyone, "--name", "web", box, "sh", "-c", READY)
    assert sh(anyone, "echo $HOME", "-u", "alice").ok().out == "/srv\n"
    anyone.inro("rm", "-f", "web").ok()
    client.wait(10)


def test_working_directory(web):
    assert sh(web, "pwd").ok().out == "/tmp\n"
    assert sh(web, "pwd", "-w", "/etc").ok().out == "/etc\n"
    sh(web, "pwd", "-w", "etc").fails("absolute", code=125)
    sh(web, "pwd", "-w", "/no/such").fails("/no/such", code=125)


def test_input_only_when_asked_for(web):
    assert sh(web, "cat", "-i", input="data\n").ok().out == "data\n"
    assert sh(web, "cat", input="data\n").ok().out == ""


def test_much_input_and_output(web):
    r = web.inro("exec", "-i", "web", "cat", input="x" * 1000000)
    assert r.ok().out == "x" * 1000000


def test_terminal(web):
    r = on_terminal(web, "exec", "-it", "web", "sh", "-c", "'tty; stty size; echo $TERM$E'")
    assert r.ok().out.split("\n")[:2] == ["/dev/pts/0", "33 101"], r
    assert on_terminal(web, "exec", "-t", "web", "stty", "size").ok().out == "33 101\n"
    sh(web, "true", "-it", input="x").fails("not a TTY", code=125)


def test_kind_of_terminal(anyone):
    """As with docker, where neither image nor user says it."""
    client = engine.start(anyone, "--name", "web", engine.box(anyone), "sh", "-c", READY)
    show = ["web", "sh", "-c", "'echo [$TERM]'"]
    assert on_terminal(anyone, "exec", "-t", *show).ok().out == "[xterm]\n"
    assert on_terminal(anyone, "exec", "-t", "-e", "TERM=vt100", *show).ok().out == "[vt100]\n"
    assert sh(anyone, "echo [$TERM]").ok().out == "[]\n"
    anyone.inro("rm", "-f", "web").ok()
    client.wait(10)


def test_detached(web):
    r = sh(web, "echo lost; touch /tmp/begun; while [ ! -e /tmp/go ]; do sleep 0.02; done; "
                "(readlink /proc/self/fd/0; readlink /proc/self/fd/2) > /tmp/made", "-d")
    assert r.ok().out == ""
    harness.wait_for(lambda: sh(web, "ls /tmp").out.split() == ["begun"], what="the command")
    sh(web, "touch /tmp/go").ok()
    harness.wait_for(lambda: sh(web, "cat /tmp/made").out == "/dev/null\n/dev/null\n",
                     what="the command's end")
    web.inro("exec", "-d", "web", "no-such-command").fails("no-such-command", code=127)


def test_privileged(web):
    show = "grep CapBnd /proc/self/status"
    some, more = sh(web, show).ok().out, sh(web, show, "--privileged").ok().out
    assert bin(int(some.split()[1], 16)).count("1") < bin(int(more.split()[1], 16)).count("1")
    assert "CapEff:\t0000000000000000" in sh(web, "grep CapEff /proc/self/status", "--privileged",
                                             "-u", "alice").ok().out


def test_fds_that_are_handed_on(web):
    path = web.dir / "data"
    path.write_text("from fd 3\n")
    argv = " ".join(map(str, web.inro_argv("exec", "--preserve-fds", "1", "-e", "A=b", "web", "sh",
                                           "-c", "'cat <&3; ls /proc/self/fd'")))
    out = web.run("sh", "-c", f"{argv} 3<{path}").ok().out
    assert out.split("\n")[:5] == ["from fd 3", "0", "1", "2", "3"], out
    assert sh(web, "ls /proc/self/fd").ok().out.split() == ["0", "1", "2", "3"]  # ls itself: 3


def test_signals_go_to_the_command(web):
    client = web.popen(*web.inro_argv("exec", "web", "sh", "-c",
                                      "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done"),
                       stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"ready\n"
    client.terminate()
    assert client.wait(10) == 42


def test_newest(web):
    assert web.inro("exec", "-l", "echo", "hi").ok().out == "hi\n"
    web.inro("exec", "-l").fails("requires", code=125)


def test_container_that_does_not_run(web):
    web.inro("run", "--name", "done", "box", "true").ok()
    web.inro("exec", "done", "true").fails("container done is not running", code=125)
    web.inro("exec", "nothing", "true").fails("No such container: nothing", code=125)
    web.inro("exec", "web").fails("needs a container and a command", code=125)


def test_detached_with_a_terminal(web):
    """Which nobody reads: neither does a full one hold the command up, nor is it closed."""
    script = ("tty >/tmp/tty; dd if=/dev/zero bs=1k count=512 status=none; echo $? >/tmp/done;"
              "while [ ! -e /tmp/go ]; do sleep 0.02; done; echo gone")
    assert sh(web, script, "-d", "-t").ok().out == ""
    harness.wait_for(lambda: sh(web, "cat /tmp/tty /tmp/done").out == "/dev/pts/0\n0\n",
                     seconds=20, what="the command's output")
    sh(web, "touch /tmp/go").ok()
    web.inro("exec", "-dt", "web", "no-such-command").fails("no-such-command", code=127)


def test_detached_lets_go(web):
    """Of the caller's files, which others may wait for; and who waits for it ends when asked to."""
    end, kept = os.pipe()
    client = web.popen(*web.inro_argv("exec", "-d", "web", "sleep", "1000"), pass_fds=(kept,))
    assert client.wait(20) == 0
    os.close(kept)
    assert select.select([end], [], [], 20)[0] and os.read(end, 1) == b""
    os.close(end)
    pid, = harness.exec_waiters(web)
    os.kill(pid, signal.SIGTERM)
    harness.wait_for(lambda: not harness.exec_waiters(web), what="the end of the one that waits")


def test_left_by_keys(web):
    """The command goes on, and what it writes is in nobody's way."""
    for keys, typed in ((None, b"\x10\x11"), ("ctrl-x,d", b"\x18d")):
        sh(web, "rm -f /tmp/out /tmp/go")
        master, slave = os.openpty()
        options = ["-it", *(["--detach-keys", keys] if keys else [])]
        client = web.popen(*web.inro_argv(
            "exec", *options, "web", "sh", "-c",
            "read a; echo got-$a; while [ ! -e /tmp/go ]; do sleep 0.02; done;"
            "dd if=/dev/zero bs=1k count=512 status=none; echo $? >/tmp/out; exit 3"),
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        os.write(master, b"word\n")
        text = b""
        while b"got-word" not in text:
            text += os.read(master, 1000)
        os.write(master, typed)
        assert client.wait(10) == 0
        os.close(master)
        sh(web, "touch /tmp/go").ok()
        harness.wait_for(lambda: sh(web, "cat /tmp/out").out == "0\n", seconds=20,
                         what="the command's end")
    sh(web, "true", "-it", "--detach-keys", "ctrl-xx").fails("invalid detach keys", code=125)
    assert sh(web, "echo yes", "--detach-keys", "").ok().out == "yes\n"


def test_end_of_the_container_ends_the_command(web):
    client = web.popen(*web.inro_argv("exec", "web", "sh", "-c", "echo ready; exec sleep 1000"),
                       stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"ready\n"
    web.inro("rm", "-f", "web").ok()
    assert client.wait(10) == 137
    assert not os.path.exists(f"/proc/{client.pid}")
    engine.start(web, "--name", "web", "box", "sh", "-c", READY)
