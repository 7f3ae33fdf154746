# SPDX-License-Identifier: Apache-2.0
"""Regressions of known vulnerabilities: paths and mounts while a container is made."""

import contextlib
import json
import os
import pathlib
import subprocess

import pytest

import engine
import harness


def sh(who, script, **kw):
    return who.bundle("sh", "-c", script, **kw)


def tree(top):
    """What stat tells of a directory and all below it."""
    found = {}
    for path in [top, *sorted(top.rglob("*"))]:
        st = path.lstat()
        found[str(path)] = (st.st_mode, st.st_uid, st.st_gid, st.st_ino, st.st_size)
    return found


@contextlib.contextmanager
def swapping(who, *pairs):
    names = [name for pair in pairs for name in pair]
    swapper = subprocess.Popen([who.program("tests/faults/swapper"), *map(str, names)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert swapper.stdout.readline() == b"ready\n"
    try:
        yield
    finally:
        out, _ = swapper.communicate()
    assert swapper.returncode == 0 and int(out) > 500


def prepare_race(who, top, victim):
    """Directories below top, and beside them links to the victim's: the pairs to swap."""
    pairs = []
    for name in ("data", "var", "srv"):
        directory, link = top / name, top / (name + ".x")
        directory.mkdir(exist_ok=True)
        target = victim / name
        target.mkdir()
        # Absolute, and relative with more ".." than the container has levels.
        link.symlink_to(target if name != "srv" else "../" * 20 + str(target)[1:])
        who.own(directory)
        who.own(target)
        pairs.append((directory, link))
    return pairs


def test_cve_2021_30465_and_2018_15664_symlink_exchange_during_mounts(anyone):
    victim = anyone.dir / "victim"
    victim.mkdir()
    b = sh(anyone, "true")
    (anyone.dir / "source").mkdir()
    pairs = prepare_race(anyone, b.rootfs, victim)
    b.give()
    for n, directory in enumerate(("data", "var", "srv")):
        b.mount(f"/{directory}/bound/{n}", "bind", anyone.dir / "source", "bind")
        b.mount(f"/{directory}/temporary/deep", "tmpfs", "tmpfs", "tmpcopyup")
        b.mount(f"/{directory}/file", "bind", b.path / "config.json", "bind")
    b.process["cwd"] = "/data/made/for/it"
    b.linux["maskedPaths"] += ["/data/bound", "/var/file"]
    b.linux["readonlyPaths"] += ["/srv/temporary"]
    if not anyone.rootless:
        b.linux["devices"] = [{"path": "/var/devices/null", "type": "c", "major": 1, "minor": 3,
                               "fileMode": 0o666, "uid": 7, "gid": 7}]
    before = tree(victim)
    codes = []
    with swapping(anyone, *pairs):
        for n in range(harness.rounds(60)):
            codes.append(b.run(cid=f"c{n}").code)
    assert tree(victim) == before
    assert codes.count(0) > 0  # some must have come through, or this tests nothing


def test_cve_2018_15664_symlink_exchange_below_a_volume(root):
    """A running container exchanges names in a volume while others start with mounts below it."""
    box = engine.box(root)
    victim, volume = root.dir / "victim", root.dir / "volume"
    victim.mkdir()
    volume.mkdir()
    pairs = prepare_race(root, volume, victim)
    (root.dir / "source").mkdir()
    before = tree(victim)
    codes = []
    with swapping(root, *pairs):
        for _ in range(15):
            r = root.inro("run", "--rm", "-v", f"{volume}:/v", "-v", f"{root.dir}/source:/v/data/b",
                          "--tmpfs", "/v/var/t", "-w", "/v/srv/w", box, "true")
            codes.append(r.code)
    assert tree(victim) == before
    assert codes.count(0) > 0


FAKE = {"self/attr/exec": "", "self/attr/apparmor/exec": "", "thread-self/attr/exec": "",
        "sys/net/ipv4/ip_forward": "", "sys/kernel/core_pattern": "", "self/oom_score_adj": ""}


def fake_proc(top):
    for name, text in FAKE.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


@pytest.mark.parametrize("how, label", [
    *((how, None) for how in ("bind", "tmpfs", "symlink", "absent", "covered")),
    ("absent", "apparmorProfile"), ("absent", "selinuxLabel"), ("symlink", "apparmorProfile"),
])
def test_cve_2019_16884_and_2025_52881_fake_proc(root, how, label):
    """Labels and sysctls go to the true procfs or nowhere; nothing is written to a false one."""
    b = root.bundle("true")
    fake = fake_proc(b.rootfs / "fake" if how == "symlink" else root.dir / "fake")
    mounts = b.config["mounts"]
    assert mounts[0]["destination"] == "/proc"
    if how == "bind":
        mounts[0].update(type="bind", source=str(fake), options=["bind"])
    elif how == "tmpfs":
        mounts[0].update(type="tmpfs", source="tmpfs", options=["tmpcopyup"])
        fake = fake_proc(b.rootfs / "proc")
    elif how == "symlink":
        (b.rootfs / "proc").rmdir()
        (b.rootfs / "proc").symlink_to("fake")
    elif how == "absent":
        del mounts[0]
        b.linux["maskedPaths"] = b.linux["readonlyPaths"] = []
        fake = fake_proc(b.rootfs / "proc")
    else:
        b.mount("/proc/sys", "tmpfs", "tmpfs", "tmpcopyup")
    before = tree(fake)
    b.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    if label:
        b.process[label] = "inro-test"
    r = b.run()
    assert r.code != 0 or (how == "absent" and not label), r
    assert tree(fake) == before
    assert all((fake / name).read_text() == "" for name in FAKE)


def test_cve_2025_52881_nothing_covers_proc(root):
    b = root.bundle("true")
    (root.dir / "fake").mkdir()
    (b.rootfs / "way").symlink_to("/proc/sys/net")
    mounts = list(b.config["mounts"])
    for kind in ("bind", "tmpfs", "sysfs", "mqueue", "cgroup", "ramfs"):
        for where in ("/proc/self/attr", "/proc/sys/kernel", "/way", "/proc/1/fd"):
            b.config["mounts"] = list(mounts)
            b.mount(where, kind, root.dir / "fake", *(["bind"] if kind == "bind" else []))
            b.run().fails("inro-runtime: ", where, code=1)


@pytest.mark.parametrize("kind", ["link", "link to proc", "file", "fifo", "directory",
                                  "other device"])
@pytest.mark.parametrize("own_dev", [True, False])
def test_cve_2025_31133_dev_null_of_the_image(root, kind, own_dev):
    """What covers masked files is the null device, whatever the image calls so."""
    b = sh(root, "cat /proc/kcore /proc/keys; cat /proc/timer_list; cat /secret")
    if not own_dev:
        b.config["mounts"] = [m for m in b.config["mounts"]
                              if not m["destination"].startswith("/dev")]
    (b.rootfs / "secret").write_text("secret\n")
    null = b.rootfs / "dev/null"
    if kind == "link":
        null.symlink_to("/secret")
    elif kind == "link to proc":
        null.symlink_to("/proc/sys/kernel/core_pattern")
    elif kind == "file":
        null.write_text("no device\n")
    elif kind == "fifo":
        os.mkfifo(null)
    elif kind == "directory":
        null.mkdir()
    else:
        os.mknod(null, 0o20666, os.makedev(1, 5))  # zero
    b.linux["maskedPaths"].append("/secret")
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    r = b.run()
    assert r.out == "", r
    assert (b.rootfs / "secret").read_text() == "secret\n"
    if own_dev:
        r.ok()
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == pattern


@pytest.mark.parametrize("target", ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
                                    "/secret", "/dev/pts/0", "../../../../../../../etc/hostname"])
def test_cve_2025_52565_console_through_a_link(root, target):
    """/dev/console never becomes a way around a masked or read-only file of /proc."""
    b = sh(root, "test -c /dev/console; echo x >/proc/sys/kernel/core_pattern")
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/dev"]
    (b.rootfs / "dev/console").symlink_to(target)
    (b.rootfs / "secret").write_text("secret\n")
    b.process["terminal"] = True
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    hostname = pathlib.Path("/etc/hostname").read_text()
    r = b.run()
    if target.startswith("/proc"):
        r.fails("console", code=1)
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    assert pathlib.Path("/etc/hostname").read_text() == hostname
    assert not os.path.ismount("/etc/hostname")


def test_cve_2025_52565_pts_of_the_image(root):
    """Links where the terminals are: devpts is mounted over them or the terminal refused."""
    b = sh(root, "tty")
    b.config["mounts"] = [m for m in b.config["mounts"] if not m["destination"].startswith("/dev")]
    (b.rootfs / "dev/pts").mkdir()
    (b.rootfs / "dev/pts/ptmx").symlink_to("/proc/sysrq-trigger")
    (b.rootfs / "dev/pts/0").symlink_to("/proc/sysrq-trigger")
    b.process["terminal"] = True
    b.run().fails("devpts", code=1)


def cgroup_options(text):
    """Of each cgroup mount in a mountinfo: its options."""
    return [line.split()[5] for line in text.splitlines()
            if line.split(" - ")[1].startswith("cgroup")]


@pytest.mark.parametrize("without", [["cgroup"], ["network"], ["cgroup", "network"], []])
def test_cve_2023_25809_cgroups_are_read_only(anyone, without):
    b = sh(anyone, "cat /proc/self/mountinfo; "
                   "find /sys/fs/cgroup -type d -exec mkdir {}/escape \\; 2>/dev/null; "
                   "find /sys/fs/cgroup -name escape >&2")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in without]
    if not (anyone.rootless and "network" in without):
        b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")
    r = b.run()
    assert "escape" not in r.err
    if r.code == 0:
        options = cgroup_options(r.out)
        assert options and all("ro" in o.split(",") for o in options), r.out


def test_cve_2022_29162_and_2022_24769_no_inheritable_capabilities(anyone):
    show = "grep -E '^Cap(Inh|Amb)' /proc/self/status"
    empty = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n"
    assert sh(anyone, show).run().ok().out == empty
    box = engine.box(anyone)
    assert anyone.inro("run", "--rm", box, "sh", "-c", show).ok().out == empty
    assert anyone.inro("run", "--rm", "--cap-add", "ALL", "-u", "65534" if not anyone.rootless
                       else "0", box, "sh", "-c", show).ok().out == empty
    b = sh(anyone, show, name="example")
    anyone.run(anyone.program("inro-runtime"), "spec", "--bundle", anyone.dir).ok()
    example = json.loads((anyone.dir / "config.json").read_text())
    b.process["capabilities"] = example["process"]["capabilities"]
    assert b.run().ok().out == empty
