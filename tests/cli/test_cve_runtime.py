# SPDX-License-Identifier: Apache-2.0
"""Regressions of vulnerabilities of runc, crun and youki that have no place in another test."""

import errno
import json
import os
import pathlib
import subprocess
import time
import threading

import pytest

import harness

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def sh(who, script, **kw):
    return who.bundle("sh", "-c", script, **kw)


def created(who, b, cid):
    """Starts a container and returns the host's pid of its first process."""
    b.save()
    who.runtime("create", "--bundle", b.path, cid, **QUIET).ok()
    pid = json.loads(who.runtime("state", cid).ok().out)["pid"]
    who.runtime("start", cid).ok()
    return pid


@pytest.mark.parametrize("link", ["{host}", "../../../../../../../../../../../..{host}"])
@pytest.mark.parametrize("pieces", ["dev", "dev, no mount", "dev/pts"])
def test_cve_2026_41579_and_2026_47766_dev_is_a_link_of_the_image(anyone, link, pieces):
    """The links and nodes in /dev are made below the root, wherever the image's /dev points to."""
    b = sh(anyone, "ls -l /dev; echo x >/dev/null")
    host = anyone.dir / "host"
    host.mkdir()
    anyone.own(host)
    (host / "ptmx").write_text("of the host\n")
    (host / "null").write_text("of the host\n")
    (host / "shm").mkdir()
    target = link.format(host=host)
    if pieces == "dev/pts":
        (b.rootfs / "dev/pts").symlink_to(target)
    else:
        (b.rootfs / "dev").rmdir()
        (b.rootfs / "dev").symlink_to(target)
    if pieces != "dev":
        b.config["mounts"] = [m for m in b.config["mounts"]
                              if not m["destination"].startswith("/dev")]
    if not anyone.rootless:
        b.linux["devices"] = [{"path": "/dev/extra", "type": "c", "major": 1, "minor": 3,
                               "fileMode": 0o666, "uid": 7, "gid": 7}]
    before = sorted((p.name, p.lstat().st_mode, p.lstat().st_ino, p.lstat().st_mtime_ns)
                    for p in [host, *host.iterdir()] if p.name != "host") + [host.stat().st_mtime_ns]
    b.run()
    after = sorted((p.name, p.lstat().st_mode, p.lstat().st_ino, p.lstat().st_mtime_ns)
                   for p in [host, *host.iterdir()] if p.name != "host") + [host.stat().st_mtime_ns]
    assert after == before
    assert (host / "ptmx").read_text() == (host / "null").read_text() == "of the host\n"


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["other", "/other", "/tmp/../other"])
def test_cve_2019_19921_and_2023_27561_and_2025_54867_proc_is_a_link(anyone, name, target):
    """Else what the masked paths name is not what the container gets as its /proc."""
    b = sh(anyone, "cat /other/kcore; ls /other")
    (b.rootfs / "other").mkdir()
    (b.rootfs / name).rmdir()
    (b.rootfs / name).symlink_to(target)
    b.give()
    r = b.run()
    r.fails(f"mounting /{name} in container", "ordinary directory", code=1)
    assert list((b.rootfs / "other").iterdir()) == []


def exchanging(top, one, other, stop):
    """A sharer of the root filesystem renames the directory that is, or will be, a mount point."""
    count = 0
    while not stop.is_set():
        os.rename(top / one, top / "moving")
        os.rename(top / other, top / one)
        os.rename(top / "moving", top / other)
        count += 1
    exchanging.count = count


def test_cve_2023_27561_and_2023_28642_proc_is_renamed_while_it_is_protected(root):
    """The masks and read-only paths are on the procfs that was mounted, whatever its name is by
    then: a writable core_pattern anywhere would be a way to run programs on the host."""
    find = ("for p in /proc /fake /moving; do [ -e $p/self/status ] || continue; "
            "if (: >$p/sys/kernel/core_pattern) 2>/dev/null; then echo ESCAPE $p; "
            "else echo kept; fi; done")
    b = sh(root, find)
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    (b.rootfs / "fake/sys").mkdir(parents=True)
    for n in range(10):
        b.mount(f"/m{n}", "tmpfs", "tmpfs")
    outs, stop = [], threading.Event()
    swapper = threading.Thread(target=exchanging, args=(b.rootfs, "proc", "fake", stop))
    swapper.start()
    try:
        for n in range(harness.rounds(80)):
            outs.append(b.run(cid=f"c{n}").out)
    finally:
        stop.set()
        swapper.join()
    assert pathlib.Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    assert not [o for o in outs if "ESCAPE" in o]
    assert "kept\n" in outs and exchanging.count > harness.rounds(500)


def test_cve_2024_45310_directories_and_files_in_an_exchanged_volume(root):
    """Mount points that are missing are made in the volume, never where its names lead to."""
    victim, volume = root.dir / "victim", root.dir / "volume"
    for d in (victim, volume / "dir"):
        d.mkdir(parents=True)
    (volume / "link").symlink_to(victim)
    b = root.bundle("true")
    b.mount("/vol", "bind", volume, "bind")
    b.mount("/vol/dir/a/b/c", "tmpfs", "tmpfs")
    b.mount("/vol/dir/x/file", "bind", b.path / "config.json", "bind")
    swapper = subprocess.Popen([root.program("tests/faults/swapper"), volume / "dir",
                                volume / "link"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert swapper.stdout.readline() == b"ready\n"
    try:
        codes = [b.run(cid=f"c{n}").code for n in range(harness.rounds(40))]
    finally:
        out, _ = swapper.communicate()
    assert int(out) > harness.rounds(500) and 0 in codes
    assert not list(victim.iterdir())


def test_masks_are_on_what_is_seen_when_the_root_is_covered(root):
    """A later mount on "/" hides the /proc that was mounted before it, not what it brings itself."""
    b = sh(root, "cat /proc/secret; echo ran")
    cover = root.dir / "cover"
    harness.make_rootfs(cover)
    (cover / "proc/secret").write_text("secret\n")
    b.mount("/", "bind", cover, "rbind")
    b.mount("/dev", "tmpfs", "tmpfs")
    b.linux["maskedPaths"] = ["/proc/secret"]
    b.linux["readonlyPaths"] = []
    assert b.run().ok().out == "ran\n"


def test_tmpcopyup_reads_no_device_put_in_place_of_a_file(root):
    """The sharer of a volume exchanges a file for a node of a device that only the runtime, which
    is not in the container's cgroup yet, could open: its content would land in the container."""
    b = sh(root, "cat /vol/dir/*")
    vol = b.rootfs / "vol"
    (vol / "dir").mkdir(parents=True)
    os.mknod(vol / "node", 0o20666, os.makedev(1, 5))  # zero: endless, as no file is
    (vol / "file").write_text("file\n")
    (vol / "dir/f").write_text("file\n")
    b.mount("/vol/dir", "tmpfs", "tmpfs", "tmpcopyup", "size=64k")
    swapper = subprocess.Popen([root.program("tests/faults/swapper"), vol / "dir/f", vol / "node"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert swapper.stdout.readline() == b"ready\n"
    try:
        results = [b.run(cid=f"c{n}") for n in range(harness.rounds(60))]
    finally:
        out, _ = swapper.communicate()
    assert int(out) > harness.rounds(500)
    assert {r.out for r in results} <= {"file\n", ""}
    assert [r for r in results if r.out == "file\n"]
    assert not [r for r in results if "No space left" in r.err], results




def test_cve_2016_9962_processes_of_a_joined_pid_namespace_see_nothing_of_the_host(root):
    """The first process of a container that joins the pid namespace of another is seen by that one
    while it waits for start. CAP_SYS_PTRACE in a user namespace that both share must not open it.
    """
    spy = ("while :; do for p in /proc/[0-9]*; do "
           "[ \"$(cat $p/comm)\" = inro-runtime ] || continue; echo seen >>/out/comm; "
           "found=$(ls $p/root/ $p/cwd/ && readlink $p/fd/*); "
           # else it has executed its program meanwhile, and is to be seen
           "[ \"$(cat $p/comm)\" = inro-runtime ] && printf %s \"$found\" >>/out/opened; "
           "done; done 2>/dev/null")
    out = root.dir / "out"
    out.mkdir()
    out.chmod(0o777)
    (out / "opened").touch()
    (out / "opened").chmod(0o666)
    maps = [{"containerID": 0, "hostID": 0, "size": 1000}]
    a = sh(root, spy, name="a")
    a.process["capabilities"] = {k: [*harness.DEFAULT_CAPS, "CAP_SYS_PTRACE"]
                                 for k in ("bounding", "effective", "permitted")}
    a.linux["namespaces"].append({"type": "user"})
    a.linux["uidMappings"] = a.linux["gidMappings"] = maps
    a.mount("/out", "bind", out, "bind")
    (a.rootfs / "out").mkdir()
    pid = created(root, a, "a")
    b = root.bundle("true", name="b")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "pid"]
    b.linux["namespaces"] += [{"type": t, "path": f"/proc/{pid}/ns/{t}"} for t in ("pid", "user")]
    b.save()
    root.runtime("create", "--bundle", b.path, "b", **QUIET).ok()
    time.sleep(0.5)  # enough for the other one to look
    for cid in ("b", "a"):
        root.runtime("delete", "--force", cid).ok()
    assert "seen" in (out / "comm").read_text()
    assert (out / "opened").read_text() == ""


def test_a_process_that_shows_itself_to_nobody_sets_its_oom_score(user):
    a = sh(user, "sleep 60", name="a")
    pid = created(user, a, "a")
    b = sh(user, "cat /proc/self/oom_score_adj", name="b")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] not in ("pid", "user")]
    b.linux["namespaces"] += [{"type": t, "path": f"/proc/{pid}/ns/{t}"} for t in ("pid", "user")]
    del b.linux["uidMappings"], b.linux["gidMappings"]
    b.process["oomScoreAdj"] = 777
    assert b.run().ok().out == "777\n"


def test_cve_2019_18837_links_of_the_image_at_every_destination(root):
    """Destinations of all kinds behind links that lead out of the root, absolute and relative."""
    victim = root.dir / "victim"
    for name in ("a", "b", "c"):
        (victim / name).mkdir(parents=True)
    (victim / "file").write_text("host\n")
    b = sh(root, "true")
    up = "../" * 24
    for name, target in (("la", victim / "a"), ("lb", f"{up}{victim}/b"), ("lc", victim / "c"),
                         ("lf", victim / "file")):
        (b.rootfs / name).symlink_to(target)
    src = root.dir / "src"
    src.mkdir()
    b.mount("/la/x", "bind", src, "bind")
    b.mount("/lb/y", "tmpfs", "tmpfs", "tmpcopyup")
    b.mount("/lc/z", "cgroup", "cgroup", "ro")
    b.mount("/lf", "bind", b.path / "config.json", "bind")
    b.linux["devices"] = [{"path": "/la/null", "type": "c", "major": 1, "minor": 3}]
    b.linux["maskedPaths"] += ["/lf", "/lb"]
    b.linux["readonlyPaths"] += ["/la"]
    b.process["cwd"] = "/lc/made"
    b.run()
    assert sorted(str(p.relative_to(victim)) for p in victim.rglob("*")) == ["a", "b", "c", "file"]
    assert (victim / "file").read_text() == "host\n"


def test_cve_2021_43784_many_id_maps(root):
    """More than a message of 16-bit length holds: refused or done whole, never wrapped."""
    b = sh(root, "cat /proc/self/uid_map | wc -l")
    b.linux["namespaces"].append({"type": "user"})
    for n, code in ((200, 0), (341, 1), (5000, 1)):
        b.linux["uidMappings"] = [{"containerID": i * 2, "hostID": 1900000000 + i, "size": 1}
                                  for i in range(n)]
        b.linux["gidMappings"] = [{"containerID": 0, "hostID": 1900000000, "size": 10}]
        r = b.run()
        assert r.code == code and (code or r.out == f"{n}\n"), (n, r)


def test_cve_2016_3697_numeric_names_in_passwd(root):
    """A user of the image whose name is a number does not change what the number means."""
    b = sh(root, "id -u; echo $HOME")
    (b.rootfs / "etc/passwd").write_text("1000:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/a:/bin/sh\n")
    b.process["user"] = {"uid": 1000, "gid": 1000}
    assert b.run().ok().out == "1000\n/a\n"


@pytest.mark.parametrize("attr", ["self/attr/exec", "self/attr", "thread-self", "self"])
def test_cve_2025_62596_labels_go_to_procfs_alone(root, attr):
    """The label's file is looked for on the procfs, whatever the image has at its path."""
    b = root.bundle("true")
    fake = b.rootfs / "fakeproc" / attr
    fake.parent.mkdir(parents=True)
    fake.write_text("")
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/proc"]
    (b.rootfs / "proc").rmdir()
    (b.rootfs / "proc").symlink_to("fakeproc")
    b.process["apparmorProfile"] = "unconfined-by-the-image"
    b.run().fails("AppArmor", code=1)
    assert fake.read_text() == ""


def test_cve_2022_0185_no_new_namespaces_under_a_filter_that_refuses_them(anyone):
    """The filter of the configuration is on before the program runs, in every thread and child."""
    b = sh(anyone, "unshare -Ur true && echo made; (unshare -U true && echo made); true")
    b.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["unshare", "clone3", "fsconfig"], "action": "SCMP_ACT_ERRNO"}]}
    assert b.run().ok().out == ""
    del b.linux["seccomp"]
    b.process["noNewPrivileges"] = False
    assert "made" in b.run().out  # else the filter proved nothing


@pytest.mark.parametrize("entry", ["/proc/self/exe", "/proc/1/exe", "/link", "/script", "/script2"])
def test_cve_2019_5736_entrypoint_is_the_runtime(root, entry):
    """The runtime, executed by the image's choice with all capabilities in the container, loads
    nothing of the image and is not written to by whoever gets hold of its file."""
    b = root.bundle(entry, "list")
    caps = harness.DEFAULT_CAPS + ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
    b.process["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
    b.process["env"] += ["LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/", "GCONV_PATH=/",
                         "_INRO_SELFEXE=1"]
    (b.rootfs / "link").symlink_to("/proc/self/exe")
    for name, line in (("script", "#!/proc/self/exe"), ("script2", "#!/link --debug")):
        (b.rootfs / name).write_text(line + "\n")
        (b.rootfs / name).chmod(0o755)
    for name in ("evil.so", "libc.so.6", "libjson-c.so.5", "libseccomp.so.2"):
        (b.rootfs / name).write_bytes(b"\x7fELF no library")
    program = pathlib.Path(root.program("inro-runtime"))
    before = (program.read_bytes(), program.stat().st_mtime_ns, program.stat().st_ino)
    r = b.run()
    assert r.code != 127 and "evil.so" not in r.err and "shared" not in r.err, r
    assert (program.read_bytes(), program.stat().st_mtime_ns, program.stat().st_ino) == before


@pytest.mark.parametrize("flags", ["O_WRONLY", "O_RDWR", "O_WRONLY | os.O_TRUNC", "O_WRONLY | os.O_APPEND"])
def test_cve_2019_5736_no_way_of_opening_writes(root, flags):
    """Of a process that waits for start: by its link, and again by a handle, also when it is gone."""
    b = root.bundle("true").save()
    program = pathlib.Path(root.program("inro-runtime"))
    before = program.read_bytes()
    root.runtime("create", "--bundle", b.path, "c1", **QUIET).ok()
    pid = json.loads(root.runtime("state", "c1").ok().out)["pid"]
    handle = os.open(f"/proc/{pid}/exe", os.O_PATH)
    flags = {"O_WRONLY": os.O_WRONLY, "O_RDWR": os.O_RDWR}.get(flags) or (
        os.O_WRONLY | (os.O_TRUNC if "TRUNC" in flags else os.O_APPEND))
    try:
        for path in (f"/proc/{pid}/exe", f"/proc/self/fd/{handle}"):
            with pytest.raises(OSError):
                os.close(os.open(path, flags))
        root.runtime("delete", "--force", "c1").ok()
        for _ in range(100):
            with pytest.raises(OSError) as error:
                os.close(os.open(f"/proc/self/fd/{handle}", flags))
            if error.value.errno != errno.ETXTBSY:  # other tests run the program, too
                break
            time.sleep(0.05)
        assert error.value.errno in (errno.EROFS, errno.EPERM)
        with pytest.raises(OSError):
            os.chmod(f"/proc/self/fd/{handle}", 0o777)
        with pytest.raises(OSError):
            os.truncate(f"/proc/self/fd/{handle}", 0)
    finally:
        os.close(handle)
    assert program.read_bytes() == before


class TestFds:
    """What a caller hands over by number is the caller's, never something of the runtime's."""

    def test_preserved_fd_is_never_the_runtimes_log(self, root):
        b = sh(root, "echo forged >&3")
        log = root.dir / "log"
        argv = [root.program("inro-runtime"), "--root", root.runtime_root, "--log", log, "run",
                "--preserve-fds", "1", "--bundle", b.path, "c1"]
        root.run(*argv).fails("file descriptor 3 is not open", code=1)
        assert "forged" not in log.read_text()

    def test_listen_fds_of_somebody_else(self, root):
        """What systemd gave to the engine's own process is not for the container."""
        b = sh(root, "echo $LISTEN_FDS; test -e /proc/$$/fd/3 && echo open")
        b.process["args"][-1] += "; true"
        b.save()
        argv = " ".join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
        for pid in ("1", "$PPID", "x", ""):
            r = root.run("sh", "-c", f"export LISTEN_FDS=1 LISTEN_PID={pid}; exec 3</dev/zero; "
                                     f"exec {argv}")
            assert r.ok().out == "\n", r

    def test_listen_fds_of_the_runtime(self, root):
        b = sh(root, "echo $LISTEN_FDS $LISTEN_PID; cat <&3")
        b.save()
        (root.dir / "in").write_text("given\n")
        argv = " ".join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
        r = root.run("sh", "-c", f"exec 3<{root.dir}/in; export LISTEN_FDS=1 LISTEN_PID=$$; "
                                 f"exec {argv}")
        assert r.ok().out == "1 1\ngiven\n"
