# SPDX-License-Identifier: Apache-2.0
"""Hooks: runtime-spec config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle"."""

import json
import os
import shlex
import signal
import subprocess
import time

import pytest

import harness


def sh(who, script, **kw):
    return who.bundle("sh", "-c", script, **kw)


def hook(who, name, script, **extra):
    path = who.dir / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return {"path": str(path), **extra}


def test_hooks_run_in_order_and_in_their_namespaces(root):
    log = root.dir / "hooks.log"
    log.write_text("")
    b = sh(root, "echo program >> /hooklog")
    (b.rootfs / "hooklog").write_text("")
    b.mount("/hooklog", "bind", log, "bind")
    say = "cat >/dev/null; echo {0} $(readlink /proc/self/ns/mnt) >> " + str(log)
    b.config["hooks"] = {k: [hook(root, k, say.format(k))] for k in
                         ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    (b.rootfs / "in").write_text("#!/bin/sh\ncat > /tmp/state; echo startContainer in >> /hooklog\n")
    (b.rootfs / "in").chmod(0o755)
    b.config["hooks"]["startContainer"] = [{"path": "/in"}]
    b.run().ok()
    lines = [line.split() for line in log.read_text().splitlines()]
    names = [line[0] for line in lines]
    assert names[:4] == ["prestart", "createRuntime", "createContainer", "startContainer"]
    assert sorted(names[4:6]) == ["poststart", "program"] and names[6] == "poststop"
    own = os.readlink("/proc/self/ns/mnt")
    where = {line[0]: line[1] for line in lines if len(line) > 1}
    assert where["createRuntime"] == where["poststop"] == own
    assert where["createContainer"] != own
    st = json.loads((b.rootfs / "tmp/state").read_text())
    assert st["id"] == "c1" and st["status"] == "created" and st["pid"] > 1


@pytest.mark.parametrize("verb", ["create", "run"])
def test_no_exec_while_it_is_being_created(root, verb):
    """The process that there is may have the host's root directory, and another pid namespace."""
    b = root.bundle("sleep", "60")
    runtime = " ".join(map(str, root.runtime_argv()))
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": [
        "sh", "-c", f"exec >{root.dir}/said 2>&1; cat >/dev/null; {runtime} exec c1 readlink /proc/self/ns/pid; "
        f"{runtime} state c1"]}]}
    b.save()
    detach = ["--detach"] if verb == "run" else []
    root.runtime(verb, *detach, "--bundle", b.path, "c1", stdout=None, stderr=None).ok()
    said = (root.dir / "said").read_text()
    assert "cannot exec in a container in the creating state" in said and "pid:[" not in said
    assert '"status": "creating"' in said
    assert json.loads(root.runtime("state", "c1").ok().out)["status"] == \
        ("running" if verb == "run" else "created")


def test_hook_gets_state_args_and_env(anyone):
    out = anyone.dir / "hook.out"
    b = anyone.bundle("true")
    b.config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"cat > {out}; echo $A $HOME >> {out}"],
         "env": ["A=1", "PATH=/bin:/usr/bin"]}]}
    b.run().ok()
    text = out.read_text()
    st, end = json.JSONDecoder().raw_decode(text)
    assert st["status"] == "creating" and st["pid"] > 1 and st["bundle"] == str(b.path)
    assert text[end:].split() == ["1"]


KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"]


@pytest.mark.parametrize("kind", KINDS)
def test_failing_hook_undoes_the_container(root, kind):
    b = root.bundle("sleep", "60")
    b.config["hooks"] = {kind: [{"path": "/bin/false"}],
                         "poststop": [hook(root, "ps", f"cat > {root.dir}/stopped")]}
    b.run().fails(f"{kind} hook #0", "exit status 1", code=1)
    root.runtime("state", "c1").fails("does not exist")
    # runtime-spec runtime.md: the lifecycle goes on with the destruction and the poststop hooks.
    st = json.loads((root.dir / "stopped").read_text())
    assert st["status"] == "stopped" and st["id"] == "c1"


def test_state_of_each_hook(root):
    """config.md, "POSIX-platform Hooks": the state on stdin; runtime.md: its status."""
    b = root.bundle("sleep", "1")
    b.config["annotations"] = {"org.example.key": "a \"word\""}
    (b.rootfs / "save").write_text("#!/bin/sh\ncat > /tmp/$1\n")
    (b.rootfs / "save").chmod(0o755)
    b.config["root"]["readonly"] = False
    b.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {root.dir}/{kind}"]}]
        for kind in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    b.config["hooks"]["startContainer"] = [
        {"path": "/save", "args": ["save", "startContainer"], "env": ["PATH=/bin"]}]
    b.run().ok()
    (b.rootfs / "tmp/startContainer").rename(root.dir / "startContainer")
    expected = {"prestart": "creating", "createRuntime": "creating",
                "createContainer": "creating", "startContainer": "created",
                "poststart": "running", "poststop": "stopped"}
    for kind, status in expected.items():
        st = json.loads((root.dir / kind).read_text())
        assert (kind, st["status"]) == (kind, status)
        assert st["ociVersion"] == b.config["ociVersion"] and st["id"] == "c1"
        assert st["bundle"] == str(b.path)
        assert st["annotations"] == b.config["annotations"]
        assert st["pid"] > 1 if status != "stopped" else st.get("pid", 0) == 0


def test_hooks_run_one_after_the_other(root):
    b = root.bundle("true")
    log = root.dir / "log"
    log.write_text("")
    b.config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"sleep 0.{3 - i}; echo {i} >> {log}"]}
        for i in range(3)]}
    b.run().ok()
    assert log.read_text().split() == ["0", "1", "2"]


def test_hooks_after_a_failing_one_do_not_run(root):
    b = root.bundle("true")
    b.config["hooks"] = {
        "createRuntime": [{"path": "/bin/false"}, hook(root, "second", f": > {root.dir}/ran")],
        "createContainer": [hook(root, "third", f": > {root.dir}/ran")]}
    b.run().fails("createRuntime hook #0", code=1)
    assert not (root.dir / "ran").exists()


def test_remaining_poststop_hooks_run(root):
    b = root.bundle("true")
    b.config["hooks"] = {"poststop": [{"path": "/bin/false"},
                                      hook(root, "second", f": > {root.dir}/ran")]}
    r = b.run().ok()
    assert "poststop hook #0" in r.err and (root.dir / "ran").exists()


@pytest.mark.parametrize("change,words", [
    ({"path": "/no/such/hook"}, ["/no/such/hook", "No such file"]),
    ({"path": "relative"}, ["hooks.createRuntime[0].path"]),
    ({"path": "/bin/true", "timeout": 0}, ["hooks.createRuntime[0].timeout"]),
    ({"path": "/bin/true", "timeout": -1}, ["hooks.createRuntime[0].timeout"]),
    ({"path": "/bin/true", "env": ["novalue"]}, ["hooks.createRuntime[0].env[0]"]),
])
def test_hooks_that_cannot_run(root, change, words):
    b = root.bundle("true")
    b.config["hooks"] = {"createRuntime": [change]}
    b.run().fails(*words, code=1)


def test_runtimes_hooks_run_on_the_host_and_get_nothing_of_it(root):
    b = root.bundle("true")
    out = root.dir / "out"
    b.config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"env > {out}; ls /proc/self/fd >> {out}; "
                                                 f"test -e {root.dir} && echo host >> {out}"],
         "env": ["PATH=/bin:/usr/bin"]}]}
    b.run(env={"SECRET": "x"}).ok()
    assert "SECRET" not in out.read_text()
    # ls has the directory open as 3
    assert [w for w in out.read_text().split() if w.isdigit()] == ["0", "1", "2", "3"]
    assert "host" in out.read_text()


def interrupt(who, process, ready, signo):
    harness.wait_for(ready.exists, what="the hook")
    time.sleep(0.05)
    process.send_signal(signo)
    start = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - start < 10
    return process.returncode, err.decode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", ["run", "run -d", "create"])
def test_signal_during_a_hanging_hook(root, verb, kind):
    if verb == "create" and kind in ("startContainer", "poststart"):
        verb = "create+start"
    b = root.bundle("sleep", "60")
    ready = root.dir / "ready"
    (b.rootfs / "hang").write_text("#!/bin/sh\n: > /ready\nexec sleep 60\n")
    (b.rootfs / "hang").chmod(0o755)
    if kind == "startContainer":
        ready = b.rootfs / "ready"
        b.config["hooks"] = {kind: [{"path": "/hang", "env": ["PATH=/bin"]}]}
    else:
        b.config["hooks"] = {kind: [hook(root, "hang", f": > {ready}; exec sleep 60")]}
    b.config["hooks"]["poststop"] = [hook(root, "ps", f": > {root.dir}/stopped")]
    b.save()
    argv = [*verb.split(), "--bundle", b.path, "c1"]
    if verb == "create+start":
        root.runtime("create", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL).ok()
        argv = ["start", "c1"]
    p = root.popen(*root.runtime_argv(*argv), stderr=subprocess.PIPE,
                   stdout=subprocess.DEVNULL)
    code, err = interrupt(root, p, ready, signal.SIGTERM)
    assert code == 1 and "interrupted by signal 15 (TERM)" in err, err
    if verb == "create+start":
        state = json.loads(root.runtime("state", "c1").ok().out)
        assert state["status"] == "stopped"
        root.runtime("delete", "c1").ok()
    root.runtime("state", "c1").fails("does not exist")
    assert (root.dir / "stopped").exists()


def test_second_signal_ends_a_hanging_poststop_hook(root):
    b = root.bundle("sleep", "60")
    ready = [root.dir / "one", root.dir / "two"]
    b.config["hooks"] = {"createRuntime": [hook(root, "a", f": > {ready[0]}; exec sleep 60")],
                         "poststop": [hook(root, "b", f": > {ready[1]}; exec sleep 60")]}
    b.save()
    p = root.popen(*root.runtime_argv("run", "--bundle", b.path, "c1"), stderr=subprocess.PIPE)
    harness.wait_for(ready[0].exists, what="the first hook")
    p.send_signal(signal.SIGINT)
    code, err = interrupt(root, p, ready[1], signal.SIGINT)
    assert code == 1 and err.count("interrupted by signal 2 (INT)") == 2
    root.runtime("state", "c1").fails("does not exist")


def test_ignored_signals_do_not_interrupt(root):
    """nohup, and what a shell starts in the background."""
    b = root.bundle("echo", "done")
    ready = root.dir / "ready"
    b.config["hooks"] = {"createRuntime": [hook(root, "a", f": > {ready}; exec sleep 1")]}
    b.save()
    argv = shlex.join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
    p = root.popen("sh", "-c", f"trap '' HUP; exec {argv}", stdout=subprocess.PIPE)
    harness.wait_for(ready.exists, what="the hook")
    p.send_signal(signal.SIGHUP)
    assert p.communicate(timeout=20)[0] == b"done\n" and p.returncode == 0


def test_hooks_of_a_later_configuration_do_not_run(root):
    """runtime.md, "Lifecycle": an update after create has no effect."""
    b = root.bundle("sleep", "60")
    b.config["hooks"] = {"poststop": [hook(root, "ps", f": > {root.dir}/stopped")]}
    b.save()
    root.runtime("create", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    b.config["hooks"] = {"poststart": [{"path": "/bin/false"}]}
    b.save()
    root.runtime("start", "c1").ok()
    root.runtime("delete", "--force", "c1").ok()
    assert (root.dir / "stopped").exists()


def test_hook_timeout(root):
    b = root.bundle("true")
    b.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "60"],
                                            "timeout": 1}]}
    start = time.monotonic()
    b.run().fails("createRuntime hook #0", "1 s", code=1)
    assert time.monotonic() - start < 10
