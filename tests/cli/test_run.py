# SPDX-License-Identifier: Apache-2.0
"""inro run: the command, its input, output and end."""

import os
import pathlib
import signal
import subprocess

import pytest

import engine
import harness
from layers import docker_archive, entry, tar


@pytest.mark.parametrize("command, code", [
    (["true"], 0),
    (["sh", "-c", "exit 3"], 3),
    (["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"], 143),
    (["no-such-command"], 127),
    (["/no/such/path"], 127),
    (["/etc/passwd"], 126),
    (["/etc"], 126),
])
def test_exit_status(anyone, command, code):
    box = engine.box(anyone)
    assert anyone.inro("run", "--rm", box, *command).code == code
    assert engine.containers(anyone) == []


def test_killed_by_a_signal(anyone):
    box = engine.box(anyone)
    # pid 1 ignores what it has no handler for, except from outside: so not pid 1
    assert anyone.inro("run", "--rm", "--init", box, "sh", "-c", "kill -KILL $$").code == 137


def test_output_and_errors_are_kept_apart(anyone):
    r = anyone.inro("run", "--rm", engine.box(anyone), "sh", "-c", "echo out; echo err >&2").ok()
    assert (r.out, r.err) == ("out\n", "err\n")


def test_much_output(anyone):
    r = anyone.inro("run", "--rm", engine.box(anyone), "sh", "-c",
                    "dd if=/dev/zero bs=1k count=3000 2>/dev/null | tr '\\0' x").ok()
    assert len(r.out) == 3000 * 1024


def ended_unread(who, *options, **kw):
    """A client whose container has ended while nobody read what it wrote: a pipe takes 16 pieces
    that come one by one, however small they are."""
    client = engine.start(who, *options, engine.box(who), "sh", "-c",
                          "echo ready; for i in $(seq 100); do /bin/true; echo $i; done",
                          stdout=subprocess.PIPE, bufsize=0, **kw)
    harness.wait_for(lambda: who.inro("ps", "-q").ok().out == "", what="the end of the container")
    return client


def test_end_of_the_output_waits_for_its_reader(anyone):
    client = ended_unread(anyone, "--rm")
    assert client.stdout.read().decode().split() == [str(i + 1) for i in range(100)]
    assert client.wait(timeout=20) == 0 and engine.containers(anyone) == []


def test_reader_that_never_reads_can_be_left(anyone):
    """And says that this was not all."""
    client = ended_unread(anyone, "--rm", stderr=subprocess.PIPE)
    client.send_signal(signal.SIGINT)
    assert client.wait(timeout=20) == 125 and engine.containers(anyone) == []
    assert b"writing the container's output: Interrupted" in client.stderr.read()


def test_output_to_a_file_opened_for_appending(anyone):
    path = anyone.dir / "log"
    path.write_text("before\n")
    with open(path, "a", encoding="utf8") as log:
        anyone.inro("run", "--rm", engine.box(anyone), "echo", "after", stdout=log).ok()
    assert path.read_text() == "before\nafter\n"


def test_stdin_only_when_asked_for(anyone):
    box = engine.box(anyone)
    assert anyone.inro("run", "--rm", "-i", box, "cat", input="data\n").ok().out == "data\n"
    assert anyone.inro("run", "--rm", box, "cat", input="data\n").ok().out == ""


def test_stdin_of_many_bytes(anyone):
    r = anyone.inro("run", "--rm", "-i", engine.box(anyone), "wc", "-c", input="x" * 1000000)
    assert r.ok().out.strip() == "1000000"


def test_reader_that_goes_away_ends_the_pipeline(anyone):
    box = engine.box(anyone)
    inro = " ".join(map(str, anyone.inro_argv("run", "--rm", box, "yes")))
    assert anyone.run("sh", "-c", f"{inro} | head -n 1", timeout=20).ok().out == "y\n"
    assert engine.containers(anyone) == []


def test_reader_that_goes_away_hangs_the_terminal_up(anyone):
    box = engine.box(anyone)
    inro = " ".join(map(str, anyone.inro_argv("run", "--rm", "-t", box, "yes")))
    assert anyone.run("sh", "-c", f"{inro} | head -n 1", timeout=20).ok().out == "y\r\n"
    assert engine.containers(anyone) == []


@pytest.mark.parametrize("command, code", [("seq 10", 125), ("seq 10; exit 3", 3), ("yes", 1)])
def test_output_that_cannot_be_written(anyone, command, code):
    """Whoever looks at the status alone must not take it for complete."""
    with open("/dev/full", "wb") as full:
        r = anyone.inro("run", "--rm", engine.box(anyone), "sh", "-c", command, stdout=full)
    r.fails("writing the container's output: No space left on device", code=code)


def test_closed_standard_streams(anyone):
    box = engine.box(anyone)
    inro = " ".join(map(str, anyone.inro_argv("run", "--rm", box, "true")))
    assert anyone.run("sh", "-c", f"{inro} <&- >&- 2>&-").code == 0


def test_command_of_the_image(anyone):
    box = engine.box(anyone, "box", 'ENTRYPOINT ["echo", "ep"]', 'CMD ["cmd"]')
    assert anyone.inro("run", "--rm", box).ok().out == "ep cmd\n"
    assert anyone.inro("run", "--rm", box, "arg").ok().out == "ep arg\n"
    assert anyone.inro("run", "--rm", "--entrypoint", "id", box, "-u").ok().out == "0\n"
    anyone.inro("run", "--rm", "--entrypoint", "", box).fails("no command specified", code=125)


def test_no_command_at_all(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--rm", box).fails("inro: ", "no command specified", code=125)
    assert engine.containers(anyone) == []


def test_host_image(root):
    r = root.inro("run", "--rm", "host", "sh", "-c",
                  f"ls -A /root /home /tmp {root.state}/inro 2>/dev/null;"
                  "touch /usr/new && echo written").ok()
    assert [line for line in r.out.split("\n") if line and line[0] != "/"] == ["written"]
    assert not os.path.exists("/usr/new")


def test_host_image_needs_root(user):
    user.inro("run", "--rm", "host", "true").fails("inro: ", "host", code=125)
    assert engine.containers(user) == []


@pytest.mark.parametrize("args, word", [
    (["run"], "IMAGE"),
    (["run", "--no-such-option", "x"], "no-such-option"),
    (["run", "--rm", "--pull", "never", "no/such/image", "true"], "No such image: no/such/image"),
    (["run", "--rm", "Not:a:Reference", "true"], "reference"),
    (["run", "--network", "cni:x", "box", "true"], "--network cni:x"),
    (["run", "-v", "da ta:/data", "box", "true"], "invalid characters"),
    (["run", "-v", "sub/dir:/data", "box", "true"], "relative path"),
    (["run", "--name", "a b", "box", "true"], "a b"),
    (["run", "--pull", "often", "box", "true"], "often"),
    (["run", "--env-file", "/no/such/file", "box", "true"], "/no/such/file"),
    (["run", "--memory", "lots", "box", "true"], "lots"),
    (["run", "--cap-add", "FLY", "box", "true"], "FLY"),
    (["run", "--user", "mallory", "box", "true"], "mallory"),
    (["run", "--user", "-1", "box", "true"], "-1"),
    (["run", "-w", "srv", "box", "true"], "srv"),
    (["run", "--security-opt", "seccomp=/no/such/file", "box", "true"], "/no/such/file"),
    (["run", "--security-opt", "seccomp:/no/such/file", "box", "true"], "/no/such/file"),
    (["run", "--mount", "type=bind,src=/no/such,dst=/x", "box", "true"], "/no/such"),
    (["run", "--device", "/no/such/device", "box", "true"], "/no/such/device"),
    (["run", "-it", "box", "true"], "not a TTY"),
])
def test_refused(anyone, args, word):
    engine.box(anyone)
    anyone.inro(*args).fails(word, code=125)
    assert engine.containers(anyone) == []


def test_a_failed_start_leaves_a_record_unless_rm(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--name", "broken", box, "no-such-command").fails(code=127)
    assert "Exited (127)" in anyone.inro("ps", "-a").ok().out
    anyone.inro("rm", "broken").ok()


def test_nothing_of_a_removed_container_stays(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--rm", box, "sh", "-c", "mkdir -p /a/b; echo x > /a/b/c").ok()
    assert os.listdir(anyone.state / "inro/containers") == []
    for d in ("containers", "runtime"):
        assert os.listdir(anyone.run_dir / "inro" / d) == []


def test_files_of_other_users_are_removed_too(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--rm", box, "sh", "-c",
                "mkdir -m 700 /d; echo x > /d/f; chown -R 1000:1000 /d").ok()
    assert os.listdir(anyone.state / "inro/containers") == []


def test_image_is_untouched(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--rm", box, "sh", "-c", "rm /etc/group; echo changed > /etc/passwd").ok()
    r = anyone.inro("run", "--rm", box, "cat", "/etc/passwd", "/etc/group").ok()
    assert r.out == engine.PASSWD + engine.GROUP


def test_no_host_file_is_open_in_the_container(anyone):
    r = anyone.inro("run", "--rm", engine.box(anyone), "ls", "-l", "/proc/self/fd").ok()
    links = [line.split(" -> ")[1] for line in r.out.splitlines() if " -> " in line]
    assert len(links) in (3, 4)  # 0, 1, 2 and perhaps ls's own
    assert links[0] == "/dev/null"
    assert all(link.startswith(("pipe:", "/dev/null", "/proc/")) for link in links), r.out


def test_ignored_signals_are_not_inherited(anyone):
    box = engine.box(anyone)
    inro = " ".join(map(str, anyone.inro_argv("run", "--rm", box, "grep", "SigIgn",
                                              "/proc/self/status")))
    r = anyone.run("sh", "-c", f"trap '' HUP PIPE USR1; {inro}", stdin=subprocess.DEVNULL).ok()
    assert int(r.out.split()[1], 16) == 0


def test_only_what_is_kept_is_synced(anyone):
    # Unmounting an overlay syncs the whole filesystem below it, unless it is "volatile".
    box = engine.box(anyone)
    root_of = ["sh", "-c", "grep ' / overlay ' /proc/mounts"]
    assert "volatile" in anyone.inro("run", "--rm", box, *root_of).ok().out
    assert "volatile" not in anyone.inro("run", "--name", "kept", box, *root_of).ok().out
    anyone.inro("rm", "kept").ok()


@pytest.mark.parametrize("count", [20, 64])
def test_image_of_many_layers(anyone, count):
    """Overlayfs takes few layers the simple way before Linux 6.7."""
    layers = [engine.rootfs_tar(anyone).read_bytes()]
    layers += [tar(entry(f"layer{i}", "x"), entry("top", f"{i}\n")) for i in range(1, count)]
    archive = anyone.dir / "deep.tar"
    archive.write_bytes(docker_archive(layers, tags=["deep:1"]))
    anyone.own(archive)
    anyone.inro("load", "-i", archive).ok()
    done = anyone.inro("run", "--rm", "deep:1", "sh", "-c",
                       "cat top; ls / | grep -c layer; echo new >>layer1; cat layer1").ok()
    assert done.out == f"{count - 1}\n{count - 1}\nxnew\n"


def test_a_failed_start_names_the_container(anyone):
    r = anyone.inro("run", "--rm", "--name", "web", engine.box(anyone), "no-such-command")
    r.fails('inro: starting container web: exec: "no-such-command": executable file not found',
            code=127)


def test_a_killed_newuidmap_is_not_the_users_fault(root, user):
    """It is told from one that refuses the ranges: more of those would be no cure."""
    box = engine.box(user)
    for end, said, hint in ("kill -KILL $$", "was killed by signal 9", False), \
            ("exit 1", "refused it (exit status 1)", True):
        script = user.dir / "newuidmap"
        script.write_text(f"#!/bin/sh\n{end}\n")
        script.chmod(0o755)
        r = root.run("unshare", "-m", "--propagation", "private", "sh", "-c",
                     f"mount --bind {script} /usr/bin/newuidmap && exec \"$@\"", "sh", "setpriv",
                     f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups",
                     *user.inro_argv("run", "--rm", box, "true"), env=user.env)
        r.fails("newuidmap", said, code=125)
        assert ("/etc/subuid" in r.err) == hint, r


@pytest.mark.parametrize("userns", [None, "private"])
def test_options_of_overlays(anyone, userns):
    """Whatever the module's parameters say on this machine."""
    options = ["--userns", userns] if userns else []
    name = engine.box(anyone)
    r = anyone.inro("run", "--rm", *options, name, "cat", "/proc/self/mountinfo").ok()
    line = next(one for one in r.out.splitlines() if one.split()[4] == "/")
    assert " - overlay " in line and "redirect_dir=nofollow" in line
    for parameter in ("metacopy", "index"):
        assert parameter + "=on" not in line
        path = pathlib.Path("/sys/module/overlay/parameters", parameter)
        if path.exists() and path.read_text().strip() == "Y" and not anyone.rootless:
            assert parameter + "=off" in line
