# SPDX-License-Identifier: Apache-2.0
"""process.apparmorProfile, process.selinuxLabel, linux.mountLabel: with the security module where
the kernel has it, and what is said where it hasn't."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess

import pytest

import harness

PROFILE, OTHER = "inro-test-container", "inro-test-other"
# The first is like those of engines. The second sees nothing of what the container's tree does not
# have: what is mounted there has to have a path.
POLICY = f"""
profile {PROFILE} flags=(attach_disconnected,mediate_deleted) {{
  capability, file, umount, mount, signal, ptrace, unix, network,
  deny /forbidden/** rwklx,
}}
profile {OTHER} {{
  capability, file, signal, unix, network,
  deny /free r,
}}
"""
SHARE_WHOLE = True  # the kernel's profiles are everybody's
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SHOW = "cat /proc/self/attr/current; cat /forbidden/x; cat /free"


def apparmor():
    try:
        return pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text()[:1] == "Y"
    except FileNotFoundError:
        return False


def selinux():
    return os.path.exists("/sys/fs/selinux/enforce")


def test_a_joined_mount_namespace_says_nothing_of_the_machine(root):
    """Whether there is AppArmor is read where the runtime is."""
    there = apparmor()
    fake = "mkdir -p /sys/module/apparmor/parameters; echo Y >/sys/module/apparmor/parameters/enabled"
    with root.popen("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys; "
                    f"{'true' if there else fake}; echo done; exec sleep 60",
                    stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        b = root.bundle("true")
        b.process["apparmorProfile"] = "inro-test-nobody-has-it"
        b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "mount"]
        b.linux["namespaces"].append({"type": "mount", "path": f"/proc/{p.pid}/ns/mnt"})
        b.run().fails("applying AppArmor profile" if there
                      else "AppArmor is not enabled on this machine", code=1)
        p.kill()


@pytest.fixture
def profiles(tmp_path):
    """Both are loaded."""
    if not apparmor():
        harness.machine_cannot("its kernel runs without AppArmor")
    if not shutil.which("apparmor_parser"):
        harness.machine_cannot("it has no apparmor_parser to load a profile")
    path = tmp_path / "policy"
    path.write_text(POLICY)
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache", path], check=True)
    yield
    subprocess.run(["apparmor_parser", "--remove", path], check=True)


def bundle(who, *args):
    """With a file that the first profile forbids, and one that the second does."""
    b = who.bundle(*args)
    (b.rootfs / "forbidden").mkdir()
    (b.rootfs / "forbidden/x").write_text("seen\n")
    (b.rootfs / "free").write_text("free\n")
    b.give()
    return b


@pytest.mark.parametrize("nnp", [True, False])
def test_apparmor_profile_confines_the_program(anyone, profiles, nnp):
    b = bundle(anyone, "sh", "-c", SHOW)
    b.process.update(apparmorProfile=PROFILE, noNewPrivileges=nnp)
    r = b.run()
    assert r.out.splitlines() == [f"{PROFILE} (enforce)", "free"], r
    assert "can't open '/forbidden/x': Permission denied" in r.err


def test_apparmor_profile_of_create_and_start(root, profiles):
    b = bundle(root, "sleep", "1000").save()
    b.process["apparmorProfile"] = PROFILE
    b.save()
    root.runtime("create", "--bundle", b.path, "c1", **QUIET).ok()
    root.runtime("start", "c1").ok()
    pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
    label = pathlib.Path(f"/proc/{pid}/attr/current")
    harness.wait_for(lambda: label.read_text() == f"{PROFILE} (enforce)\n")


def test_apparmor_profile_of_exec(anyone, profiles):
    b = bundle(anyone, "sleep", "1000")
    b.process["apparmorProfile"] = PROFILE
    b.save()
    anyone.runtime("run", "--detach", "--bundle", b.path, "c1", **QUIET).ok()
    r = anyone.runtime("exec", "c1", "sh", "-c", SHOW)
    assert r.out.splitlines() == [f"{PROFILE} (enforce)", "free"], r
    r = anyone.runtime("exec", "--apparmor", OTHER, "c1", "sh", "-c", SHOW)
    assert r.out.splitlines() == [f"{OTHER} (enforce)", "seen"], r
    r = anyone.runtime("exec", "--apparmor", "unconfined", "c1", "sh", "-c", SHOW)
    assert r.out.splitlines() == ["unconfined", "seen", "free"], r
    process = {"args": ["sh", "-c", SHOW], "cwd": "/", "apparmorProfile": OTHER,
               "user": {"uid": 0, "gid": 0}, "env": [harness.SHELL_PATH]}
    path = anyone.dir / "process.json"
    path.write_text(json.dumps(process))
    r = anyone.runtime("exec", "--process", path, "c1")
    assert r.out.splitlines() == [f"{OTHER} (enforce)", "seen"], r
    r = anyone.runtime("exec", "--apparmor", "no-such-profile", "c1", "true")
    r.fails("applying AppArmor profile no-such-profile", "apparmor_parser", code=255)


def test_apparmor_profile_without_disconnected_paths(root, profiles):
    """All that is mounted, and the terminal, have a path inside the container."""
    shared = root.dir / "shared"
    shared.mkdir()
    (shared / "x").write_text("bound\n")
    b = bundle(root, "sh", "-c", "cat /mnt/x; echo 1 > /dev/shm/x; cat /dev/shm/x; cat /proc/keys; "
               "ls /sys/firmware; echo 2 > /dev/null; cat /etc/hostname; cat /proc/1/comm; true")
    (b.rootfs / "etc/hostname").write_text("box\n")
    b.mount("/mnt", "bind", shared, "bind", "ro")
    b.process["apparmorProfile"] = OTHER
    r = b.run().ok()
    assert r.out.split() == ["bound", "1", "box", "sh"] and not r.err, r
    b.process.update(terminal=True, args=["sh", "-c", "echo 3 > /dev/tty; tty; cat /dev/null"])
    b.save()
    script = shlex.join(map(str, root.runtime_argv("run", "--bundle", b.path, "c2")))
    r = root.run("script", "-qec", script, "/dev/null").ok()
    assert r.out.replace("^@", "").split() == ["3", "/dev/pts/0"], r  # script's end of input


def test_apparmor_profile_is_written_to_the_true_procfs(root, profiles):
    """Not to what the container has put in its place."""
    caps = [*harness.DEFAULT_CAPS, "CAP_SYS_ADMIN"]
    b = bundle(root, "sleep", "1000")
    b.process["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
    b.save()
    root.runtime("run", "--detach", "--bundle", b.path, "c1", **QUIET).ok()
    root.runtime("exec", "c1", "sh", "-c", "mount -t tmpfs none /proc; for s in self thread-self; do "
                 "mkdir -p /proc/$s/attr/apparmor; echo > /proc/$s/attr/exec; "
                 "echo > /proc/$s/attr/apparmor/exec; done").ok()
    r = root.runtime("exec", "--apparmor", PROFILE, "c1", "sh", "-c",
                     "cat /proc/self/attr/exec /proc/self/attr/apparmor/exec /forbidden/x /free")
    assert r.out.split() == ["free"] and "/forbidden/x': Permission denied" in r.err, r


def test_apparmor_profile_after_a_restore(root, profiles):
    harness.needs_criu()
    b = bundle(root, "sleep", "1000")
    b.process["apparmorProfile"] = PROFILE
    b.save()
    root.runtime("run", "--detach", "--bundle", b.path, "c1", **QUIET).ok()
    images = root.dir / "img"
    root.runtime("checkpoint", "--image-path", images, "c1").ok()
    for options, profile in ([], PROFILE), (["--lsm-profile", f"apparmor:{OTHER}"], OTHER):
        root.runtime("restore", "--detach", *options, "--bundle", b.path, "--image-path", images, "c1",
                     **QUIET).ok()
        pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
        assert pathlib.Path(f"/proc/{pid}/attr/current").read_text() == f"{profile} (enforce)\n"
        root.runtime("delete", "--force", "c1").ok()


def test_apparmor_profile_that_is_not_loaded(root):
    if not apparmor():
        harness.machine_cannot("its kernel runs without AppArmor")
    b = root.bundle("true")
    b.process["apparmorProfile"] = "no-such-profile"
    b.run().fails("applying AppArmor profile no-such-profile", "apparmor_parser(8)", code=1)


def test_apparmor_profile_without_apparmor(root):
    if apparmor():
        harness.machine_cannot("its kernel has AppArmor")
    b = root.bundle("true")
    b.process["apparmorProfile"] = "docker-default"
    b.run().fails("process.apparmorProfile: AppArmor is not enabled", code=1)
    b.process["apparmorProfile"] = "unconfined"
    b.run().ok()


def test_labels_without_selinux(root):
    if selinux():
        harness.machine_cannot("its kernel has SELinux")
    b = root.bundle("true")
    b.process["selinuxLabel"] = "system_u:system_r:container_t:s0:c1,c2"
    b.run().fails("process.selinuxLabel: SELinux is not enabled", code=1)
    b = root.bundle("true", name="second")
    b.linux["mountLabel"] = "system_u:object_r:container_file_t:s0:c1,c2"
    b.run().fails("linux.mountLabel: SELinux is not enabled", code=1)
