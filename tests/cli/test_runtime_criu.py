# SPDX-License-Identifier: Apache-2.0
"""What inro-runtime tells criu, and what it makes of a criu that is missing, breaks or lies."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import harness

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
DUMP, NOTIFY, FEATURE_CHECK, VERSION = 1, 6, 9, 10


class Fake:
    """A container c1 and a criu that obeys."""

    def __init__(self, who):
        self.who = who
        self.log = who.dir / "requests"
        self.images = who.dir / "img"
        self.bundle = who.bundle("sleep", "1000")
        where = who.dir / "bin"
        where.mkdir()
        shutil.copy(pathlib.Path(__file__).parent / "fake_criu.py", where / "criu")
        (where / "criu").chmod(0o755)
        self.env = {"PATH": f"{where}:{os.environ['PATH']}", "FAKE_CRIU_LOG": str(self.log)}

    def start(self):
        self.bundle.save()
        self.who.runtime("run", "--detach", "--bundle", self.bundle.path, "c1", **QUIET).ok()
        return self

    def state(self):
        return json.loads(self.who.runtime("state", "c1").ok().out)

    def dump(self, *options, mode="", **kw):
        return self.who.runtime("checkpoint", "--image-path", self.images, *options, "c1",
                                env={**self.env, "FAKE_CRIU": mode}, **kw)

    def restore(self, *options, mode="", **kw):
        return self.who.runtime("restore", "--bundle", self.bundle.path, "--image-path",
                                self.images, *options, "c1",
                                env={**self.env, "FAKE_CRIU": mode}, **kw)

    def requests(self):
        return [{int(k): v for k, v in json.loads(line).items()}
                for line in self.log.read_text().splitlines()]

    def options(self):
        """Of the one dump."""
        found = [r[2][0] for r in self.requests() if 2 in r]
        assert len(found) == 1
        return {int(k): v for k, v in found[0].items()}


@pytest.fixture
def fake(root):
    return Fake(root)


def test_a_dump(fake):
    fake.start()
    pid = fake.state()["pid"]
    fake.dump().ok()
    fake.who.runtime("state", "c1").fails("does not exist")
    kinds = [r[1][0] for r in fake.requests()]
    assert kinds == [VERSION, DUMP, NOTIFY, NOTIFY, NOTIFY, NOTIFY]
    opts = fake.options()
    assert opts[2] == [pid]
    assert opts[10] == ["dump.log"]
    assert opts[13] == [str(fake.bundle.rootfs)]
    assert opts[12] == [1] and opts[50] == [1]  # notifications, the terminal's master
    assert opts[34] == [3]  # cgroups: soft
    assert opts[64] == [1 if shutil.which("iptables-restore") else 2]
    assert opts[38] == [0x40000000]  # the network namespace's contents are not saved
    for flag in (3, 4, 5, 7, 8, 11, 14, 15, 16, 18, 46, 48):
        assert flag not in opts
    assert json.loads((fake.images / "descriptors.json").read_text()) == ["/dev/null"] * 3
    assert fake.images.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode, owner, warns", [
    (0o700, 0, False), (0o755, 0, False), (0o1777, 0, True), (0o700, 1000, True)])
def test_images_that_others_can_write(fake, mode, owner, warns):
    """It goes on, as with runc."""
    fake.start()
    fake.images.mkdir()
    fake.images.chmod(mode)
    os.chown(fake.images, owner, 0)
    assert ("other users may write" in fake.dump().ok().err) == warns
    (fake.images / "descriptors.json").write_text('["/dev/null","/dev/null","/dev/null"]')
    assert ("other users may write" in fake.restore(mode="fails").err) == warns


def test_the_bundle_has_changed(fake):
    """What counts is what the container was created with."""
    data = fake.who.dir / "data"
    data.mkdir()
    fake.bundle.mount("/data", "bind", data, "bind")
    fake.start()
    (fake.bundle.path / "config.json").unlink()
    fake.dump().ok()
    assert fake.options()[23] == [{"1": ["/data"], "2": ["/data"]}]


def test_first_streams(fake):
    """Also when the program has put others in their place, which are the container's own."""
    fake.bundle.process["args"] = ["sh", "-c", "exec >/dev/null; echo >/tmp/done; sleep 1000"]
    fake.bundle.save()
    r, w = os.pipe()
    fake.who.runtime("run", "--detach", "--bundle", fake.bundle.path, "c1",
                     stdin=subprocess.DEVNULL, stdout=w, stderr=subprocess.DEVNULL).ok()
    pipe = os.readlink(f"/proc/self/fd/{w}")
    os.close(w)
    os.close(r)
    harness.wait_for((fake.bundle.rootfs / "tmp/done").exists)
    fake.dump().ok()
    saved = json.loads((fake.images / "descriptors.json").read_text())
    assert saved == ["/dev/null", pipe, "/dev/null"]


@pytest.mark.parametrize("option, number, value", [
    ("--leave-running", 3, 1), ("--ext-unix-sk", 4, 1), ("--tcp-established", 5, 1),
    ("--shell-job", 7, 1), ("--file-locks", 8, 1), ("--auto-dedup", 16, 1),
    ("--link-remap", 18, 1), ("--tcp-skip-in-flight", 46, 1), ("--lazy-pages", 48, 1),
    ("--manage-cgroups-mode=full", 34, 4), ("--manage-cgroups-mode=strict", 34, 5),
    ("--manage-cgroups-mode=ignore", 34, 0), ("--manage-cgroups-mode=soft", 34, 3),
    ("--empty-ns=network", 38, 0x40000000), ("--parent-path=../pre", 14, "../pre"),
    ("--page-server=192.0.2.7:27", 11, {"1": ["192.0.2.7"], "2": [27]}),
    ("--page-server=[2001:db8::1]:28", 11, {"1": ["2001:db8::1"], "2": [28]}),
])
def test_options(fake, option, number, value):
    (fake.who.dir / "pre").mkdir()
    fake.start().dump(option).ok()
    assert fake.options()[number] == [value]


def test_pre_dump(fake):
    fake.start().dump("--pre-dump").ok()
    assert fake.state()["status"] == "running"
    kinds = [r[1][0] for r in fake.requests()]
    assert kinds[:3] == [VERSION, FEATURE_CHECK, 4]
    assert fake.options()[15] == [1]
    assert not (fake.images / "descriptors.json").exists()
    fake.dump("--pre-dump", mode="lacks").fails("CONFIG_MEM_SOFT_DIRTY")
    fake.dump("--lazy-pages", mode="lacks").fails("CONFIG_USERFAULTFD")


def test_status_fd(fake):
    fake.start()
    r, w = os.pipe()
    fake.dump("--lazy-pages", f"--status-fd={w}", "--leave-running", pass_fds=[w]).ok()
    os.close(w)
    assert os.read(r, 10) == b"\0"
    fake.dump("--lazy-pages", f"--status-fd={r}", pass_fds=[r]).fails("not writable")
    os.close(r)
    fake.dump("--status-fd=99").fails("--status-fd")


def test_external_mounts_and_namespaces(fake):
    data = fake.who.dir / "data"
    data.mkdir()
    fake.bundle.mount("/run/data", "bind", data, "bind")
    (fake.bundle.rootfs / "run").rmdir()
    (fake.bundle.rootfs / "run").symlink_to("var")
    for ns in fake.bundle.linux["namespaces"]:
        if ns["type"] == "network":
            ns["path"] = "/proc/self/ns/net"
    fake.start().dump().ok()
    opts = fake.options()
    assert opts[23] == [{"1": ["/var/data"], "2": ["/run/data"]}]
    assert opts[37] == [f"net[{os.stat('/proc/self/ns/net').st_ino}]:extRootNetNS"]


def test_configuration_file(fake):
    fake.bundle.config["annotations"] = {"org.criu.config": "/etc/criu/own.conf"}
    fake.start().dump("--leave-running").ok()
    assert fake.options()[51] == ["/etc/criu/own.conf"]


def test_work_path(fake):
    work = fake.who.dir / "work"
    fake.start().dump("--work-path", work, mode="fails").fails(f"(log: {work}/dump.log)")
    assert not (fake.images / "dump.log").exists()


@pytest.mark.parametrize("mode, words", [
    ("fails", ["criu failed: Error (criu/x.c:2): cause 2; Error (criu/x.c:3): cause 3; "
               "Error (criu/x.c:4): cause 4 (log: ", "/img/dump.log)"]),
    ("quiet", ["criu failed: no ?space"]),
    ("dies", ["criu was killed by signal 9"]),
    ("exits", ["criu ended without an answer, with exit status 3"]),
    ("garbage", ["criu's answer is no message of its protocol"]),
    ("empty", ["criu's answer is no message of its protocol"]),
    ("wrong", ["criu answers something else"]),
    ("old", ["criu 3.14 is too old: 3.15 or newer"]),
])
def test_failing_dump_changes_nothing(fake, mode, words):
    fake.start()
    before = fake.state()
    result = fake.dump(mode=mode)
    result.fails("checkpointing container c1: ", *words, code=1)
    assert fake.state() == before


def test_hanging_criu(fake):
    fake.start()
    start = time.monotonic()
    fake.dump(mode="hangs").fails("criu does not answer")
    assert time.monotonic() - start < 40
    assert fake.state()["status"] == "running"


def test_criu_is_missing(fake):
    fake.start()
    empty = fake.who.dir / "empty"
    empty.mkdir()
    fake.env["PATH"] = f"{empty}:relative:."
    for verb in (fake.dump, fake.restore):
        verb().fails("criu is not installed", "hint: install criu")
    assert not fake.images.exists()
    (empty / "criu").write_text("#!/nonexistent/interpreter\n")
    (empty / "criu").chmod(0o755)
    fake.dump().fails("executing", str(empty / "criu"))
    assert fake.state()["status"] == "running"


def test_wrong_states(fake):
    fake.dump().fails("does not exist")
    fake.bundle.save()
    fake.who.runtime("create", "--bundle", fake.bundle.path, "c1", **QUIET).ok()
    fake.dump().fails("cannot be checkpointed in created state")
    fake.who.runtime("kill", "c1", "KILL").ok()
    while fake.state()["status"] != "stopped":
        time.sleep(0.02)
    fake.dump().fails("cannot be checkpointed in stopped state")
    assert not fake.log.exists()


@pytest.mark.parametrize("option, word", [
    ("--parent-path=/abs", "--parent-path"), ("--parent-path=../none", "--parent-path"),
    ("--page-server=host", "--page-server"), ("--page-server=:1", "--page-server"),
    ("--page-server=h:0", "--page-server"), ("--page-server=h:99999", "--page-server"),
    ("--page-server=::1:5", "--page-server"), ("--manage-cgroups-mode=hard", "manage-cgroups"),
    ("--empty-ns=pid", "empty-ns"),
])
def test_wrong_options(fake, option, word):
    fake.start().dump(option).fails(word)
    assert fake.state()["status"] == "running"


def test_unprivileged(user):
    fake = Fake(user)
    fake.start()
    fake.dump().fails("checkpointing containers needs root")
    fake.restore().fails("restoring containers needs root")
    assert fake.state()["status"] == "running"


@pytest.mark.parametrize("mode, words", [
    ("dies", ["criu was killed by signal 9"]),
    ("garbage", ["no message of its protocol"]),
    ("quiet", ["criu failed: no ?space"]),
    ("old", ["too old"]),
    ("", ["criu names no restored process"]),
    ("names 1", ["criu names 1 as the restored process"]),
    ("names another", ["criu names ", " as the restored process"]),
    ("names a stranger", ["criu names ", " as the restored process", "not a child"]),
])
def test_failing_restore_leaves_nothing(fake, mode, words):
    fake.bundle.save()
    fake.images.mkdir()
    (fake.images / "descriptors.json").write_text('["/dev/null","pipe:[42]","pipe:[43]"]')
    fake.restore(mode=mode).fails("restoring container c1: ", *words)
    fake.who.runtime("state", "c1").fails("does not exist")
    assert list(fake.who.runtime_root.glob("c1*")) == []


def test_hooks_of_a_process_that_criu_has_not_made(fake):
    """Whose namespaces would be entered, and which hooks would be told of."""
    fake.bundle.config["hooks"] = {"createRuntime": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"cat >{fake.who.dir}/hook"]}]}
    fake.bundle.save()
    fake.images.mkdir()
    (fake.images / "descriptors.json").write_text('["/dev/null","/dev/null","/dev/null"]')
    fake.restore(mode="enters a stranger").fails("criu names ", " as the process to restore",
                                                 "not a child", code=1)
    assert not (fake.who.dir / "hook").exists()


def test_restore_request(fake):
    data = fake.who.dir / "data"
    data.mkdir()
    fake.bundle.mount("/data", "bind", data, "bind")
    fake.bundle.config["linux"]["namespaces"].append({"type": "time", "path": "/proc/self/ns/time"})
    for ns in fake.bundle.linux["namespaces"]:
        if ns["type"] == "network":
            ns["path"] = "/proc/self/ns/net"
    fake.bundle.save()
    fake.images.mkdir()
    (fake.images / "descriptors.json").write_text('["/dev/null","pipe:[42]","pipe:[43]"]')
    fake.restore("--lsm-profile=apparmor:box", "--lsm-mount-context=system_u:x",
                 "--tcp-established").fails("criu names no restored process")
    opts = fake.options()
    assert opts[26] == [1]  # a sibling of criu: the runtime's child
    assert opts[53] == ["apparmor:box"] and opts[63] == ["system_u:x"] and opts[5] == [1]
    assert {"1": ["pipe:[42]"], "2": [1]} in opts[27]
    assert {"1": ["pipe:[43]"], "2": [2]} in opts[27]
    assert {"1": ["extRootNetNS"], "2": [6]} in opts[27]
    assert {"1": ["time"], "2": ["/proc/self/ns/time"]} in opts[39]
    assert {"1": ["/data"], "2": [str(data)]} in opts[23]
    assert {"1": ["/run/notify"], "2": [str(fake.who.runtime_root / "c1/notify")]} in opts[23]
    assert {"1": ["/proc/keys"], "2": ["/dev/null"]} in opts[23]
    assert opts[13] == [str(fake.who.runtime_root / "c1/criu-root")]
    # /proc/PID/cgroup has all hierarchies of the machine, also those that are not mounted here.
    places = {group["1"][0]: group["2"][0] for group in opts[25]}
    ours = [places[name] for name in ("", "pids", "memory") if name in places]
    assert ours and [place for place in ours if not place.endswith("/inro/c1")] == []


@pytest.mark.parametrize("text", ["", "{}", "[1]", '["a"', "[" * 50 + "]" * 50])
def test_broken_descriptors(fake, text):
    fake.bundle.save()
    fake.images.mkdir()
    (fake.images / "descriptors.json").write_text(text)
    fake.restore().fails("descriptors.json")
    fake.who.runtime("state", "c1").fails("does not exist")


def test_descriptors_that_never_end(fake):
    fake.bundle.save()
    fake.images.mkdir()
    os.mkfifo(fake.images / "descriptors.json")
    fake.restore().fails("descriptors.json is not a regular file")
    fake.who.runtime("state", "c1").fails("does not exist")


def test_options_by_one_dash(fake):
    """containerd says "restore -no-subreaper"."""
    fake.start().dump("-leave-running", "-manage-cgroups-mode=full").ok()
    opts = fake.options()
    assert (opts[3], opts[34]) == ([1], [4])
    fake.dump("-leave").fails("unknown shorthand flag")


def test_what_podman_looks_for(root):
    for verb in ("checkpoint", "restore"):
        root.runtime(verb, "--help").ok()
    root.runtime("restore", "--lsm-mount-context").fails("flag needs an argument")
