# SPDX-License-Identifier: Apache-2.0
"""Regressions of known vulnerabilities: what an image, a user's word and a default container can do.

Archives that try to leave their directory, and their limits (CVE-2021-20291, CVE-2018-15664), are in
test_image_layer.py and test_image_load.py.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

import engine
import layers


def probe(who, *options):
    """What tests/faults/probe.c could do in a container: {attempt: "done" or errno}."""
    box = engine.box(who)
    shutil.copy(who.program("tests/faults/probe"), who.dir / "probe")
    (who.dir / "probe").chmod(0o755)
    who.own(who.dir / "probe")
    r = who.inro("run", "--rm", "-v", f"{who.dir}/probe:/probe:ro", *options, box, "/probe").ok()
    return dict(line.split(" ", 1) for line in r.out.splitlines())


def missing_32bit(got):
    """Where the kernel runs no 32-bit programs there is nothing to be refused."""
    if got["32bit-getpid"] == "done":
        return
    for name in list(got):
        if name.startswith("32bit"):
            del got[name]


FAMILIES = ["socket-alg", "socket-vsock", "socket-alg-high-bits", "x32-socket-alg",
            "32bit-socket-alg", "32bit-socket-vsock", "32bit-socketcall-alg",
            "32bit-socketcall-vsock"]


@pytest.mark.parametrize("option", [[], ["--cap-add", "ALL"], ["--cap-add", "SYS_ADMIN"]])
def test_cve_2026_31431_socket_families(anyone, option):
    """AF_ALG and AF_VSOCK are for nobody, on no way into the kernel."""
    got = probe(anyone, *option)
    missing_32bit(got)
    assert got["socket-inet"] == "done"
    assert {got[n] for n in FAMILIES if n in got} <= {"EAFNOSUPPORT", "ENOSYS", "EPERM"}, got


def test_cve_2022_0185_and_what_else_a_default_container_cannot_do(anyone):
    got = probe(anyone)
    missing_32bit(got)
    assert got["open-null"] == got["socket-inet"] == "done"
    refused = ["unshare-user", "unshare-user-high-bits", "unshare-mount", "clone-user", "clone3",
               "setns", "32bit-unshare-user", "mount", "32bit-mount", "remount-proc-sys",
               "umount-proc-sys", "fsopen", "open_tree", "mount_setattr", "pivot_root", "keyctl",
               "32bit-keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd",
               "io_uring_setup", "kexec_load", "init_module", "open_by_handle_at", "sethostname",
               "ptrace-init", "reboot", "core_pattern", "ip_forward", "sysrq", "sys", "cgroup",
               "own-program", "open-block", "open-loop", "open-mem", "open-kmsg", "open-fuse"]
    done = [name for name in refused if got.get(name) == "done"]
    assert not done and got["kcore"] == "masked", got


def test_device_cgroup_refuses_host_disks_to_all_capabilities(root):
    got = probe(root, "--cap-add", "ALL")
    assert "done" not in {got[n] for n in ("open-block", "open-loop", "open-mem", "open-kmsg")}, got


def test_cve_2019_5736_program_is_the_monitor(anyone):
    """An entry point that is a link to /proc/self/exe runs our own file: not to be overwritten."""
    box = engine.box(anyone)
    before = {name: pathlib.Path(anyone.program(name)).read_bytes()
              for name in ("inro", "inro-runtime", "inro-monitor", "inro-init")}
    tree = anyone.dir / "rootfs-tree"
    (tree / "script").write_text("#!/proc/self/exe\n")
    (tree / "script").chmod(0o755)
    for args in (["/proc/self/exe"], ["/script"]):
        r = anyone.inro("run", "--rm", "-v", f"{tree}/script:/script", box, *args, timeout=20)
        assert r.code != 0
        b = anyone.bundle(*args, name="b" + args[0].replace("/", ""))
        shutil.copy(tree / "script", b.rootfs / "script")
        b.run(timeout=20)
    script = ("for f in /proc/1/exe /sbin/inro-init; do (exec 9<>$f) && echo open $f; "
              "(exec 9>>$f) && echo open $f; chmod 777 $f && echo chmod $f; done")
    r = anyone.inro("run", "--rm", "--init", box, "sh", "-c", script)
    assert "open" not in r.out.replace("can't open", "") and "chmod" not in r.out, r
    assert before == {name: pathlib.Path(anyone.program(name)).read_bytes() for name in before}


def test_cve_2019_5736_monitor_shows_no_writable_program(root):
    box = engine.box(root)
    client = engine.start(root, "--rm", box, "sh", "-c", "echo ready; exec sleep 60")
    children = pathlib.Path(f"/proc/{client.pid}/task/{client.pid}/children").read_text().split()
    handle = os.open(f"/proc/{children[0]}/exe", os.O_PATH)
    try:
        assert os.fstatvfs(handle).f_flag & os.ST_RDONLY
    finally:
        os.close(handle)
        root.inro("rm", "-f", *engine.containers(root)).ok()
        client.wait(10)


NO_USERS = ["4294967296", "4294967295", "-1", "+0", " 0", "0 ", "0:0:0", "0x0", "1e3",
            "18446744073709551616", "0:4294967296", "0:-1", "0:", ":0",
            "00000000000000000000000000000000004294967296", "\u0661"]


def test_cve_2026_30892_user_strings(root):
    """A number that is none never becomes root, by wrapping, cutting or guessing."""
    box = engine.box(root)
    for user in NO_USERS:
        r = root.inro("run", "--rm", "-u", user, box, "id", "-u")
        assert r.code in (125, 126) and r.out == "", r


def test_cve_2026_30892_user_of_the_image(root):
    layer = engine.rootfs_tar(root).read_bytes()
    path = root.dir / "image.tar"
    for user in NO_USERS:
        conf = layers.config([layer], config={"User": user})
        path.write_bytes(layers.docker_archive([layer], tags=["evil:1"], conf=conf))
        r = root.inro("load", "-i", path)
        if r.code == 0:
            r = root.inro("run", "--rm", "evil:1", "id", "-u")
            assert r.code in (125, 126) and r.out == "", r


def test_cve_2026_30892_passwd_of_the_image(root):
    lines = ["a:x:4294967296:4294967296::/:/bin/sh", "b:x:-1:0::/:/bin/sh", "c:x:0x0:0::/:/bin/sh",
             "d:x::0::/:/bin/sh", "e:x", "f", "g:x: 0:0::/:/bin/sh", "h:x:+0:0::/:/bin/sh"]
    base, top = engine.rootfs_tar(root).read_bytes(), layers.tar(
        layers.entry("etc/passwd", "\n".join(lines) + "\n"))
    path = root.dir / "image.tar"
    path.write_bytes(layers.docker_archive([base, top], tags=["evil:1"]))
    root.inro("load", "-i", path).ok()
    root.inro("run", "--rm", "-u", "0", "evil:1", "id", "-u").ok()
    for line in lines:
        r = root.inro("run", "--rm", "-u", line[0], "evil:1", "id", "-u")
        assert r.code in (125, 126) and r.out == "", r


@pytest.mark.parametrize("env", ["SECRET", "", "=x", "A=1\x00B=2", "PATH"])
def test_cve_2026_57231_env_of_the_image(anyone, env):
    """What an image leaves out is never filled in from the caller's environment."""
    layer = layers.tar(layers.entry("x", "y"))
    conf = layers.config([layer], config={"Env": [env, "GOOD=1"], "Cmd": ["/bin/sh"]})
    path = anyone.dir / "image.tar"
    path.write_bytes(layers.docker_archive([layer], tags=["evil:1"], conf=conf))
    anyone.own(path)
    secret = {"SECRET": "of the host", "": "x"} if env == "SECRET" else {}
    r = anyone.inro("load", "-i", path, env=secret)
    if r.code != 0:
        return
    anyone.inro("run", "--name", "named", "evil:1", "/x", env=secret)
    bundles = list((anyone.state / "inro/containers").glob("*/config.json"))
    assert len(bundles) == 1
    got = json.loads(bundles[0].read_text())["process"]["env"]
    assert "GOOD=1" in got and all("=" in e and not e.startswith("=") for e in got), got
    assert "of the host" not in str(got)
    assert sum(e.startswith("PATH=") for e in got) == 1


def test_cve_2026_57231_option_names_the_host_explicitly(anyone):
    """-e NAME is the user's wish: taken from the host only there."""
    r = anyone.inro("run", "--rm", "-e", "SECRET", engine.box(anyone), "env",
                    env={"SECRET": "given", "OTHER": "kept"}).ok()
    assert "SECRET=given" in r.out and "OTHER" not in r.out


def abstract_sockets():
    lines = pathlib.Path("/proc/net/unix").read_text().splitlines()
    return {line.split()[7] for line in lines if len(line.split()) > 7 and " @" in line}


def test_cve_2020_15257_no_abstract_sockets(root):
    box = engine.box(root)
    before = abstract_sockets()
    client = engine.start(root, "--rm", "--network", "host", box, "sh", "-c",
                          "echo ready; exec sleep 60")
    b = root.bundle("sleep", "60")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "network"]
    b.save()
    root.runtime("create", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    try:
        assert abstract_sockets() == before
    finally:
        root.runtime("delete", "--force", "c1").ok()
        root.inro("rm", "-f", *engine.containers(root)).ok()
        client.wait(10)


def test_passwd_of_the_image_is_a_device(root):
    """Opening a device with the host's rights can have effects: a watchdog starts, a tape winds."""
    engine.box(root)
    tree = root.dir / "rootfs-tree"
    (tree / "etc/passwd").unlink()
    os.mkfifo(tree / "etc/passwd")
    (tree / "etc/group").unlink()
    os.mknod(tree / "etc/group", 0o20666, os.makedev(1, 5))  # zero: read without an end
    archive = root.dir / "evil.tar"
    subprocess.run(["tar", "-C", tree, "-cf", archive, "."], check=True)
    root.inro("import", archive, "evil").ok()
    root.inro("run", "--rm", "evil", "true", timeout=20).ok()
    b = root.bundle("true")
    (b.rootfs / "etc/passwd").unlink()
    os.mkfifo(b.rootfs / "etc/passwd")
    b.run(timeout=20).ok()
    root.inro("run", "--rm", "-u", "alice", "evil", "true", timeout=20).fails("alice", code=125)


def test_control_characters_of_an_image_do_not_reach_the_terminal(anyone):
    box = engine.box(anyone, "box", 'CMD ["/x\\u001b]0;owned\\u0007\\u009b2J"]',
                     "LABEL a=\x1b[31m")
    r = anyone.inro("run", "--name", "named", box)
    assert r.code == 127
    listing = anyone.inro("ps", "-a", "--no-trunc").ok()
    images = anyone.inro("images").ok()
    b = anyone.bundle("/x\x1b]0;owned\x07")
    for text in (r.err, listing.out, images.out, b.run().err):
        assert not any(c in text for c in "\x1b\x07\x9b"), repr(text)
