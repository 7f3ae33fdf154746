# SPDX-License-Identifier: Apache-2.0
"""What config.json asks for is what the container sees: namespaces, process, devices, limits."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest

import harness

NAMESPACES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt",
              "cgroup": "cgroup", "user": "user", "time": "time"}


def sh(who, script, **kw):
    return who.bundle("sh", "-c", script, **kw)


def status_field(text, name):
    return next(line.split(":")[1].strip() for line in text.splitlines()
                if line.startswith(name + ":"))


def without_ns(bundle, *types):
    bundle.linux["namespaces"] = [n for n in bundle.linux["namespaces"] if n["type"] not in types]


def test_namespaces_are_new(anyone):
    files = " ".join(f"/proc/self/ns/{f}" for f in NAMESPACES.values())
    b = sh(anyone, f"for f in {files}; do readlink $f; done; echo $$")
    b.linux["namespaces"].append({"type": "time"})
    lines = b.run().ok().out.splitlines()
    own = {f: os.readlink(f"/proc/self/ns/{f}") for f in NAMESPACES.values()}
    for name, line in zip(NAMESPACES.values(), lines):
        if name != "user" or anyone.rootless:
            assert line != own[name], name
    assert lines[-1] == "1"


def test_absent_namespaces_are_shared(root):
    b = sh(root, "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts")
    without_ns(b, "network", "ipc", "uts")
    del b.config["hostname"]
    assert b.run().ok().out.split() == [os.readlink(f"/proc/self/ns/{f}")
                                        for f in ("net", "ipc", "uts")]


def test_shared_mount_namespace(root):
    """The container's processes are in it, with mounts that nobody else sees."""
    b = sh(root, "readlink /proc/self/ns/mnt; cat /proc/self/mountinfo; mount; cd /; "
                 "echo *; test -c /dev/null && echo null; cat /proc/kcore /secret; "
                 "echo x > /proc/sys/kernel/domainname; sh -c 'cd ../..; echo *'; "
                 "mount -t tmpfs t /tmp")
    (b.rootfs / "secret").write_text("no\n")
    b.linux["maskedPaths"] = ["/secret", "/proc/kcore"]
    without_ns(b, "mount")
    b.mount("/extra/dir", "tmpfs", "tmpfs")
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    r = b.run()
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before
    lines = r.out.splitlines()
    assert lines[0] == os.readlink("/proc/self/ns/mnt")
    assert lines[1] == lines[3] and {"bin", "extra", "dev", "proc"} <= set(lines[1].split())
    assert lines[2] == "null" and "no" not in lines
    assert "Read-only file system" in r.err


def test_exec_in_a_shared_mount_namespace(root):
    b = root.bundle("sleep", "60")
    without_ns(b, "mount")
    b.save()
    root.runtime("run", "-d", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    r = root.runtime("exec", "c1", "sh", "-c", "readlink /proc/self/ns/mnt; echo /*; ls /dev/pts")
    own, tree, pts = r.ok().out.splitlines()[:3]
    assert own == os.readlink("/proc/self/ns/mnt")
    assert set(tree.split()) == {f"/{p.name}" for p in b.rootfs.iterdir()}
    assert pts == "ptmx"


def test_join_namespaces_by_path(root):
    first = root.bundle("sleep", "60")
    first.run("--detach", cid="first", stdout=None, stderr=None).ok()
    pid = json.loads(root.runtime("state", "first").out)["pid"]
    b = sh(root, "for f in net ipc uts pid; do readlink /proc/self/ns/$f; done; hostname; "
                 "ps | grep -c 'sleep 60'", name="second")
    del b.config["hostname"]
    for ns in b.linux["namespaces"]:
        if ns["type"] in ("network", "ipc", "uts", "pid"):
            ns["path"] = f"/proc/{pid}/ns/{NAMESPACES[ns['type']]}"
    out = b.run(cid="second").ok().out.split()
    assert out[:4] == [os.readlink(f"/proc/{pid}/ns/{f}") for f in ("net", "ipc", "uts", "pid")]
    assert out[4] == "box"
    assert int(out[5]) >= 1


def test_join_user_namespace(root):
    first = root.bundle("sleep", "60")
    first.linux["namespaces"].append({"type": "user"})
    first.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    first.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    first.run("--detach", cid="first", stdout=None, stderr=None).ok()
    pid = json.loads(root.runtime("state", "first").out)["pid"]
    b = sh(root, "cat /proc/self/uid_map; id -u; readlink /proc/self/ns/net", name="second")
    b.linux["namespaces"].append({"type": "user", "path": f"/proc/{pid}/ns/user"})
    for ns in b.linux["namespaces"]:
        if ns["type"] == "network":
            ns["path"] = f"/proc/{pid}/ns/net"
    out = b.run(cid="second").ok().out.split()
    assert out == ["0", "100000", "65536", "0", os.readlink(f"/proc/{pid}/ns/net")]


def test_wrong_namespace_type(root):
    b = root.bundle("true")
    b.linux["namespaces"][1]["path"] = "/proc/self/ns/uts"
    b.run().fails("linux.namespaces: network", code=1)
    b.linux["namespaces"][1]["path"] = "/no/such/ns"
    b.run().fails("/no/such/ns", code=1)


def test_time_namespace_offsets(anyone):
    b = sh(anyone, "cat /proc/uptime; cat /proc/self/timens_offsets")
    b.linux["namespaces"].append({"type": "time"})
    b.linux["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 5},
                              "monotonic": {"secs": 77, "nanosecs": 0}}
    out = b.run().ok().out
    assert float(out.split()[0]) > 1000000
    offsets = [line.split() for line in out.splitlines()[1:]]
    assert ["monotonic", "77", "0"] in offsets and ["boottime", "1000000", "5"] in offsets


def test_user_namespace_with_ranges(root):
    b = sh(root, "cat /proc/self/uid_map; id -u; touch /f && stat -c %u /f")
    b.linux["namespaces"].append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 200000, "size": 1000}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    os.chown(b.rootfs, 200000, 200000)
    assert b.run().ok().out.split() == ["0", "200000", "1000", "0", "0"]
    assert (b.rootfs / "f").stat().st_uid == 200000


def test_user_namespace_behind_private_directories(root):
    """The host's root may have the bundle where the container's root could not go."""
    root.dir.chmod(0o700)
    b = sh(root, "cat /data/secret")
    b.linux["namespaces"].append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 200000, "size": 1000}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    (root.dir / "private").mkdir(mode=0o700)
    (root.dir / "private" / "data").mkdir()
    (root.dir / "private" / "data" / "secret").write_text("found\n")
    (b.rootfs / "data").mkdir()
    b.mount("/data", "bind", root.dir / "private" / "data", "rbind", "ro")
    assert b.run().ok().out == "found\n"


def test_unprivileged_with_subordinate_ids(user):
    b = sh(user, "cat /proc/self/uid_map; chown 1:1 /f 2>&1; stat -c %u:%g /f", subids=True)
    (b.rootfs / "f").write_text("")
    b.give()
    out = b.run().ok().out.splitlines()
    assert len(out) == 3
    assert out[0].split() == ["0", str(user.uid), "1"]
    assert out[2] == "1:1"


def test_hostname_and_domainname(anyone):
    b = sh(anyone, "hostname; cat /proc/sys/kernel/domainname")
    b.config["hostname"] = "db1"
    b.config["domainname"] = "example.org"
    assert b.run().ok().out.split() == ["db1", "example.org"]


def test_hostname_needs_a_uts_namespace(root):
    b = root.bundle("true")
    without_ns(b, "uts")
    b.run().fails("hostname", "uts", code=1)
    assert os.uname().nodename != "box"


def test_loopback_is_up(anyone):
    assert "127.0.0.1" in sh(anyone, "ip addr show lo").run().ok().out


def test_environment_cwd_and_home(anyone):
    b = sh(anyone, "pwd; env")
    b.process["cwd"] = "/made/for/me"
    b.process["env"].append("ONE=1")
    out = b.run().ok().out
    assert out.startswith("/made/for/me\n")
    assert "ONE=1\n" in out and "HOME=/root\n" in out
    assert "XDG_RUNTIME_DIR" not in out and "INRO" not in out


def test_program_is_found_without_path(anyone):
    b = anyone.bundle("env")
    b.process["env"] = ["A=1"]
    assert b.run().ok().out.splitlines() == ["A=1", "HOME=/root"]


def test_umask_and_groups(root):
    b = sh(root, "umask; id")
    b.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o027}
    out = b.run().ok().out
    assert out.startswith("0027\n")
    assert "uid=1000 gid=1001 groups=5,6" in out.replace("groups=1001,", "groups=")


def test_default_umask(anyone):
    assert sh(anyone, "umask").run().ok().out == "0022\n"


def test_cwd_of_another_user(root):
    b = sh(root, "pwd; echo $HOME")
    (b.rootfs / "private").mkdir(mode=0o700)
    b.process.update(cwd="/private", user={"uid": 1000, "gid": 1000})
    assert b.run().ok().out == "/private\n/\n"


def test_capabilities(anyone):
    b = sh(anyone, "cat /proc/self/status")
    b.process["capabilities"] = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_KILL"],
        "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
    out = b.run().ok().out
    assert int(status_field(out, "CapBnd"), 16) == 1 << 0 | 1 << 5 | 1 << 10
    assert int(status_field(out, "CapInh"), 16) == 1 << 5
    # uid 0 gains what is bounding at exec
    assert int(status_field(out, "CapAmb"), 16) == 1 << 5


def test_capabilities_of_a_user(root):
    b = sh(root, "cat /proc/self/status")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.process["noNewPrivileges"] = False
    out = b.run().ok().out
    for field in ("CapPrm", "CapEff", "CapAmb", "CapInh"):
        assert int(status_field(out, field), 16) == 0, field
    assert status_field(out, "NoNewPrivs") == "0"
    assert status_field(out, "Uid").split() == ["1000"] * 4


def test_root_of_a_user_namespace_needs_no_other(user):
    """As podman runs it for unprivileged users."""
    b = sh(user, "id -u; cat /proc/self/uid_map; ls -l /dev/null; echo > /dev/null")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "user"]
    del b.linux["uidMappings"], b.linux["gidMappings"]
    r = user.run("unshare", "--map-root-user", "--mount",
                 *user.runtime_argv("run", "--bundle", b.save().path, "c1")).ok()
    assert r.out.split()[:4] == ["0", "0", str(user.uid), "1"] and " 1,   3 " in r.out
    b.run().fails("an unprivileged container needs a user namespace")


def test_capabilities_that_cannot_be_granted(anyone):
    b = sh(anyone, "cat /proc/self/status")
    caps = b.process["capabilities"]
    for name in caps:
        caps[name] = [*caps[name], "CAP_FLY", "CAP_SYS_RESOURCE"]
    # what root lacks on some machines; a user namespace has all of them
    without = ["setpriv", "--bounding-set", "-sys_resource"] if not anyone.rootless else []
    r = anyone.run(*without, *anyone.runtime_argv("run", "--bundle", b.save().path, "c1")).ok()
    assert "unknown capability CAP_FLY is left out" in r.err
    assert ("CAP_SYS_RESOURCE can't be granted" in r.err) == (not anyone.rootless)
    assert bool(int(status_field(r.out, "CapEff"), 16) >> 24 & 1) == anyone.rootless


def test_no_capabilities_at_all(anyone):
    b = sh(anyone, "cat /proc/self/status")
    del b.process["capabilities"]
    out = b.run().ok().out
    for field in ("CapBnd", "CapPrm", "CapEff"):
        assert int(status_field(out, field), 16) == 0, field


def test_no_new_privileges(anyone):
    assert status_field(sh(anyone, "cat /proc/self/status").run().ok().out, "NoNewPrivs") == "1"


def test_rlimits(anyone):
    b = sh(anyone, "ulimit -n; ulimit -H -n")
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    assert b.run().ok().out.split() == ["100", "200"]


def test_rlimit_beyond_what_the_machine_allows(user):
    b = user.bundle("true")
    b.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]
    b.run().fails("RLIMIT_NOFILE", "CAP_SYS_RESOURCE", code=1)


def test_oom_score_adj(anyone):
    b = sh(anyone, "cat /proc/self/oom_score_adj")
    b.process["oomScoreAdj"] = 500
    assert b.run().ok().out == "500\n"


def test_scheduler_and_personality(anyone):
    b = sh(anyone, "uname -m; cat /proc/self/stat")
    b.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 15}
    b.process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    b.linux["personality"] = {"domain": "LINUX32"}
    out = b.run().ok().out.split()
    assert out[0] in ("i686", "armv8l")
    # proc(5): field 19 is the nice value, 41 the policy
    assert out[1 + 18] == "15" and out[1 + 40] == "3"


@pytest.mark.parametrize("policy,shown", [
    ({"mode": "MPOL_BIND", "nodes": "0"}, "bind:0"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0-0"}, "interleave:0"),
    ({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
     "interleave=static:0"),
    ({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]},
     "prefer=relative:0"),
    ({"mode": "MPOL_PREFERRED"}, "local"), ({"mode": "MPOL_LOCAL"}, "local"),
    ({"mode": "MPOL_DEFAULT"}, "default")])
def test_memory_policy(anyone, policy, shown):
    b = sh(anyone, "cat /proc/self/numa_maps")
    b.linux["memoryPolicy"] = policy
    r = b.run()
    if "Function not implemented" in r.err:
        harness.machine_cannot("its kernel has no NUMA")
    assert {line.split()[1] for line in r.ok().out.splitlines()} == {shown}


def test_memory_policy_of_an_exec(root):
    b = root.bundle("sleep", "60")
    b.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    b.save()
    if not os.path.exists("/proc/self/numa_maps"):
        harness.machine_cannot("its kernel has no NUMA")
    root.runtime("run", "-d", "--bundle", b.path, "c1", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL).ok()
    out = root.runtime("exec", "c1", "cat", "/proc/self/numa_maps").ok().out
    assert {line.split()[1] for line in out.splitlines()} == {"bind:0"}


def test_memory_policy_of_a_node_that_is_not_there(anyone):
    b = sh(anyone, "true")
    b.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1000"}
    r = b.run().fails("linux.memoryPolicy", code=1)
    assert "Function not implemented" in r.err or "lack one of the nodes" in r.err


def test_intel_rdt_needs_resctrl(root):
    if "resctrl" in pathlib.Path("/proc/self/mountinfo").read_text():
        harness.machine_cannot("it has resctrl")
    b = sh(root, "true")
    b.linux["intelRdt"] = {"schemata": ["MB:0=20"]}
    b.run().fails("linux.intelRdt: no resctrl filesystem is mounted", code=1)


def test_sysctl(anyone):
    b = sh(anyone, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmax")
    b.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "80",
                         "kernel/shmmax": "123456"}
    if anyone.rootless:
        del b.linux["sysctl"]["kernel/shmmax"]
    out = b.run().ok().out.split()
    assert out[0] == "80"
    assert anyone.rootless or out[1] == "123456"


@pytest.mark.parametrize("key,without,word", [
    ("vm.swappiness", (), "vm.swappiness"), ("kernel.pid_max", (), "kernel.pid_max"),
    ("net.ipv4.ip_forward", ("network",), "network namespace"),
    ("kernel.sem", ("ipc",), "ipc namespace"), ("kernel.hostname", (), "hostname"),
    ("net.ipv4/../../kernel/core_pattern", (), "net.ipv4")])
def test_sysctls_of_the_host(root, key, without, word):
    before = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    b = root.bundle("true")
    without_ns(b, *without)
    b.linux["sysctl"] = {key: "1"}
    b.run().fails("sysctl", word, code=1)
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_sysctl_with_the_hosts_namespace_by_path(root):
    b = root.bundle("true")
    for ns in b.linux["namespaces"]:
        if ns["type"] == "network":
            ns["path"] = "/proc/self/ns/net"
    b.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "81"}
    b.run().fails("network namespace", code=1)


def test_default_devices(anyone):
    b = sh(anyone, "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; "
                   "done; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; "
                   "echo x >/dev/null && head -c 3 /dev/zero | wc -c")
    assert b.run().ok().out.split() == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1",
                                        "/proc/self/fd/2", "pts/ptmx", "3"]


def test_devices(root):
    b = sh(root, "stat -c '%t:%T %a %u:%g %F' /dev/my/loop /dev/pipe /dev/fuse")
    b.linux["devices"] = [
        {"path": "/dev/my/loop", "type": "b", "major": 7, "minor": 3, "fileMode": 0o640,
         "uid": 5, "gid": 6},
        {"path": "/dev/pipe", "type": "p"},
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]
    assert b.run().ok().out.splitlines() == [
        "7:3 640 5:6 block special file", "0:0 666 0:0 fifo", "a:e5 666 0:0 character special file"]


def test_device_cgroup_denies(root):
    b = sh(root, "mknod /tmp/d b 7 3; head -c 1 /tmp/d; head -c 1 /dev/zero | wc -c")
    b.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    r = b.run()
    assert "Operation not permitted" in r.err and r.out == "1\n"


def test_limits(root):
    b = sh(root, "cat /proc/self/cgroup; sleep 60")
    b.linux["cgroupsPath"] = "/inro/limits"
    b.linux["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 17},
                            "cpu": {"shares": 512, "quota": 50000, "period": 100000}}
    without_ns(b, "cgroup")
    out = root.dir / "out"
    with open(out, "wb") as f:
        b.run("--detach", stdout=f, stderr=None).ok()
    harness.wait_for(lambda: "inro/limits" in out.read_text(), what="output")
    top = pathlib.Path("/sys/fs/cgroup")
    v1 = (top / "memory").is_dir()
    files = {"memory": "memory.limit_in_bytes", "pids": "pids.max", "cpu": "cpu.cfs_quota_us"} if v1 \
        else {"memory": "memory.max", "pids": "pids.max", "cpu": "cpu.max"}
    got = {c: (top / (c if v1 else "") / "inro/limits" / name).read_text().split()
           for c, name in files.items()}
    assert got == {"memory": [str(64 << 20)], "pids": ["17"],
                   "cpu": ["50000"] if v1 else ["50000", "100000"]}
    root.runtime("delete", "--force", "c1").ok()


def test_memory_limit_too_low_to_start(root):
    b = root.bundle("true")
    b.linux["resources"] = {"memory": {"limit": 4096}}
    r = b.run()
    assert r.code != 0 and r.err.strip()


def test_cgroup_mount_shows_the_containers_own(root):
    b = sh(root, "cat /proc/self/cgroup; ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/pids.max; "
                 "mkdir /sys/fs/cgroup/pids/x")
    b.linux["resources"] = {"pids": {"limit": 23}}
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")
    r = b.run()
    if not pathlib.Path("/sys/fs/cgroup/pids").is_dir():
        harness.machine_cannot("v1 hierarchies are not mounted")
    lines = r.out.splitlines()
    assert "23" in lines
    assert all(line.endswith(":/") for line in lines if line.count(":") == 2)
    assert "Read-only file system" in r.err


def test_terminal(anyone):
    b = sh(anyone, "tty; stty size; test -c /dev/console && echo console; echo in >/dev/tty")
    b.process["terminal"] = True
    b.process["consoleSize"] = {"height": 33, "width": 99}
    r = b.run(stdin=None)
    assert r.ok().out.replace("\r", "").splitlines() == ["/dev/pts/0", "33 99", "console", "in"]


def test_console_socket(anyone):
    b = sh(anyone, "read x; echo got $x; exit 4")
    b.process["terminal"] = True
    b.save()
    path = anyone.dir / "console.sock"
    received = {}

    def receive():
        conn, _ = server.accept()
        with conn:
            _, fds, _, _ = socket.recv_fds(conn, 4096, 1)
            received["fd"] = fds[0]

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        anyone.own(path)
        server.listen()
        thread = threading.Thread(target=receive)
        thread.start()
        anyone.runtime("create", "--bundle", b.path, "--console-socket", path, "c1").ok()
        thread.join(10)
    fd = received["fd"]
    anyone.runtime("start", "c1").ok()
    os.write(fd, b"hello\n")
    text = b""
    end = time.monotonic() + 5
    while b"got hello" not in text and time.monotonic() < end:
        text += os.read(fd, 4096)
    os.close(fd)
    assert b"got hello" in text


def test_terminal_needs_a_console_socket(anyone):
    b = anyone.bundle("true")
    b.process["terminal"] = True
    b.save()
    anyone.runtime("create", "--bundle", b.path, "c1").fails("--console-socket", code=1)


def test_preserve_fds(anyone):
    b = sh(anyone, "cat <&3; ls /proc/self/fd | wc -l")
    (anyone.dir / "file").write_text("over fd 3\n")
    argv = anyone.runtime_argv("run", "--preserve-fds", "1", "--bundle", b.path, "c1")
    out = anyone.run("sh", "-c", 'exec "$@" 3<file', "sh", *argv).ok().out
    assert out.startswith("over fd 3\n")
    b.run("--preserve-fds", "9").fails("file descriptor", code=1)


def test_nothing_of_the_host_leaks_in(anyone):
    b = sh(anyone, "ls /proc/1/fd; true")
    r, w = os.pipe()
    os.set_inheritable(r, True)
    out = b.run(close_fds=False).ok().out.split()
    os.close(r)
    os.close(w)
    assert out == ["0", "1", "2"]


def test_dev_null_keeps_its_owner(root):
    before = os.stat("/dev/null")
    b = root.bundle("true")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    b.run().ok()
    after = os.stat("/dev/null")
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)


def test_pipes_belong_to_the_user(root):
    b = sh(root, "echo again >/dev/stdout")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    assert b.run().ok().out == "again\n"


def test_seccomp(anyone):
    b = sh(anyone, "mkdir /tmp/x; echo $?; grep Seccomp: /proc/self/status")
    b.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO",
                      "errnoRet": 28}]}
    r = b.run().ok()
    assert r.out.split() == ["1", "Seccomp:", "2"]
    assert "No space left" in r.err
    assert list(anyone.runtime_root.iterdir()) == []


def test_seccomp_too_long(anyone):
    rule = {"action": "SCMP_ACT_ERRNO", "names": ["mkdir"]}
    b = sh(anyone, "echo never")
    b.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{**rule, "args": [{"index": 1, "value": i, "op": "SCMP_CMP_EQ"}]}
                     for i in range(1000)]}
    r = b.run()
    assert (r.code, r.out) == (1, "")
    assert "seccomp" in r.err and "the kernel takes 4096" in r.err


def test_seccomp_arguments_and_no_nnp(root):
    b = sh(root, "setpriv --help >/dev/null 2>&1; personality=$(setarch i686 uname -m 2>&1); "
                 "echo \"$personality\"; linux32 true")
    b.process["noNewPrivileges"] = False
    b.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ERRNO",
                      "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}
    r = b.run()
    assert "not permitted" in r.out + r.err


@contextlib.contextmanager
def seccomp_agent(who, b):
    """The list of what an agent gets, that answers no call: those that wait for it fail."""
    path = who.dir / "agent.sock"
    b.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": str(path), "listenerMetadata": "meta",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
    got = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                with server.accept()[0] as conn:
                    text, fds, _, _ = socket.recv_fds(conn, 65536, 1)
                    got.append(json.loads(text))
                    os.close(fds[0])  # pending calls fail with ENOSYS

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        who.own(path)
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield got
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize("nnp", [True, False])
def test_seccomp_listener(anyone, nnp):
    b = sh(anyone, "mkdir /tmp/x; echo done")
    b.process["noNewPrivileges"] = nnp
    with seccomp_agent(anyone, b) as got:
        r = b.run()
    assert r.ok().out == "done\n" and "not implemented" in r.err
    assert len(got) == 1 and got[0]["fds"] == ["seccompFd"] and got[0]["metadata"] == "meta"
    assert got[0]["state"]["id"] == "c1" and got[0]["pid"] > 0


def test_seccomp_listener_without_sendmsg(anyone):
    """Then it has to be fetched, which takes root."""
    b = sh(anyone, "mkdir /tmp/x; echo done")
    with seccomp_agent(anyone, b) as got:
        b.linux["seccomp"]["syscalls"].append({"names": ["sendmsg"], "action": "SCMP_ACT_ERRNO"})
        r = b.run()
    if anyone.rootless:
        r.fails("taking the seccomp notify fd", "hint: ", "sendmsg", code=1)
        assert got == []
    else:
        assert r.ok().out == "done\n" and len(got) == 1


@pytest.mark.parametrize("nnp", [True, False])
@pytest.mark.parametrize("by_start", [True, False])
def test_seccomp_listener_of_exec(anyone, nnp, by_start):
    """Each process has a filter of its own, and the agent gets each one's descriptor."""
    b = anyone.bundle("sleep", "100")
    b.process["noNewPrivileges"] = nnp
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with seccomp_agent(anyone, b) as got:
        b.save()
        if by_start:
            anyone.runtime("create", "--bundle", b.path, "c1", **quiet).ok()
            anyone.runtime("start", "c1").ok()
        else:
            anyone.runtime("run", "--detach", "--bundle", b.path, "c1", **quiet).ok()
        pid = json.loads(anyone.runtime("state", "c1").ok().out)["pid"]
        pid_file = anyone.dir / "pid"
        r = anyone.runtime("exec", "--pid-file", pid_file, "c1", "sh", "-c",
                           "mkdir /tmp/x; echo done")
        assert r.ok().out == "done\n" and "not implemented" in r.err
    assert [g["pid"] for g in got] == [pid, int(pid_file.read_text())]
    assert [g["state"]["pid"] for g in got] == [pid, pid]
    assert got[1]["state"]["status"] == "running" and got[1]["metadata"] == "meta"


@pytest.mark.parametrize("change,words", [
    (lambda c: c.pop("process"), ["process"]),
    (lambda c: c["process"].update(args=[]), ["process.args"]),
    (lambda c: c["process"].update(cwd="relative"), ["process.cwd"]),
    (lambda c: c["process"].update(cwd=5), ["process.cwd", "string"]),
    (lambda c: c["linux"].update(namespaces=[{"type": "bogus"}]), ["linux.namespaces", "bogus"]),
    (lambda c: c["linux"].update(
        namespaces=[{"type": t} for t in ("user", "pid", "uts")],
        uidMappings=[{"containerID": 0, "hostID": 1000, "size": 1}],
        gidMappings=[{"containerID": 0, "hostID": 1000, "size": 1}]), ["mount namespace"]),
    (lambda c: c["root"].update(path="/no/such/dir"), ["root.path", "/no/such/dir"]),
    (lambda c: c.update(mounts=[{"destination": "/x", "type": "nosuchfs"}]), ["/x", "nosuchfs"]),
    (lambda c: c.update(mounts=[{"destination": "/x"}]), ["/x"]),
    (lambda c: c["linux"].update(intelRdt={"closID": "x"}), ["linux.intelRdt"]),
    (lambda c: c["linux"].update(resources={"pids": {"limit": "ten"}}),
     ["linux.resources.pids.limit"]),
])
def test_invalid_config_names_the_place(root, change, words):
    b = root.bundle("true")
    change(b.config)
    b.run().fails(*words, code=1)
    assert list(root.runtime_root.glob("[!.]*")) == []
