# SPDX-License-Identifier: Apache-2.0
"""`inro cp`: files into and out of containers, running, paused and stopped."""

import gzip
import os
import signal
import stat
import subprocess
import tarfile

import pytest

import engine
import layers
import test_swapper

TURNS = True
SLEEP = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done")


def begin(who, *options):
    who.inro("run", "-d", "--name", "web", *options, engine.box(who), *SLEEP).ok()
    return who


@pytest.fixture
def web(anyone):
    """The user, with a running container "web"."""
    return begin(anyone)


def sh(who, script, name="web"):
    return who.inro("exec", name, "sh", "-c", script)


def cp(who, *args, **kw):
    return who.inro("cp", *args, **kw)


def tree(who, name="src"):
    """A directory with a bit of everything."""
    top = who.dir / name
    (top / "sub/empty").mkdir(parents=True)
    (top / "file").write_text("text\n")
    (top / "file").chmod(0o640)
    os.utime(top / "file", (1_000_000_000, 1_000_000_000))
    os.link(top / "file", top / "sub/again")
    (top / "sub/link").symlink_to("../file")
    os.mkfifo(top / "pipe")
    with (top / "holes").open("wb") as f:
        f.truncate(1 << 30)
        f.seek(1 << 29)
        f.write(b"data" * 50_000)
    (top / "sub").chmod(0o750)
    for path in [top, *top.rglob("*")]:
        os.lchown(path, who.uid, who.gid) if os.geteuid() == 0 else None
    return top


def look(top):
    """What is there, but for owners."""
    found = {}
    for path in sorted(top.rglob("*")):
        st = path.lstat()
        what = (stat.filemode(st.st_mode), st.st_size, int(st.st_mtime))
        if path.is_symlink():
            what = ("link", os.readlink(path))
        elif path.is_file() and st.st_size < 1 << 20:
            what += (path.read_bytes(),)
        found[str(path.relative_to(top))] = what
    return found


def test_there_and_back(web):
    src, before = tree(web), look(web.dir / "src")
    cp(web, "src", "web:/root").ok()
    text = sh(web, "cd /root/src; stat -c '%a %u %g %Y' file; cat sub/link; stat -c %h file; "
              "ls -a sub/empty; stat -c %a sub; find . -user 0 | wc -l; find . | wc -l").ok().out
    assert text == "640 0 0 1000000000\ntext\n2\n.\n..\n750\n8\n8\n"
    cp(web, "web:/root/src", "out").ok()
    assert look(web.dir / "out") == before
    assert (web.dir / "out/holes").stat().st_blocks * 512 < 1 << 24
    assert (web.dir / "out/file").stat().st_uid == src.stat().st_uid
    assert os.path.samefile(web.dir / "out/file", web.dir / "out/sub/again")
    # into what is there, and what is in a directory
    cp(web, "web:/root/src", "out").ok()
    assert look(web.dir / "out/src") == before
    (web.dir / "flat").mkdir()
    web.own(web.dir / "flat")
    cp(web, "web:/root/src/.", "flat").ok()
    assert look(web.dir / "flat") == before
    assert not [p for p in web.dir.rglob(".inro-cp*")]


def test_within_one_container(web):
    """By the same rules, but for what would have no end."""
    tree(web)
    cp(web, "src", "web:/root").ok()
    cid = web.inro("inspect", "--format", "{{.Id}}", "web").ok().out.strip()
    cp(web, "web:/root/src", f"{cid[:12]}:/tmp").ok()
    cp(web, "web:/tmp/src/sub/.", "web:/root/src/sub/empty").ok()
    cp(web, "-L", "web:/root/src/sub/link", "web:/tmp/file").ok()
    assert sh(web, "cat /tmp/src/sub/link /tmp/file; ls /root/src/sub/empty; stat -c %h:%Y /tmp/src/file").ok().out == (
        "text\ntext\nagain\nempty\nlink\n2:1000000000\n")
    sh(web, "mkdir -p /tmp/a/b/c; ln -s /tmp/a/b /tmp/inside; ln /tmp/file /tmp/linked").ok()
    for source, destination, words in [
            ("/tmp/a", "/tmp/a", "into itself"), ("/tmp/a", "/tmp/a/b/c", "into itself"),
            ("/tmp/a", "/tmp/inside/new", "into itself"), ("/tmp/a/.", "/tmp/a/b", "into itself"),
            ("/", "/tmp/all", "into itself"), ("/tmp/a", "/tmp", "are the same"),
            ("/tmp/file", "/tmp/linked", "are the same"),
            ("/tmp/no", "/tmp/x", "Could not find the file /tmp/no in container web"),
            ("/tmp/file", "/no/x", "Could not find the file /no in container web"),
            ("/tmp/a", "/tmp/file", "cannot copy directory")]:
        cp(web, f"web:{source}", f"web:{destination}").fails(words, code=1)
    cp(web, "web:/tmp/a/b", "web:/tmp/ab").ok()
    assert sh(web, "find /tmp/a /tmp/ab; cat /tmp/file; find / -xdev -name '.inro-cp*'").ok().out \
        == "/tmp/a\n/tmp/a/b\n/tmp/a/b/c\n/tmp/ab\n/tmp/ab/c\ntext\n"
    web.inro("stop", "-t", "0", "web").ok()
    cp(web, "web:/root/src/.", "web:/var/copy").ok()
    cp(web, "web:/var", "web:/var/copy").fails("into itself", code=1)
    cp(web, "web:/var/copy", "out").ok()
    assert sorted(os.listdir(web.dir / "out")) == ["file", "holes", "pipe", "sub"]
    assert sorted(os.listdir(web.dir / "out/sub/empty")) == ["again", "empty", "link"]


def test_rules_of_names(web):
    tree(web)
    (web.dir / "one").write_text("1\n")
    web.own(web.dir / "one")
    cp(web, "one", "web:/tmp/").ok()
    cp(web, "./one", "web:tmp/two").ok()
    cp(web, "src/sub", "web:/tmp/new/").ok()
    cp(web, "src/sub/", "web:/tmp/new").ok()
    cp(web, "src/sub/.", "web:/tmp/other").ok()
    sh(web, "mkdir /tmp/dir; ln -s dir /tmp/to-dir; ln -s two /tmp/to-two; ln -s three /tmp/to-new;"
       "echo 3 >/tmp/3").ok()
    cp(web, "one", "web:/tmp/to-dir").ok()
    cp(web, "web:/tmp/3", "3").ok()
    cp(web, "3", "web:/tmp/to-two").ok()
    cp(web, "3", "web:/tmp/to-new").ok()
    assert sh(web, "cd /tmp; cat one two three; ls new new/sub other dir; readlink to-two;"
              "readlink to-new").ok().out == ("1\n3\n3\ndir:\none\n\nnew:\nagain\nempty\nlink\nsub\n\nnew/sub:\nagain"
                             "\nempty\nlink\n\nother:\nagain\nempty\nlink\ntwo\nthree\n")
    for args, words in [
            (("one", "web:/tmp/no/x"), "Could not find the file /tmp/no in container web"),
            (("one", "web:/tmp/no/"), "no such directory"),
            (("web:/no", "."), "Could not find the file /no in container web"),
            (("web:/tmp/one/", "."), "not a directory"),
            (("web:/tmp/one", "no/x"), 'invalid output path: directory "no" does not exist'),
            (("no", "web:/tmp"), "no: no such file or directory"),
            (("src", "web:/tmp/one"), "cannot copy directory"),
            (("one", "web:/dev/null"), "must be a directory or a regular file"),
            (("web:/tmp/one", "no/"), "no"),
            (("one", "two"), "must specify at least one container source"),
            (("", "web:/tmp"), "source can not be empty"),
            (("one", "web:"), "destination can not be empty"),
            (("one", "nobody:/x"), "No such container: nobody")]:
        cp(web, *args).fails(words, code=1)
    # a file that is mounted gets the bytes
    cp(web, "one", "web:/etc/hosts").ok()
    assert sh(web, "cat /etc/hosts; grep -c hosts /proc/mounts").ok().out == "1\n1\n"
    # directories and files in each other's place
    sh(web, "mkdir -p /tmp/src/file /tmp/src/pipe; rm -rf /tmp/src/sub; echo >/tmp/src/sub").ok()
    cp(web, "src", "web:/tmp").fails("cannot overwrite", code=1)
    cp(web, "--overwrite", "src", "web:/tmp").ok()
    assert sh(web, "cat /tmp/src/file; ls /tmp/src/sub").out == "text\nagain\nempty\nlink\n"


def test_links_of_the_source(web):
    sh(web, "echo target >/tmp/t; ln -s t /tmp/l; ln -s /etc /tmp/e").ok()
    cp(web, "web:/tmp/l", "l").ok()
    cp(web, "-L", "web:/tmp/l", "followed").ok()
    cp(web, "web:/tmp/e/passwd", "passwd").ok()
    assert os.readlink(web.dir / "l") == "t"
    assert (web.dir / "followed").read_text() == "target\n"
    assert (web.dir / "passwd").read_text() == engine.PASSWD
    (web.dir / "host").symlink_to("followed")
    cp(web, "-L", "host", "web:/tmp/x").ok()
    cp(web, "host", "web:/tmp/y").ok()
    assert sh(web, "cat /tmp/x; readlink /tmp/y").ok().out == "target\nfollowed\n"


def test_owners_and_rights(web):
    sh(web, "cd /root; echo >a; chown 1000:50 a; chmod 6755 a; mkdir d; chown 1000 d").ok()
    cp(web, "web:/root/a", "a").ok()
    st = (web.dir / "a").stat()
    assert stat.S_IMODE(st.st_mode) == 0o755 and st.st_uid == (web.dir / ".").stat().st_uid
    cp(web, "-a", "web:/root/a", "b").ok()
    st = (web.dir / "b").stat()
    assert stat.S_IMODE(st.st_mode) == 0o6755
    assert web.rootless or (st.st_uid, st.st_gid) == (1000, 50)
    cp(web, "a", "web:/root/d/a").ok()
    cp(web, "-a", "b", "web:/root/b").ok()
    assert sh(web, "stat -c '%u %g %a' /root/d /root/d/a").ok().out == "1000 0 755\n0 0 755\n"
    if not web.rootless:
        assert sh(web, "stat -c '%u %g %a' /root/b").ok().out == "1000 50 6755\n"
    # what runs as somebody else out here does not run as root in there
    os.chown(web.dir / "a", web.uid or 1000, -1) if os.geteuid() == 0 else None
    (web.dir / "a").chmod(0o4755)
    cp(web, "a", "web:/root/c").ok()
    assert sh(web, "stat -c '%u %a' /root/c").ok().out == "0 755\n"


def test_paused_stopped_and_created(web):
    (web.dir / "one").write_text("1\n")
    web.own(web.dir / "one")
    if not web.rootless:  # who has no cgroup here
        web.inro("pause", "web").ok()
    cp(web, "one", "web:/tmp/paused").ok()
    if not web.rootless:
        web.inro("unpause", "web").ok()
    web.inro("stop", "-t", "5", "web").ok()
    cp(web, "one", "web:/tmp/stopped").ok()
    cp(web, "web:/tmp/paused", "two").ok()
    assert (web.dir / "two").read_text() == "1\n"
    web.inro("start", "web").ok()
    assert sh(web, "cat /tmp/*; stat -c %u /tmp/stopped").ok().out == "1\n1\n0\n"
    web.inro("create", "--name", "new", "-v", "vol:/data", "-v", f"{web.dir}:/host:ro", "--init",
             "box", "cat", "/data/a/one", "/etc/x").ok()
    cp(web, "one", "new:/etc/x").ok()
    cp(web, "one", "new:/host/").fails("Read-only file system", code=1)
    (web.dir / "a").mkdir()
    (web.dir / "one").rename(web.dir / "a/one")
    cp(web, "a", "new:/data").ok()
    assert web.inro("start", "-a", "new").ok().out == "1\n1\n"
    # from one into the other, as it is
    cp(web, "new:/data/a", "web:/root/from-new").ok()
    cp(web, "web:/root/from-new", "new:/data/b").ok()
    assert sh(web, "cat /root/from-new/one").out == "1\n"
    # what runs as its owner goes with that owner only
    sh(web, "cd /root; echo >s; chown 1000:50 s; chmod 6755 s").ok()
    for options, mode in (([], 0o755), (["-a"], 0o6755)):
        cp(web, *options, "web:/root/s", "new:/etc/s").ok()
        with (web.dir / "s.tar").open("wb") as out:
            cp(web, "new:/etc/s", "-", stdout=out).ok()
        with tarfile.open(web.dir / "s.tar") as tar:
            assert stat.S_IMODE(tar.getmember("s").mode) == mode
    assert web.inro("start", "-a", "new").ok()
    types = web.inro("events", "--since", "1m", "--until", "0s", "--filter", "container=web",
                     "--format", "{{.Status}}").ok().out.split()
    assert types.count("archive-path") == 4 and types.count("extract-to-dir") == 3


def test_mounts_of_the_container(anyone):
    """What it sees is what is copied: volumes, a file that is mounted, not the kernel's files."""
    begin(anyone, "-v", "vol:/data", "--tmpfs", "/scratch", "--read-only")
    (anyone.dir / "one").write_text("127.0.0.1 localhost one\n")
    anyone.own(anyone.dir / "one")
    cp(anyone, "one", "web:/data/").ok()
    cp(anyone, "one", "web:/scratch/").ok()
    assert sh(anyone, "cat /data/one /scratch/one").ok().out.count("one") == 2
    cp(anyone, "one", "web:/etc/hosts").fails("Read-only file system", code=1)
    cp(anyone, "one", "web:/root/").fails("Read-only file system", "marked read-only", code=1)
    cp(anyone, "web:/", "all").ok()
    top = anyone.dir / "all"
    assert (top / "etc/passwd").read_text() == engine.PASSWD
    assert (top / "data/one").exists() and (top / "scratch/one").exists()
    assert not list((top / "proc").iterdir()) and not list((top / "sys").iterdir())
    assert not (top / "dev/null").exists() and (top / "dev/shm").is_dir()
    cp(anyone, "web:/proc/sys/kernel/ostype", "ostype").ok()
    assert (anyone.dir / "ostype").read_text() == "Linux\n"
    anyone.inro("stop", "-t", "5", "web").ok()
    cp(anyone, "one", "web:/data/two").ok()
    cp(anyone, "one", "web:/root/").fails("Read-only file system", code=1)
    anyone.inro("start", "web").ok()
    assert "one" in sh(anyone, "cat /data/two").ok().out


def test_tar_out(web):
    sh(web, "mkdir -p /tmp/d/e; cd /tmp/d; echo hello >f; ln f e/g; ln -s f s; chown 1000:50 f;"
       "truncate -s 100M holes; mkfifo p").ok()
    with (web.dir / "out.tar").open("wb") as out:
        cp(web, "web:/tmp/d", "-", stdout=out).ok()
    with tarfile.open(web.dir / "out.tar") as tar:
        members = {m.name: m for m in tar}
        assert members.keys() == {"d", "d/e", "d/f", "d/e/g", "d/s", "d/p", "d/holes"}
        assert members["d/holes"].size == 100 << 20
        assert {members["d/f"].type, members["d/e/g"].type} == {tarfile.REGTYPE, tarfile.LNKTYPE}
        assert (members["d/f"].uid, members["d/f"].gid) == (1000, 50)
        assert tar.extractfile(members["d/e/g"]).read() == b"hello\n"
        assert members["d/s"].linkname == "f" and members["d/p"].isfifo()


def test_tar_in(web):
    sh(web, "mkdir -p /srv/old /srv/real; ln -s real /srv/link; echo old >/srv/old/file;"
       "ln /srv/old/file /root/kept").ok()
    entries = [layers.entry("./", type=tarfile.DIRTYPE, mode=0o700),
               layers.entry("new/", type=tarfile.DIRTYPE, mode=0o750, mtime=1_000_000_000),
               layers.entry("new/a", "text\n", uid=1000, gid=50, mode=0o604),
               layers.entry("new/b", type=tarfile.LNKTYPE, linkname="new/a"),
               layers.entry("new/l", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
               layers.entry("old/file", "replaced\n"),
               layers.entry("link/below", "behind a link\n"),
               layers.entry("made/for/it", "made\n"),
               # what would leave the container stays in it
               layers.entry("../../../../up", "up\n"),
               layers.entry("/abs", "abs\n"),
               layers.entry("esc", type=tarfile.SYMTYPE, linkname="../../../../../tmp"),
               layers.entry("esc/file", "escaped\n")]
    for data in (layers.tar(*entries), gzip.compress(layers.tar(*entries))):
        cp(web, "-", "web:/srv", input=data).ok()
    text = sh(web, "cd /srv; stat -c '%a %u %g' . new/a; stat -c '%a %Y' new; stat -c %h new/b;"
              "readlink new/l;"
              "cat old/file real/below made/for/it up abs /tmp/file /root/kept; ls /").ok().out
    lines = text.split("\n")
    assert lines[0][3:] == " 0 0" and lines[0][:3] != "700", lines
    assert lines[1:5] == ["604 1000 50", "750 1000000000", "2", "/etc/passwd"]
    assert lines[5:12] == ["replaced", "behind a link", "made", "up", "abs", "escaped", "old"]
    assert "up" not in lines[12:] and not (web.dir.parent / "up").exists()
    for data, words in [(b"no tar" * 1000, "tar"), (layers.tar(*entries)[:1200], "tar"),
                        (layers.tar(layers.entry("new", "a file")), "cannot overwrite directory")]:
        cp(web, "-", "web:/srv", input=data).fails(words, code=1)
    cp(web, "-", "web:/etc/passwd", input=layers.tar()).fails("must be a directory", code=1)
    cp(web, "-", "web:/no", input=layers.tar()).fails("Could not find the file", code=1)
    # there and back
    with (web.dir / "out.tar").open("wb") as out:
        cp(web, "web:/srv/.", "-", stdout=out).ok()
    web.inro("stop", "-t", "0", "web").ok()
    cp(web, "-", "web:/opt", input=(web.dir / "out.tar").read_bytes()).fails("/opt")
    sh_made = web.dir / "opt"
    sh_made.mkdir()
    web.own(sh_made)
    cp(web, "opt", "web:/").ok()
    cp(web, "-", "web:/opt", input=(web.dir / "out.tar").read_bytes()).ok()
    web.inro("start", "web").ok()
    assert sh(web, "diff -r /srv /opt && stat -c '%a %u %g' /opt/new/a").ok().out == "604 1000 50\n"


@pytest.mark.parametrize("how", ["", ":O"])
def test_root_directory_of_its_own(anyone, how):
    """--rootfs: what is copied while it does not run is where the container has its files."""
    engine.box(anyone)
    top = anyone.dir / "rootfs-tree"
    for path in (top, *top.rglob("*")):
        anyone.own(path)
    anyone.inro("create", "--name", "web", "--rootfs", f"{top}{how}", "cat", "/tmp/one").ok()
    (anyone.dir / "one").write_text("1\n")
    anyone.own(anyone.dir / "one")
    cp(anyone, "one", "web:/tmp/one").ok()
    assert anyone.inro("start", "-a", "web").ok().out == "1\n"
    assert (top / "tmp/one").exists() == (not how)
    cp(anyone, "web:/tmp/one", "two").ok()
    assert (anyone.dir / "two").read_text() == "1\n"


def test_user_namespace(root):
    """Ids of its own: its root owns what goes in, the caller what comes out."""
    begin(root, "--userns", "private")
    (root.dir / "one").write_text("1\n")
    (root.dir / "one").chmod(0o600)
    for stopped in (False, True):
        if stopped:
            root.inro("stop", "-t", "5", "web").ok()
        cp(root, "one", f"web:/root/{stopped}").ok()
        cp(root, f"web:/root/{stopped}", "two").ok()
        st = (root.dir / "two").stat()
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, 0o600)
    root.inro("start", "web").ok()
    assert sh(root, "stat -c '%u %g' /root/True /root/False").ok().out == "0 0\n0 0\n"


def test_a_file_of_8_eib(web):
    """Its holes are not written: the destination takes it, or says that it can't."""
    web.inro("exec", "web", "sh", "-c", "rm -rf /dev/shm/*; dd if=/dev/zero of=/dev/shm/huge bs=1 count=1 "
             "seek=9223372036854770000 2>/dev/null").ok()
    cp(web, "web:/dev/shm/huge", web.dir / "huge").fails("File too large", code=1)
    assert not (web.dir / "huge").exists()
    cp(web, "web:/dev/shm/huge", "web:/dev/shm/other").ok()
    assert web.inro("exec", "web", "stat", "-c", "%s", "/dev/shm/other").ok().out == "9223372036854770001\n"
    web.inro("exec", "web", "sh", "-c", "rm /dev/shm/*").ok()


def test_full_disk_and_interrupts(web):
    web.inro("run", "-d", "--name", "full", "--tmpfs", "/full:size=64k", "box", *SLEEP).ok()
    (web.dir / "big").write_bytes(b"x" * 200_000)
    (web.dir / "small").write_text("small\n")
    for name in ("big", "small"):
        web.own(web.dir / name)
    cp(web, "small", "full:/full/big").ok()
    cp(web, "big", "full:/full").fails("writing big: No space left on device", code=1)
    cp(web, "big", "full:/full/new").fails("No space left on device", code=1)
    cp(web, "big", "full:/var").ok()
    cp(web, "full:/var/big", "full:/full").fails("writing big: No space left on device", code=1)
    assert sh(web, "cd /full; ls -A; cat big", "full").ok().out == "big\nsmall\n"
    # a reader who does not read: nothing but the pipe holds it up, and all of it ends
    sh(web, "dd if=/dev/zero of=/tmp/much bs=1M count=8").ok()
    p = web.popen(*web.inro_argv("cp", "web:/tmp/much", "-"), stdout=subprocess.PIPE)
    assert len(p.stdout.read(512)) == 512
    p.send_signal(signal.SIGINT)
    assert p.wait(10) == -signal.SIGINT
    p.stdout.close()


def test_cve_2018_15664_exchanged_in_a_volume(anyone):
    """What a name leads to changes all the time; the host has there what nobody may touch."""
    victim = test_swapper.Victim(anyone, anyone.dir / "victim")
    shared, src = anyone.dir / "shared", anyone.dir / "data"
    for path in (shared, src, src / "sub"):
        path.mkdir()
    for path in (src / "file", src / "sub/file", src / "passwd"):
        path.write_text("copied\n")
    pairs = test_swapper.pairs_below(anyone, shared, victim)
    for path in [shared, *shared.rglob("*"), src, *src.rglob("*")]:
        anyone.own(path)
    begin(anyone, "-v", f"{shared}:/shared")
    done = 0
    names = ("data", "var", "srv", "deep", "nest/sub", "one", "two")
    with test_swapper.Swapper(anyone, pairs):
        for n, name in enumerate(names * (30 if test_swapper.LONG else 1)):
            results = [cp(anyone, "data/.", f"web:/shared/{name}/"),
                       cp(anyone, "data", f"web:/shared/{name}/sub"),
                       cp(anyone, "data/file", f"web:/shared/{name}"),
                       cp(anyone, "--overwrite", "data", "web:/shared/"),
                       cp(anyone, "-L", f"web:/shared/{name}", f"out-{n}"),
                       cp(anyone, "-a", f"web:/shared/{name}/sub/.", f"sub-{n}")]
            done += sum(r.code == 0 for r in results)
    assert done > 0
    victim.check()
    for top in anyone.dir.glob("[os]u[tb]-*"):
        for path in [top, *top.rglob("*")]:
            assert path.is_symlink() or not path.is_file() \
                or victim.secret not in path.read_text(), path


def test_cve_2019_14271_nothing_of_the_container_is_loaded(web):
    """Whoever opened one of these would wait for ever: libraries, name service, locales."""
    sh(web, "for f in nsswitch.conf group localtime ld.so.cache ld.so.preload locale.alias; do "
            "rm -f /etc/$f; mkfifo /etc/$f; done; mv /etc/passwd /etc/p; mkfifo /etc/passwd;"
            "a=x86_64-linux-gnu; for d in /lib /lib64 /usr/lib /lib/$a /usr/lib/$a; do mkdir -p $d;"
            "for l in libc.so.6 libnss_files.so.2 libnss_compat.so.2 libgcc_s.so.1 libsqlite3.so.0 "
            "ld-linux-x86-64.so.2; do mkfifo $d/$l; done; done; mkdir -p /usr/lib/locale;"
            "mkfifo /usr/lib/locale/locale-archive; mkdir -p /usr/lib/$a/gconv;"
            "mkfifo /usr/lib/$a/gconv/gconv-modules").ok()
    src = web.dir / "one"
    src.write_text("1\n")
    web.own(src)
    for running in (True, False):
        if not running:
            web.inro("stop", "-t", "0", "web").ok()
        env = {"LANG": "de_DE.ISO-8859-1", "LC_ALL": "de_DE.ISO-8859-1"}
        cp(web, "-a", "one", "web:/tmp/one", env=env, timeout=20).ok()
        cp(web, "-a", "web:/etc/p", f"p{running}", env=env, timeout=20).ok()
        cp(web, "web:/no", "x", env=env, timeout=20).fails("Could not find the file", code=1)
        assert (web.dir / f"p{running}").read_text() == engine.PASSWD
