# SPDX-License-Identifier: Apache-2.0
"""create, start, state, kill, delete, run, list: what a user of runc expects."""

import fcntl
import json
import os
import pathlib
import signal
import subprocess
import time

import harness


def state(who, cid="c1"):
    return json.loads(who.runtime("state", cid).ok().out)


def create(bundle, *options, cid="c1"):
    bundle.save()
    # Its streams are the container's: a pipe would keep run() waiting.
    return bundle.who.runtime("create", *options, "--bundle", bundle.path, cid,
                              stdout=open(bundle.path / "out", "wb"),
                              stderr=open(bundle.path / "err", "wb"))


def output(bundle):
    return (bundle.path / "out").read_text()


def errors(bundle):
    return (bundle.path / "err").read_text()


def test_run_gives_output_and_status(anyone):
    assert anyone.bundle("echo", "hello").run().ok().out == "hello\n"
    assert anyone.bundle("sh", "-c", "exit 7", name="b2").run().code == 7
    assert anyone.bundle("sh", "-c", "kill -9 $$", name="b3").run().code in (0, 137)
    b = anyone.bundle("cat", name="b4")
    assert b.run(input="through the container\n").ok().out == "through the container\n"


def test_cgroup_of_the_driver(root):
    """A directory that the runtime makes, or a scope that systemd does."""
    create(root.bundle("true")).ok()
    lines = pathlib.Path(f"/proc/{state(root)['pid']}/cgroup").read_text().splitlines()
    paths = [line.split(":", 2)[2] for line in lines]
    if "--systemd-cgroup" in harness.RUNTIME_OPTIONS:
        assert "/system.slice/inro-c1.scope" in paths
        shown = root.run("systemctl", "show", "--property=ActiveState,Delegate", "inro-c1.scope")
        assert sorted(shown.ok().out.split()) == ["ActiveState=active", "Delegate=yes"]
    else:
        assert any(path.endswith("/inro/c1") for path in paths), paths


def test_signal_death_is_128_plus_n(root):
    b = root.bundle("sh", "-c", "echo up; sleep 60")
    p = root.popen(*root.runtime_argv("run", "--bundle", b.path, "c1"), stdout=subprocess.PIPE)
    assert p.stdout.read(3) == b"up\n"
    root.runtime("kill", "c1", "KILL").ok()
    assert p.wait(10) == 137
    p.stdout.close()


def test_create_start_delete(anyone):
    b = anyone.bundle("sh", "-c", "echo started; sleep 60")
    b.config["annotations"] = {"com.example.key": "value"}
    create(b, "--pid-file", anyone.dir / "pid").ok()
    st = state(anyone)
    assert st["status"] == "created" and st["id"] == "c1"
    assert st["ociVersion"] == "1.0.2"
    assert st["bundle"] == str(b.path) and st["rootfs"] == str(b.rootfs)
    assert st["annotations"] == {"com.example.key": "value"}
    assert st["owner"] == ("root" if not anyone.rootless else anyone.name)
    assert st["pid"] == int((anyone.dir / "pid").read_text())
    if os.geteuid() == 0:  # the process hides from others until it executes the command
        assert os.readlink(f"/proc/{st['pid']}/ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert output(b) == ""
    anyone.runtime("start", "c1").ok()
    harness.wait_for(lambda: output(b) == "started\n", what="output")
    assert state(anyone)["status"] == "running"
    anyone.runtime("start", "c1").fails("cannot start an already running container", code=1)
    anyone.runtime("delete", "c1").fails("cannot delete container c1 that is not stopped: running",
                                         code=1)
    anyone.runtime("kill", "c1", "SIGKILL").ok()
    harness.wait_for(lambda: state(anyone)["status"] == "stopped", what="stopped")
    assert state(anyone)["pid"] == 0
    anyone.runtime("kill", "c1").fails("container not running", code=1)
    anyone.runtime("start", "c1").fails("cannot start a container that has stopped", code=1)
    anyone.runtime("delete", "c1").ok()
    anyone.runtime("state", "c1").fails("does not exist", code=1)
    assert list(anyone.runtime_root.glob("[!.]*")) == []


def test_delete_of_a_created_container(anyone):
    b = anyone.bundle("true")
    create(b).ok()
    pid = state(anyone)["pid"]
    anyone.runtime("delete", "c1").ok()
    assert harness.is_dead(pid)


def test_delete_force(anyone):
    b = anyone.bundle("sleep", "60")
    b.run("--detach", stdout=None, stderr=None).ok()
    pid = state(anyone)["pid"]
    anyone.runtime("delete", "--force", "c1").ok()
    assert harness.is_dead(pid)
    anyone.runtime("delete", "--force", "c1").ok()
    anyone.runtime("delete", "c1").fails('container "c1" does not exist', code=1)


def test_id_in_use(anyone):
    b = anyone.bundle("true")
    create(b).ok()
    b.run().fails("container with given ID already exists", code=1)
    assert state(anyone)["status"] == "created"


def test_bad_ids(root):
    b = root.bundle("true")
    for cid in ("", "a/b", "..", ".", "-x ", "a b", "\u00e9"):
        root.runtime("run", "--bundle", b.path, "--", cid).fails("invalid container ID format",
                                                                 code=1)


def test_kill_by_name_number_and_default(anyone):
    script = "trap 'echo usr1' USR1; trap 'echo term; exit 3' TERM; echo ready; " \
             "while :; do sleep 0.05; done"
    b = anyone.bundle("sh", "-c", script)
    create(b).ok()
    anyone.runtime("start", "c1").ok()
    harness.wait_for(lambda: "ready" in output(b), what="ready")
    for word in ("USR1", "SIGUSR1", "usr1", str(int(signal.SIGUSR1))):
        seen = output(b).count("usr1")
        anyone.runtime("kill", "c1", word).ok()
        harness.wait_for(lambda n=seen: output(b).count("usr1") > n, what=word)
    anyone.runtime("kill", "c1", "NOSUCH").fails("unknown signal", code=1)
    anyone.runtime("kill", "c1").ok()
    harness.wait_for(lambda: "term" in output(b), what="TERM")
    anyone.runtime("kill", "nobody").fails('"nobody" does not exist', code=1)


def test_foreground_passes_signals_on(anyone):
    script = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    b = anyone.bundle("sh", "-c", script)
    out = anyone.dir / "out"
    with open(out, "wb") as f:
        p = anyone.popen(*anyone.runtime_argv("run", "--bundle", b.path, "c1"), stdout=f)
    harness.wait_for(lambda: "ready" in out.read_text(), what="ready")
    p.terminate()
    assert p.wait(10) == 5
    assert "got" in out.read_text()


def test_kill_all_without_pid_namespace(root):
    b = root.bundle("sh", "-c", "sleep 61 & sleep 61")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    create(b).ok()
    root.runtime("start", "c1").ok()
    root.runtime("kill", "--all", "c1", "KILL").ok()
    harness.wait_for(lambda: state(root)["status"] == "stopped", what="stopped")
    root.runtime("delete", "c1").ok()


def test_list(anyone):
    assert anyone.runtime("list", "--format", "json").ok().out.strip() == "null"
    create(anyone.bundle("true"), cid="b-2").ok()
    create(anyone.bundle("true", name="other"), cid="a_1").ok()
    assert anyone.runtime("list", "-q").ok().out == "a_1\nb-2\n"
    rows = json.loads(anyone.runtime("list", "--format=json").ok().out)
    assert [r["id"] for r in rows] == ["a_1", "b-2"]
    assert all(r["status"] == "created" and r["pid"] > 0 for r in rows)
    table = anyone.runtime("list").ok().out.splitlines()
    assert table[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert table[1].split()[:3] == ["a_1", str(rows[0]["pid"]), "created"]


def test_keep(anyone):
    b = anyone.bundle("true")
    b.run("--keep").ok()
    assert state(anyone)["status"] == "stopped"
    anyone.runtime("delete", "c1").ok()


def test_start_reports_a_failed_exec(anyone):
    b = anyone.bundle("/bin/text")
    (b.rootfs / "bin/text").write_text("\x7fELF but not really")
    (b.rootfs / "bin/text").chmod(0o755)
    b.give()
    create(b).ok()
    anyone.runtime("start", "c1").fails("starting container c1: exec /bin/text: Exec format error",
                                        code=1)
    harness.wait_for(lambda: state(anyone)["status"] == "stopped", what="stopped")


def test_start_says_that_the_interpreter_is_missing(anyone):
    """In the words that docker has a status for."""
    b = anyone.bundle("/bin/script")
    (b.rootfs / "bin/script").write_text("#!/nosuch\n")
    (b.rootfs / "bin/script").chmod(0o755)
    b.give()
    b.run().fails("exec /bin/script: no such file or directory", "hint: what its first line (#!) names", code=1)


def test_missing_program_is_reported_at_create(anyone):
    b = anyone.bundle("no-such-program")
    r = b.run()
    r.fails('exec: "no-such-program": executable file not found in $PATH', code=1)
    b = anyone.bundle("/no/such", name="b2")
    b.run().fails('exec: "/no/such": stat /no/such: no such file or directory', code=1)
    b = anyone.bundle("/etc/passwd", name="b3")
    b.run().fails("permission denied", code=1)
    b = anyone.bundle("/etc", name="b4")
    b.run().fails("is a directory", code=1)
    assert list(anyone.runtime_root.glob("[!.]*")) == []


def test_runtime_killed_while_creating(root):
    """kill -9 at many moments: delete --force always cleans up (the fixture looks for leftovers)."""
    b = root.bundle("sleep", "60")
    for i in range(12):
        p = root.popen(*root.runtime_argv("create", "--bundle", b.path, "c1"))
        time.sleep(i * 0.0007)
        p.kill()
        p.wait()
        root.runtime("delete", "--force", "c1").ok()
        assert not (root.runtime_root / "c1").exists()


def test_between_the_processes_that_make_one(anyone):
    """One makes the next, and is gone before that is on record: stopped only if nobody goes on."""
    anyone.bundle("true").run("--detach", stdout=None, stderr=None).ok()
    harness.wait_for(lambda: state(anyone)["status"] == "stopped", what="its end")
    (anyone.runtime_root / "c1/init.sock").touch()
    assert state(anyone)["status"] == "stopped"
    fd = os.open(anyone.runtime_root / "c1", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert (state(anyone)["status"], state(anyone)["pid"]) == ("creating", 0)
    os.close(fd)
    assert state(anyone)["status"] == "stopped"
    anyone.runtime("delete", "c1").ok()


def test_log_file_formats(root):
    log = root.dir / "log.json"
    root.runtime("--log", log, "--log-format", "json", "state", "nope").fails("does not exist",
                                                                              code=1)
    line = json.loads(log.read_text().splitlines()[-1])
    assert line["level"] == "error" and "does not exist" in line["msg"] and line["time"]
    log = root.dir / "log.text"
    root.runtime("--log", log, "state", "nope").fails(code=1)
    assert 'level=error msg="' in log.read_text() and log.read_text().startswith('time="')


def test_usage_errors(root):
    root.runtime("state").fails(code=1)
    root.runtime("nonsense").fails(code=1)
    root.runtime("run", "--no-such-option", "x").fails("no-such-option", code=1)
    b = root.bundle("true")
    none = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={root.dir}/none"}
    root.runtime("--systemd-cgroup", "run", "--bundle", b.path, "c1", env=none).fails(
        "systemd does not listen", code=1)


def test_version_and_features(anyone):
    out = anyone.runtime("--version").ok().out
    assert out.startswith("inro-runtime version ") and "\nspec: 1." in out
    f = json.loads(anyone.runtime("features").ok().out)
    assert f["ociVersionMin"] == "1.0.0"
    assert "rbind" in f["mountOptions"] and "createRuntime" in f["hooks"]
    assert sorted(f["linux"]["namespaces"]) == sorted(
        ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"])
    assert "CAP_SYS_ADMIN" in f["linux"]["capabilities"]
    assert "SCMP_ACT_NOTIFY" in f["linux"]["seccomp"]["actions"]
    assert f["linux"]["seccomp"]["supportedFlags"]
    assert set(f["linux"]["seccomp"]["supportedFlags"]) <= set(f["linux"]["seccomp"]["knownFlags"])
    assert f["linux"]["intelRdt"] == {"enabled": True, "schemata": True, "monitoring": True}
    assert f["linux"]["netDevices"] == {"enabled": True}
    # Not runc's version, and not libseccomp's: there is none.
    assert f["annotations"] == {"org.opencontainers.runc.checkpoint.enabled": "true"}


def test_features_are_recognized(root):
    """features.md: "The runtime MUST recognize the elements" in config.json. All of them at once,
    but for those that exclude each other."""
    f = json.loads(root.runtime("features").ok().out)
    seccomp, policy = f["linux"]["seccomp"], f["linux"]["memoryPolicy"]
    b = root.bundle("sh", "-c", "echo ran")
    b.config["hooks"] = {name: [] for name in f["hooks"]}
    b.process["capabilities"]["bounding"] = f["linux"]["capabilities"]
    b.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": seccomp["archs"],
        "flags": [w for w in seccomp["supportedFlags"] if not w.endswith("_RECV")],
        "listenerPath": "/nowhere",
        "syscalls": [{"names": ["acct"], "action": action} for action in seccomp["actions"]
                     if action not in ("SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY")] +
                    [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO",
                      "args": [{"index": 0, "value": 1, "valueTwo": 1, "op": op}]}
                     for op in seccomp["operators"]]}
    b.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0",
                               "flags": [w for w in policy["flags"] if "RELATIVE" not in w]}
    plain = [w for w in f["mountOptions"] if w not in ("remount", "idmap", "ridmap", "iversion",
                                                       "mand", "lazytime", "dirsync", "sync")]
    for i, word in enumerate(plain):
        bound = ["bind"] if word != "tmpcopyup" else []
        b.mount(f"/tmp/m{i}", "tmpfs", root.dir / "state", word, *bound)
    r = b.run()
    if "linux.memoryPolicy" in r.err:
        del b.linux["memoryPolicy"]
        r = b.run()
    assert r.ok().out == "ran\n"


def test_spec(anyone):
    d = anyone.dir / "s"
    d.mkdir()
    anyone.own(d)
    anyone.runtime("spec", *(["--rootless"] if anyone.rootless else []), cwd=d).ok()
    config = json.loads((d / "config.json").read_text())
    assert config["root"]["path"] == "rootfs" and config["process"]["args"] == ["sh"]
    anyone.runtime("spec", cwd=d).fails("exists", code=1)
    # ... and it runs.
    config["process"].update(args=["id", "-u"], terminal=False)
    (d / "config.json").write_text(json.dumps(config))
    harness.make_rootfs(d / "rootfs")
    assert anyone.runtime("run", "c1", cwd=d).ok().out == "0\n"
