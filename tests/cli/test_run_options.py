# SPDX-License-Identifier: Apache-2.0
"""inro run's options, each by what a process in the container sees of it."""

import json

import pytest

import engine
import harness


def sh(who, options, script, image=None):
    image = image or engine.box(who)
    return who.inro("run", "--rm", *options, image, "sh", "-c", script).ok().out


def test_environment(anyone):
    box = engine.box(anyone, "box", "ENV A=image B=image C=image")
    env_file = anyone.dir / "vars"
    env_file.write_text("# file\nB=file\nZ=two words\nFROM_OUTSIDE\nABSENT\n")
    out = anyone.inro("run", "--rm", "--env-file", env_file, "-e", "C=option", "-e", "TAKEN", box,
                      "env", env={"TAKEN": "over", "FROM_OUTSIDE": "yes"}).ok().out.splitlines()
    got = dict(line.split("=", 1) for line in out)
    assert [got[k] for k in "ABCZ"] == ["image", "file", "option", "two words"]
    assert got["TAKEN"] == "over" and got["FROM_OUTSIDE"] == "yes" and "ABSENT" not in got
    assert got["HOME"] == "/root" and got["PATH"].startswith("/usr/local/sbin:")
    assert set(got) == {"A", "B", "C", "Z", "TAKEN", "FROM_OUTSIDE", "HOME", "PATH", "HOSTNAME",
                        "SHLVL", "PWD"} & set(got)


def environment(who, *options, image):
    out = who.inro("run", "--rm", *options, image, "/bin/env",
                   env={"FROM_OUTSIDE": "yes", "http_proxy": "http://proxy:8080"}).ok().out
    return dict(line.split("=", 1) for line in out.splitlines())


def test_environment_of_the_image_and_of_ours(anyone):
    box = engine.box(anyone, "box", "ENV A=image B=image")
    got = environment(anyone, "--env-merge", "B=${B}+$A+${ABSENT}.", "--unsetenv", "A",
                      "--env-host", "-e", "C=option", image=box)
    assert got["B"] == "image+image+." and "A" not in got and got["C"] == "option"
    assert got["FROM_OUTSIDE"] == "yes"
    got = environment(anyone, "--http-proxy", image=box)
    assert got["http_proxy"] == "http://proxy:8080" and "FROM_OUTSIDE" not in got
    got = environment(anyone, "--unsetenv-all", "-e", "ONE=1", image=box)
    assert got["ONE"] == "1" and not {"A", "B", "HOSTNAME", "PATH", "http_proxy"} & set(got)


@pytest.mark.parametrize("option, uid, gid, groups, home", [
    (None, 0, 0, {0, 10}, "/root"),
    ("alice", 1000, 1000, {10, 1000}, "/home/alice"),
    ("1000", 1000, 1000, {10, 1000}, "/home/alice"),
    ("alice:staff", 1000, 50, {50}, "/home/alice"),
    ("1234:5678", 1234, 5678, {5678}, "/"),
    ("1234", 1234, 0, {0}, "/"),
])
def test_user(anyone, option, uid, gid, groups, home):
    options = ["--user", option] if option else []
    out = sh(anyone, options, "id -u; id -g; id -G; echo $HOME").split("\n")
    assert (int(out[0]), int(out[1])) == (uid, gid)
    assert set(map(int, out[2].split())) == groups
    assert out[3] == home


def test_user_of_the_image(anyone):
    box = engine.box(anyone, "box", "USER alice", "WORKDIR /srv/data")
    assert sh(anyone, [], "id -un; pwd", box) == "alice\n/srv/data\n"
    assert sh(anyone, ["-u", "0", "-w", "/made/here"], "id -un; pwd", box) == "root\n/made/here\n"


def test_group_add_and_umask(anyone):
    out = sh(anyone, ["--group-add", "staff", "--group-add", "4242", "--umask", "077"],
             "id -G; umask")
    assert {50, 4242} <= set(map(int, out.splitlines()[0].split()))
    assert out.splitlines()[1] == "0077"


def test_names(anyone):
    out = sh(anyone, ["--hostname", "db1", "--add-host", "peer:192.0.2.9", "--dns", "192.0.2.53"],
             "hostname; cat /etc/hostname; cat /etc/hosts; cat /etc/resolv.conf")
    lines = out.splitlines()
    assert lines[:2] == ["db1", "db1"]
    assert "192.0.2.9\tpeer" in lines and "nameserver 192.0.2.53" in lines


def test_what_is_no_name_is_refused(anyone):
    """It would be a line of its own in /etc/resolv.conf, or silently nothing there."""
    engine.box(anyone)
    for words, says in ((["--dns", "db"], "--dns: invalid IP address: db"),
                        (["--dns", "192.0.2.1\nnameserver 192.0.2.2"], "invalid IP address"),
                        (["--dns-search", "a\nb"], "invalid --dns-search"),
                        (["--dns-option", "ndots:1 "], "invalid --dns-option"),
                        (["--add-host", "a;:192.0.2.1"], "bad format for --add-host"),
                        (["--add-host", ";:192.0.2.1"], "bad format for --add-host"),
                        (["--network", "bridge", "--network-alias", "a\nb"], "--network-alias"),
                        (["--network", "bridge", "--link-local-ip", "10.0.0.1"], "link local")):
        anyone.inro("run", "--rm", *words, "box", "true").fails(says, code=125)


def test_names_left_to_the_image(anyone):
    script = "cd /etc; ls hostname hosts resolv.conf 2>/dev/null"
    left = ["--no-hostname", "--no-hosts", "--dns", "none"]
    assert sh(anyone, left, script + "; true") == ""
    assert sh(anyone, [], script).split() == ["hostname", "hosts", "resolv.conf"]
    base = anyone.dir / "base"
    base.write_text("192.0.2.1\tbase")
    hosts = ["--add-host", "peer:192.0.2.9", "--hosts-file"]
    assert sh(anyone, [*hosts, base], "cat /etc/hosts") == "192.0.2.1\tbase\n192.0.2.9\tpeer\n"
    assert sh(anyone, [*hosts, "none"], "cat /etc/hosts") == "192.0.2.9\tpeer\n"
    anyone.inro("run", "--rm", "--no-hosts", "--add-host", "a:192.0.2.1", "box", "true").fails(
        "conflicting options", "--no-hosts", code=125)


def test_time_zone(anyone):
    assert sh(anyone, ["--tz", "Asia/Tokyo"], "date +%Z%z") == "JST+0900\n"
    assert sh(anyone, ["--tz", "local"], "date +%z") == anyone.run("date", "+%z", env={
        "TZ": ":/etc/localtime"}).out
    for zone in ("Mars/Base", "../../../etc/passwd", "/etc/passwd", ""):
        anyone.inro("run", "--rm", "--tz", zone, "box", "true").fails("unrecognized timezone",
                                                                      code=125)


def test_personality(anyone):
    machine = sh(anyone, [], "uname -m")
    assert machine.endswith("64\n")
    assert sh(anyone, ["--personality", "LINUX32"], "uname -m") != machine
    anyone.inro("run", "--rm", "--personality", "VAX", "box", "true").fails("VAX", code=125)


def test_generated_files_can_be_changed(anyone):
    sh(anyone, [], "for f in hostname hosts resolv.conf; do echo x >> /etc/$f || exit 1; done")


def test_read_only_with_tmpfs(anyone):
    out = sh(anyone, ["--read-only", "--tmpfs", "/scratch:size=1m,mode=1777"],
             "touch /x 2>&1; touch /scratch/x && df -k /scratch | tail -1; "
             "grep ' /scratch ' /proc/mounts")
    assert "Read-only file system" in out and " 1024 " in out
    assert "nosuid" in out and "noexec" in out


def test_read_only_but_for_what_programs_write_to(anyone):
    script = "for d in /run /tmp /var/tmp; do mkdir $d/x 2>/dev/null && echo $d; done; mkdir /x"
    writable = anyone.inro("run", "--rm", "--read-only", "--read-only-tmpfs", engine.box(anyone),
                           "sh", "-c", script).fails("Read-only file system", code=1)
    assert writable.out == "/run\n/tmp\n/var/tmp\n"
    nothing = anyone.inro("run", "--rm", "--read-only", "box", "sh", "-c", script)
    assert nothing.code == 1 and nothing.out == ""


def test_volumes(anyone):
    data = anyone.dir / "data"
    data.mkdir()
    anyone.own(data)
    (data / "file").write_text("host\n")
    out = sh(anyone, ["-v", f"{data}:/rw", "-v", "./data:/ro:ro", "--mount",
                      f"type=bind,source={data}/file,target=/one,readonly"],
             "cat /rw/file /one; echo new > /rw/new; echo x > /ro/x; echo x > /one; ls /ro")
    assert out == "host\nhost\nfile\nnew\n"
    assert (data / "new").read_text() == "new\n"


def test_volume_makes_a_missing_directory(anyone):
    sh(anyone, ["-v", f"{anyone.dir}/made/here:/data"], "touch /data/x")
    assert (anyone.dir / "made/here/x").exists()


def test_volume_target_behind_a_link_stays_inside(anyone):
    """The target resolves inside the root, whatever links the image has (CVE-2021-30465)."""
    tree = anyone.dir / "linked"
    harness.make_rootfs(tree)
    (tree / "out").symlink_to("/../../../../../../etc")
    tar = anyone.dir / "linked.tar"
    anyone.run("tar", "-C", tree, "-cf", tar, ".").ok()
    anyone.inro("import", tar, "linked").ok()
    data = anyone.dir / "data"
    data.mkdir()
    (data / "mark").write_text("")
    out = sh(anyone, ["-v", f"{data}:/out/x"], "ls /etc/x", "linked")
    assert out == "mark\n"


def test_capabilities(anyone):
    def bounding(*options):
        return int(sh(anyone, options, "grep CapBnd /proc/self/status").split()[1], 16)

    assert bounding() == 0xa80425fb
    assert bounding("--cap-drop", "ALL") == 0
    assert bounding("--cap-drop", "ALL", "--cap-add", "net_raw") == 1 << 13
    assert bounding("--cap-add", "SYS_PTRACE") == 0xa80425fb | 1 << 19
    status = sh(anyone, ["-u", "alice"], "grep Cap /proc/self/status")
    assert [int(line.split()[1], 16) for line in status.splitlines()] == [0, 0, 0, 0xa80425fb, 0]


def test_privileged(root):
    out = sh(root, ["--privileged"],
             "grep -E 'CapEff|Seccomp:' /proc/self/status; echo 1 > /proc/sys/kernel/shm_rmid_forced"
             " && echo writable; ls /dev; mount | grep -c ' /proc/kcore ' || true")
    caps = int(out.split()[1], 16)
    assert caps & (1 << 21) and "Seccomp:\t0" in out and "writable" in out
    assert len(out.splitlines()) > 15 and out.splitlines()[-1] == "0"


def test_security_options(anyone):
    field = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | cut -f2 | tr '\\n' ' '"
    assert sh(anyone, [], field) == "0 2 "
    assert sh(anyone, ["--security-opt", "no-new-privileges"], field) == "1 2 "
    assert sh(anyone, ["--security-opt", "seccomp=unconfined"], field) == "0 0 "


def test_seccomp_profile_from_a_file(anyone):
    profile = anyone.dir / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}],
    }))
    out = sh(anyone, ["--security-opt", f"seccomp={profile}"], "mkdir /x 2>&1; touch /y && echo y")
    assert "Permission denied" in out and out.endswith("y\n")
    profile.write_text("{\"syscalls\": []}")
    anyone.inro("run", "--rm", "--security-opt", f"seccomp={profile}", "box", "true").fails(
        "defaultAction", code=125)


def test_masked_and_read_only_paths(anyone):
    out = sh(anyone, [], "cat /proc/keys | wc -c; ls /sys/firmware | wc -l; "
                         "echo 1 > /proc/sys/kernel/domainname || echo refused")
    assert out == "0\n0\nrefused\n"


def test_ulimit(anyone):
    out = sh(anyone, ["--ulimit", "nofile=100:200", "--ulimit", "core=0"],
             "ulimit -Sn; ulimit -Hn; ulimit -c")
    assert out == "100\n200\n0\n"


def test_sysctl(anyone):
    assert sh(anyone, ["--sysctl", "net.ipv4.ip_default_ttl=42"],
              "cat /proc/sys/net/ipv4/ip_default_ttl") == "42\n"
    anyone.inro("run", "--rm", "--sysctl", "kernel.pid_max=99", "box", "true").fails(
        "kernel.pid_max", code=125)


def test_device(root):
    out = sh(root, ["--device", "/dev/fuse:/dev/mine:r"],
             "ls -l /dev/mine; cat /dev/mine >/dev/null 2>&1; "
             "(echo > /dev/mine) 2>&1 | grep -o 'Operation not permitted'")
    assert out.startswith("crw") and "10, 229" in out
    assert "Operation not permitted" in out


def test_device_of_another_name_in_a_user_namespace(anyone):
    out = sh(anyone, [*(() if anyone.rootless else ("--userns", "private")),
                      "--device", "/dev/null:/dev/mine"], "echo x >/dev/mine; ls -l /dev/mine")
    assert out.startswith("crw") and "1,   3" in out


def test_init(anyone):
    out = sh(anyone, ["--init"], "cat /proc/1/comm; (sleep 0.1 &) ; sleep 0.3; ps | grep -c sleep")
    assert out.splitlines()[0] == "inro-init"
    assert anyone.inro("run", "--rm", "--init", "box", "sh", "-c", "exit 5").code == 5


def test_init_of_the_users_own(anyone):
    init = anyone.dir / "my-init"
    init.write_text("#!/bin/sh\necho init: \"$@\"\n")
    init.chmod(0o755)
    done = anyone.inro("run", "--rm", "--init", "--init-path", "./my-init", engine.box(anyone),
                       "echo", "hi").ok()
    assert done.out == "init: -- echo hi\n"
    anyone.inro("run", "--rm", "--init", "--init-path", "/no/such", "box", "true").fails(
        "--init-path /no/such", code=125)


def test_network(anyone):
    assert sh(anyone, ["--network", "none"], "ls /sys/class/net") == "lo\n"
    assert "lo: " in sh(anyone, [], "ip -o link show up")
    host = sorted(p.name for p in harness.pathlib.Path("/sys/class/net").iterdir())
    assert sorted(sh(anyone, ["--network", "host"], "ls /sys/class/net").split()) == host


@pytest.mark.parametrize("option, kind", [
    ("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--cgroupns", "cgroup"),
    ("--network", "net"),
])
def test_namespaces(anyone, option, kind):
    ours = anyone.run("readlink", f"/proc/self/ns/{kind}").ok().out
    box = engine.box(anyone)
    assert sh(anyone, [option, "host"], f"readlink /proc/self/ns/{kind}", box) == ours
    private = "none" if kind == "net" else "private"
    assert sh(anyone, [option, private], f"readlink /proc/self/ns/{kind}", box) != ours


def test_user_namespace_of_root(root):
    out = sh(root, ["--userns", "private"],
             "cat /proc/self/uid_map; id -u; stat -c %u /bin/busybox; touch /x && echo made; "
             "echo x >> /etc/hosts && echo changed")
    lines = out.splitlines()
    first, outside, count = map(int, lines[0].split())
    assert first == 0 and outside >= 524288 and count == 65536
    assert lines[1:] == ["0", "0", "made", "changed"]


def test_user_namespaces_have_ids_of_their_own(root):
    box = engine.box(root)
    show = "tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map"
    blocks = set()
    for word in ("auto", "auto:size=5000", "private"):
        out = root.inro("run", "--userns", word, box, "sh", "-c", show).ok().out.splitlines()
        assert len(out) == 2 and out[0] == out[1]
        inside, outside, count = map(int, out[0].split())
        assert inside == 0 and outside % 65536 == 0
        assert count == (5000 if "size" in word else 65536)
        blocks.add(outside)
    assert len(blocks) == 3
    root.inro("run", "--rm", "--userns", "auto:uidmapping=0:1:2", box, "true").fails(
        "auto:size=COUNT", code=125)


def test_user_namespace_with_mappings(root):
    show = ("tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map; "
            "stat -c %u:%g /bin/busybox; touch /x && stat -c %u /x")
    out = sh(root, ["--uidmap", "0:700000:1000", "--uidmap", "1000:800000", "--gidmap",
                    "0:600000:2000"], show)
    assert out == " 0 700000 1000\n 1000 800000 1\n 0 600000 2000\n0:0\n0\n"
    assert sh(root, ["--gidmap", "0:600000:2000"], "cat /proc/self/uid_map").split() == [
        "0", "600000", "2000"]
    for options, words in (
            (["--uidmap", "1:700000:10"], "id 0 has to be mapped"),
            (["--uidmap", "0:1:10", "--uidmap", "5:100:1"], "overlaps"),
            (["--uidmap", "0:1:10", "--userns", "host"], "conflicting options"),
            (["--uidmap", "0:1:x"], "INSIDE:OUTSIDE:COUNT"),
            (["--subuidname", "nobody-there"], "nobody-there")):
        root.inro("run", "--rm", *options, "box", "true").fails(words, code=125)


def test_user_namespace_of_a_name(root):
    given = next(line.split(":") for line in open("/etc/subuid", encoding="ascii"))
    out = sh(root, ["--subuidname", given[0]], "cat /proc/self/uid_map")
    assert out.split()[:3] == ["0", given[1], given[2].strip()]


def test_mappings_are_for_root(user):
    for options in (["--uidmap", "0:0:1"], ["--userns", "auto"]):
        user.inro("run", "--rm", *options, engine.box(user), "true").fails("only root", code=125)


def test_user_namespace_of_a_user(user):
    lines = sh(user, [], "cat /proc/self/uid_map; chown 1000 /etc/passwd; "
                         "stat -c %u /etc/passwd").splitlines()
    assert [w for w in lines[0].split()][1:] == [str(user.uid), "1"]
    assert lines[-1] == "1000"


def test_time_offset(anyone):
    out = sh(anyone, ["--time-offset", "boottime=+86400000"], "cat /proc/uptime")
    assert float(out.split()[0]) > 86400000
    anyone.inro("run", "--rm", "--time-offset", "realtime=1", "box", "true").fails(
        "realtime=1", code=125)


def test_shm_size(anyone):
    assert " 2048 " in sh(anyone, ["--shm-size", "2m"], "df -k /dev/shm | tail -1")
    assert " 65536 " in sh(anyone, [], "df -k /dev/shm | tail -1")


def test_limits(root):
    out = sh(root, ["--memory", "64m", "--pids-limit", "33", "--cpus", "0.5", "--cpu-shares", "77"],
             "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max "
             "cpu/cpu.cfs_quota_us cpu/cpu.shares 2>/dev/null || "
             "cat memory.max pids.max cpu.max cpu.weight")
    assert out.split()[:3] in (["67108864", "33", "50000"], ["67108864", "33", "50000 100000"])


def test_memory_limit_kills(root):
    r = root.inro("run", "--rm", "--memory", "8m", "--memory-swap", "8m", engine.box(root), "sh",
                  "-c", "head -c 100000000 /dev/zero | tail -c 90000000 | wc -c; exit 0")
    assert "90000000" not in r.out


def test_limits_need_cgroups(user):
    r = user.inro("run", "--rm", "--memory", "64m", engine.box(user), "true")
    r.fails("memory", code=125)


def test_labels_and_annotations(anyone):
    box = engine.box(anyone)
    anyone.inro("run", "--name", "one", "-l", "k=v", "--annotation", "a.b=c", box, "true").ok()
    cid = engine.containers(anyone)[0]
    config = json.loads((anyone.state / "inro/containers" / cid / "config.json").read_text())
    assert config["annotations"]["a.b"] == "c"


def test_bundle_is_a_plain_oci_bundle(anyone):
    """Any OCI runtime must be able to take the configuration."""
    box = engine.box(anyone)
    anyone.inro("run", "--name", "one", box, "true").ok()
    cid = engine.containers(anyone)[0]
    config = json.loads((anyone.state / "inro/containers" / cid / "config.json").read_text())
    assert config["ociVersion"].startswith("1.")
    assert config["process"]["args"] == ["true"] and config["root"]["path"]
