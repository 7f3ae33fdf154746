# SPDX-License-Identifier: Apache-2.0
"""Mounts, masked and read-only paths: what the container's mountinfo says afterwards."""

import os
import pathlib
import subprocess

import pytest

import harness


def sh(who, script, **kw):
    return who.bundle("sh", "-c", script, **kw)


def options_of(mountinfo, point):
    """The mount options (not those of the superblock) of the last mount at point."""
    found = [line.split() for line in mountinfo.splitlines() if line.split()[4] == point]
    assert found, f"nothing is mounted on {point}:\n{mountinfo}"
    return found[-1]


def test_nothing_is_mounted_on_the_host(anyone):
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    b = sh(anyone, "sleep 60")
    b.run("--detach", stdout=None, stderr=None).ok()
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


def test_host_tree_is_gone(anyone):
    info = sh(anyone, "cat /proc/self/mountinfo").run().ok().out
    assert str(anyone.dir) not in " ".join(line.split()[4] for line in info.splitlines())
    assert len(info.splitlines()) < 30


@pytest.mark.parametrize("options,expected,absent", [
    (["bind"], ["rw"], ["ro"]), (["bind", "ro"], ["ro"], ["rw"]),
    (["bind", "ro", "rw"], ["rw"], ["ro"]),
    (["rbind", "nosuid", "nodev", "noexec"], ["nosuid", "nodev", "noexec"], []),
    (["bind", "noatime"], ["noatime"], ["relatime"]),
    (["bind", "nodiratime"], ["nodiratime"], []),
    (["bind", "strictatime"], [], ["relatime", "noatime"]),
    (["rbind", "rro"], ["ro"], []), (["rbind", "rnosuid", "rnoexec"], ["nosuid", "noexec"], []),
    (["bind", "nosymfollow"], ["nosymfollow"], []),
])
def test_bind_options(root, options, expected, absent):
    b = sh(root, "cat /proc/self/mountinfo")
    (root.dir / "src").mkdir()
    b.mount("/data", "bind", root.dir / "src", *options)
    fields = options_of(b.run().ok().out, "/data")[5].split(",")
    assert all(o in fields for o in expected), fields
    assert not any(o in fields for o in absent), fields


def test_recursive_attributes_reach_submounts(root):
    src = root.dir / "src"
    (src / "sub").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", src / "sub"], check=True)
    try:
        b = sh(root, "cat /proc/self/mountinfo; touch /data/sub/x; touch /plain/sub/x")
        b.mount("/data", "bind", src, "rbind", "rro")
        b.mount("/plain", "bind", src, "rbind", "ro")
        r = b.run()
        assert options_of(r.out, "/data/sub")[5].startswith("ro")
        assert options_of(r.out, "/plain/sub")[5].startswith("rw")
        assert "/data/sub/x: Read-only" in r.err and "/plain/sub/x" not in r.err
    finally:
        subprocess.run(["umount", src / "sub"], check=True)


@pytest.mark.parametrize("word,first,expected,absent", [
    ("rro", "rw", "ro", "rw"), ("rrw", "ro", "rw", "ro"), ("rnosuid", "rw", "nosuid", "-"),
    ("rsuid", "nosuid", "rw", "nosuid"), ("rnodev", "rw", "nodev", "-"),
    ("rdev", "nodev", "rw", "nodev"), ("rnoexec", "rw", "noexec", "-"),
    ("rexec", "noexec", "rw", "noexec"), ("rnodiratime", "rw", "nodiratime", "-"),
    ("rdiratime", "nodiratime", "rw", "nodiratime"), ("rnoatime", "rw", "noatime", "relatime"),
    ("ratime", "noatime", "relatime", "noatime"), ("rrelatime", "noatime", "relatime", "noatime"),
    ("rstrictatime", "rw", "rw", "relatime"), ("rnosymfollow", "rw", "nosymfollow", "-"),
    ("rsymfollow", "nosymfollow", "rw", "nosymfollow")])
def test_each_recursive_attribute(root, word, first, expected, absent):
    """config.md, "Linux mount options": set and taken away below the mount itself."""
    src = root.dir / "src"
    (src / "sub").mkdir(parents=True)
    b = sh(root, "cat /proc/self/mountinfo")
    b.mount("/data", "bind", src, "rbind", word)
    subprocess.run(["mount", "-t", "tmpfs", "-o", first, "tmpfs", src / "sub"], check=True)
    try:
        fields = options_of(b.run().ok().out, "/data/sub")[5].split(",")
    finally:
        subprocess.run(["umount", src / "sub"], check=True)
    assert expected in fields and absent not in fields, fields


def test_recursive_idmap(root):
    src = root.dir / "src"
    (src / "sub").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", src / "sub"], check=True)
    try:
        for path in (src / "f", src / "sub/f"):
            path.touch()
            os.chown(path, 1000, 1000)
        maps = [{"containerID": 1000, "hostID": 0, "size": 1},
                {"containerID": 0, "hostID": 1000, "size": 1}]
        owners = {}
        for word in ("ridmap", "idmap"):
            b = root.bundle("stat", "-c", "%u", "/data/f", "/data/sub/f", name=word)
            b.mount("/data", "bind", src, "rbind", word)
            b.config["mounts"][-1].update(uidMappings=maps, gidMappings=maps)
            r = b.run()
            if "can't do that on its filesystem" in r.err:
                harness.machine_cannot("its tmpfs takes no id mappings")
            owners[word] = r.ok().out.split()
        assert owners == {"ridmap": ["0", "0"], "idmap": ["0", "1000"]}
    finally:
        subprocess.run(["umount", src / "sub"], check=True)


@pytest.mark.parametrize("maps,word", [
    ({"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}, "gidMappings"),
    ({}, "id-mapped mount")])
def test_idmap_without_what_it_needs(root, maps, word):
    b = sh(root, "true")
    b.mount("/data", "bind", root.dir, "bind", "idmap")
    b.config["mounts"][-1].update(maps)
    b.run().fails(word, code=1)


@pytest.mark.parametrize("word,field", [("shared", "shared:"), ("rshared", "shared:"),
                                        ("unbindable", "unbindable"), ("private", "-")])
def test_propagation(root, word, field):
    b = sh(root, "cat /proc/self/mountinfo")
    (root.dir / "src").mkdir()
    b.mount("/data", "bind", root.dir / "src", "rbind", word)
    assert options_of(b.run().ok().out, "/data")[6].startswith(field)


def test_bind_of_a_file_and_relative_source(anyone):
    b = sh(anyone, "cat /etc/deep/file; cat /etc/hosts")
    (b.path / "local").write_text("relative\n")
    other = anyone.dir / "hosts"
    other.write_text("absolute\n")
    b.give()
    b.mount("/etc/deep/file", "bind", "local", "bind")
    b.mount("/etc/hosts", None, other, "rbind", "ro")
    assert b.run().ok().out == "relative\nabsolute\n"


@pytest.mark.parametrize("source,target,words", [
    ("/etc/passwd", "/tmp", "mounting /tmp in container: it is a directory, and its source /etc/passwd is"),
    ("/etc", "/bin/busybox", "creating directory /bin/busybox")])
def test_file_on_a_directory_and_the_other_way(anyone, source, target, words):
    """In words that docker knows: it adds advice."""
    b = sh(anyone, "true")
    b.mount(target, "bind", source, "rbind")
    said = b.run().fails(words, "hint: a directory is mounted on a directory", code=1).err
    assert "not a directory" in said.lower()


def test_bind_that_would_leave_mounts_out(user):
    """A user namespace can't: what is below might be hidden for a reason."""
    b = sh(user, "true")
    b.mount("/data", "bind", "/", "bind")
    b.run().fails("cloning mount (open_tree): Invalid argument", "hint: / may have mounts below it", code=1)


def test_missing_source(anyone):
    b = anyone.bundle("true")
    b.mount("/data", "bind", "/no/such/source", "bind")
    b.run().fails("mounting /data in container", "/no/such/source: No such file", code=1)


def test_tmpfs(anyone):
    b = sh(anyone, "stat -c %a /t /withmode /existing; df -k /t | tail -1; cat /proc/self/mountinfo")
    (b.rootfs / "existing").mkdir()
    (b.rootfs / "existing").chmod(0o1700)
    b.give()
    b.mount("/t", "tmpfs", "tmpfs", "size=1m", "nosuid")
    b.mount("/withmode", "tmpfs", "tmpfs", "mode=0701")
    b.mount("/existing", "tmpfs", "tmpfs")
    out = b.run().ok().out.split()
    assert out[:3] == ["1777", "701", "1700"]
    assert "1024" in out


def test_tmpcopyup(anyone):
    b = sh(anyone, "cat /data/a /data/sub/b; readlink /data/link; touch /data/new; "
                   "stat -c %a /data/a")
    (b.rootfs / "data/sub").mkdir(parents=True)
    (b.rootfs / "data/a").write_text("A\n")
    (b.rootfs / "data/a").chmod(0o640)
    (b.rootfs / "data/sub/b").write_text("B\n")
    (b.rootfs / "data/link").symlink_to("/etc/shadow")
    b.give()
    b.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    assert b.run().ok().out.split() == ["A", "B", "/etc/shadow", "640"]
    assert not (b.rootfs / "data/new").exists()


def test_read_only_tmpfs_with_mounts_below(anyone):
    b = sh(anyone, "touch /ro/below/ok && touch /ro/x")
    b.mount("/ro", "tmpfs", "tmpfs", "ro")
    b.mount("/ro/below", "tmpfs", "tmpfs")
    b.run().fails("/ro/x: Read-only file system")


@pytest.mark.parametrize("fstype,options", [("tmpfs", ["tmpcopyup"]), ("bind", ["rbind", "ro"])])
def test_mount_on_the_root(root, fstype, options):
    b = sh(root, "ls -d /bin /proc/self; cat /proc/kcore | wc -c; touch /here && echo wrote")
    b.config["mounts"].insert(0, {"destination": "/", "type": fstype, "options": options,
                                  "source": "tmpfs" if fstype == "tmpfs" else str(b.rootfs)})
    r = b.run()
    assert r.out.split()[:3] == ["/bin", "/proc/self", "0"]
    assert ("wrote" in r.out) == (fstype == "tmpfs")
    assert not (b.rootfs / "here").exists()


def test_remount(root):
    b = sh(root, "touch /data/x")
    (root.dir / "src").mkdir()
    b.mount("/data", "bind", root.dir / "src", "bind")
    b.mount("/data", "bind", "", "remount", "bind", "ro")
    b.run().fails("Read-only file system")


def test_overlay_as_a_mount(root):
    for d in ("low", "up", "work"):
        (root.dir / d).mkdir()
    (root.dir / "low/f").write_text("low\n")
    b = sh(root, "cat /ov/f; echo up > /ov/f")
    b.mount("/ov", "overlay", "overlay", f"lowerdir={root.dir}/low", f"upperdir={root.dir}/up",
            f"workdir={root.dir}/work")
    assert b.run().ok().out == "low\n"
    assert (root.dir / "up/f").read_text() == "up\n"


@pytest.mark.parametrize("option", ["nosiud", "size"])
def test_unknown_option_of_a_bind_mount(anyone, option):
    b = sh(anyone, "true")
    b.mount("/mnt", "bind", anyone.dir, "rbind", option)
    b.run().fails("mounts[6].options", f'"{option}" is no option of a bind mount', code=1)


def test_filesystems_option_of_a_bind_mount(anyone):
    b = sh(anyone, "true")
    b.mount("/mnt", "bind", anyone.dir, "rbind", "mode=0755")
    assert "mode=... has no effect" in b.run().ok().err


def test_bad_filesystem_option_tells_the_kernels_words(anyone):
    b = anyone.bundle("true")
    b.mount("/t", "tmpfs", "tmpfs", "size=lots")
    b.run().fails("mounting /t in container", "size", code=1)


def test_idmapped_bind(root):
    src = root.dir / "src"
    src.mkdir()
    (src / "f").write_text("")
    os.chown(src / "f", 1000, 1000)
    b = sh(root, "stat -c %u:%g /data/f; touch /data/new")
    b.mount("/data", "bind", src, "bind", "idmap")
    b.config["mounts"][-1]["uidMappings"] = [{"containerID": 1000, "hostID": 0, "size": 1},
                                             {"containerID": 0, "hostID": 1000, "size": 1}]
    b.config["mounts"][-1]["gidMappings"] = b.config["mounts"][-1]["uidMappings"]
    assert b.run().ok().out == "0:0\n"
    assert (src / "new").stat().st_uid == 1000


def test_idmap_with_the_containers_mappings(root):
    src = root.dir / "src"
    src.mkdir()
    b = sh(root, "touch /data/new && stat -c %u /data/new")
    b.linux["namespaces"].append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 200000, "size": 1000}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    (b.rootfs / "data").mkdir()
    b.mount("/data", "bind", src, "bind", "idmap")
    assert b.run().ok().out == "0\n"
    assert (src / "new").stat().st_uid == 0


def test_masked_paths(anyone):
    b = sh(anyone, "cat /proc/keys | wc -c; ls /sys/firmware | wc -l; ls /secret; "
                   "cat /secretfile | wc -c; touch /secret/x; chmod 600 /secretfile")
    (b.rootfs / "secret").mkdir()
    (b.rootfs / "secret/file").write_text("x")
    (b.rootfs / "secretfile").write_text("x")
    b.give()
    b.linux["maskedPaths"] += ["/secret", "/secretfile", "/does/not/exist", "/etc/passwd/x"]
    null = os.stat("/dev/null").st_mode
    r = b.run()
    assert r.out.split() == ["0", "0", "0"]
    assert "/secret/x: Read-only file system" in r.err
    assert os.stat("/dev/null").st_mode == null


def test_readonly_paths(anyone):
    b = sh(anyone, "echo x > /etc/passwd; touch /dir/x; touch /dir/sub/x; "
                   "echo 1 > /proc/sys/net/ipv4/ip_forward; touch /ok")
    (b.rootfs / "dir/sub").mkdir(parents=True)
    b.give()
    b.linux["readonlyPaths"] += ["/etc/passwd", "/dir", "/does/not/exist"]
    r = b.run().ok()
    assert r.err.count("Read-only file system") == 4


def test_readonly_root(anyone):
    b = sh(anyone, "touch /x; touch /dev/shm/ok")
    b.config["root"]["readonly"] = True
    r = b.run().ok()
    assert "/x: Read-only file system" in r.err
    assert not (b.rootfs / "x").exists()


def test_no_pivot(anyone):
    assert sh(anyone, "ls /bin/busybox").run("--no-pivot").ok().out == "/bin/busybox\n"


@pytest.mark.parametrize("word", ["shared", "rshared", "slave", "rslave", "private", "rprivate"])
def test_rootfs_propagation(root, word):
    b = sh(root, "cat /proc/self/mountinfo")
    b.linux["rootfsPropagation"] = word
    before = pathlib.Path("/proc/self/mountinfo").read_text()
    fields = options_of(b.run().ok().out, "/")
    assert fields[6].startswith("shared:") == word.endswith("shared")
    assert pathlib.Path("/proc/self/mountinfo").read_text() == before


def test_shared_root_leaves_the_hosts_mounts(root):
    """Detaching the old root in a shared namespace must not unmount anything out here."""
    b = sh(root, "cat /proc/self/mountinfo")
    b.linux["rootfsPropagation"] = "rshared"
    b.save()
    script = (f"mount --make-rshared / && mount -t tmpfs tmpfs {root.dir}/shared && "
              "cp /proc/self/mountinfo before && "
              f"{' '.join(map(str, root.runtime_argv('run', '--bundle', b.path, 'c1')))} >/dev/null && "
              "diff before /proc/self/mountinfo")
    (root.dir / "shared").mkdir()
    root.run("unshare", "-m", "sh", "-c", script).ok()


def test_cgroups_are_no_peers_of_the_hosts(root):
    """Even where all is shared, and asked to be: what is mounted below them stays in the container."""
    b = sh(root, "cat /proc/self/mountinfo")
    b.linux["rootfsPropagation"] = "rshared"
    b.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    b.save()
    run = " ".join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
    out = root.run("unshare", "-m", "sh", "-c", f"mount --make-rshared / && cat /proc/self/mountinfo && "
                                                f"echo ---- && {run}").ok().out
    outside, inside = ([line.split() for line in part.splitlines()] for part in out.split("----\n"))
    peers = {word for fields in outside for word in fields[6:fields.index("-")]}
    mounted = [f for f in inside if f[f.index("-") + 1] in ("cgroup", "cgroup2")]
    assert peers and mounted
    assert not [f for f in mounted if peers & set(f[6:f.index("-")])]


@pytest.mark.parametrize("propagation", ["", "rshared"])
def test_mounts_in_a_user_namespace_stay_there(root, propagation):
    """Where the host's mounts are shared, as systemd makes them."""
    src = root.dir / "src"
    src.mkdir()
    src.chmod(0o777)
    b = sh(root, "mount -t tmpfs tmpfs /data && mount -t tmpfs tmpfs /src/a && "
                 "cp /proc/self/mountinfo /src/ready && while ! test -e /src/end; do sleep 0.02; done")
    b.linux["namespaces"].append({"type": "user"})
    maps = [{"containerID": 0, "hostID": 200000, "size": 1000}]
    b.linux.update(uidMappings=maps, gidMappings=maps)
    if propagation:
        b.linux["rootfsPropagation"] = propagation
    b.process["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]
                                 for k in ("bounding", "effective", "permitted")}
    for d in (b.rootfs / "data", b.rootfs / "src", src / "a"):
        d.mkdir()
    b.mount("/src", "bind", src, "rbind")
    run = " ".join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
    script = (f"mount --make-rshared / && mount --bind {root.dir} {root.dir} && "
              "cp /proc/self/mountinfo before && "
              f"{{ {run} & }}; while ! test -e {src}/ready && kill -0 $!; do sleep 0.02; done; "
              f"diff before /proc/self/mountinfo; touch {src}/end; wait $!")
    assert root.run("unshare", "-m", "bash", "-c", script, timeout=20).ok().out == ""


def test_shared_bind_passes_mounts_both_ways(root):
    src = root.dir / "src"
    (src / "a").mkdir(parents=True)
    (src / "b").mkdir()
    b = sh(root, "mount -t tmpfs tmpfs /data/a && touch /data/ready; "
                 "while ! test -e /data/b/file; do sleep 0.02; done")
    b.process["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]
                                 for k in ("bounding", "effective", "permitted")}
    b.linux["rootfsPropagation"] = "rshared"
    b.mount("/data", "bind", src, "rbind", "rshared")
    run = " ".join(map(str, root.runtime_argv("run", "--bundle", b.path, "c1")))
    script = (f"mount --bind {src} {src} && mount --make-shared {src} && "
              f"{{ {run} & }}; while ! test -e {src}/ready; do sleep 0.02; done; "
              f"grep -c ' {src}/a ' /proc/self/mountinfo; mount -t tmpfs tmpfs {src}/b && "
              f"touch {src}/b/file; wait")
    assert root.run("unshare", "-m", "bash", "-c", script, timeout=20).ok().out == "1\n"


def test_proc_must_be_proc(root):
    b = root.bundle("true")
    (root.dir / "fake").mkdir()
    b.config["mounts"][0] = {"destination": "/proc", "type": "bind",
                             "source": str(root.dir / "fake"), "options": ["bind"]}
    b.run().fails("mounting /proc in container", "not of type proc", code=1)
    b = root.bundle("true", name="b2")
    b.mount("/proc/sys/kernel", "tmpfs", "tmpfs")
    (root.dir / "f").write_text("fake\n")
    b = sh(root, "cat /proc/uptime", name="b3")
    b.mount("/proc/uptime", "bind", root.dir / "f", "bind")
    assert b.run().ok().out == "fake\n"
    b.mount("/proc/self/attr", "bind", root.dir / "fake", "bind")
    b.run().fails("inside /proc", code=1)


def test_destination_links_stay_inside(anyone):
    """A link of the image that points to a path of the host leads inside the container."""
    outside = anyone.dir / "outside"
    outside.mkdir()
    anyone.own(outside)
    b = sh(anyone, f"ls {outside}")
    (b.rootfs / "link").symlink_to(outside)
    (anyone.dir / "src").mkdir()
    (anyone.dir / "src/f").write_text("")
    b.give()
    b.mount("/link", "bind", anyone.dir / "src", "bind")
    assert b.run().ok().out == "f\n"
    assert list(outside.iterdir()) == []


def test_cwd_through_an_inherited_fd(root):
    """CVE-2024-21626: an fd of the host, kept open, as the working directory."""
    b = sh(root, "pwd; cat ../../../../etc/hostname")
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(fd, True)
    try:
        for n in range(3, 12):
            b.process["cwd"] = f"/proc/self/fd/{n}"
            r = b.run(close_fds=False)
            assert r.code != 0, r
    finally:
        os.close(fd)


def test_host_and_container_namespaces_of_sysfs(user):
    b = sh(user, "ls /sys | head -1; touch /sys/x")
    b.linux["namespaces"] = [n for n in b.linux["namespaces"] if n["type"] != "network"]
    r = b.run()
    assert r.out.strip() and ("Read-only" in r.err or "Permission" in r.err), r
