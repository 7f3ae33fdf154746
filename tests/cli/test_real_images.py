# SPDX-License-Identifier: Apache-2.0
"""Images as they come: made by debootstrap, umoci, buildah, docker and podman, loaded and run."""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest

import harness
import realimages
from realimages import NAME

SHARE_WHOLE = True


@pytest.fixture(scope="session")
def workshop(build):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    # in memory: much is written and removed; and a short name, which podman insists on
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="w", dir="/run"))
    scratch.chmod(0o755)
    made = realimages.Workshop(build, scratch)
    yield made
    made.close()
    subprocess.run([*realimages.PRIVATE, "rm", "-rf", scratch], check=False)


@pytest.fixture(scope="session")
def made(workshop):
    """Makes an archive before the test looks for what itself leaves behind."""
    for kind, image, compress, _ in CASES:
        workshop.archive(kind, image, compress)
    workshop.archive("skopeo-oci-zstd", "debian")
    for image in ("busybox", "debian", "built"):
        workshop.tree(image)
        workshop.image_id(image)
    return workshop


CASES = [
    ("skopeo-docker", "busybox", "", "file"),
    ("skopeo-docker", "busybox", "zstd", "stdin"),
    ("skopeo-oci", "busybox", "", "file"),
    ("skopeo-oci-zstd", "busybox", "", "stdin"),
    ("umoci-tar", "busybox", "", "file"),
    ("umoci-tar", "busybox", "gzip", "stdin"),
    ("docker-save", "busybox", "", "stdin"),
    ("docker-save", "busybox", "gzip", "file"),
    ("docker-save", "busybox", "zstd", "file"),
    ("podman-docker", "busybox", "", "file"),
    ("podman-docker", "busybox", "gzip", "stdin"),
    ("podman-oci", "busybox", "", "stdin"),
    ("podman-oci", "busybox", "zstd", "file"),
    ("skopeo-docker", "built", "", "file"),
    ("skopeo-oci", "built", "", "stdin"),
    ("podman-oci", "built", "", "file"),
]


def load(who, path, how="file"):
    if how == "file":
        return who.inro("load", "-i", path).ok()
    with open(path, "rb") as file:
        return who.inro("load", stdin=file).ok()


class Debian:
    """Debian in the store of a user, loaded once."""

    def __init__(self, workshop, who):
        self.workshop, self.who = workshop, who
        load(who, workshop.archive("skopeo-oci-zstd", "debian"), "stdin")

    def argv(self, *args):
        """`inro run --rm`, options, DEBIAN for the image, a command."""
        name = NAME.format("debian")
        return self.who.inro_argv("run", "--rm", *[name if a == "DEBIAN" else a for a in args])

    def run(self, *args):
        return self.who.run(*self.argv(*args))


def _debian(workshop, name):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="t"))
    scratch.chmod(0o755)
    who = harness.Who(workshop.build, name, scratch)
    yield Debian(workshop, who)
    who.clean()
    subprocess.run(["rm", "-rf", scratch], check=False)


@pytest.fixture(scope="session")
def roots_debian(made):
    yield from _debian(made, "root")


@pytest.fixture(scope="session")
def users_debian(made):
    yield from _debian(made, os.environ["INRO_TEST_USER"].split(":", maxsplit=1)[0])


@pytest.fixture(scope="session", params=["roots_debian", "users_debian"])
def debian(request):
    return request.getfixturevalue(request.param)


def assert_same_tree(made, image, output, devices=True):
    found, sums = realimages.seen_inside(output)
    tree = made.tree(image)
    want = realimages.without_ours(realimages.expected(tree))
    found = realimages.without_ours(found)
    if not devices:  # an unprivileged user can make none
        want = {path: facts for path, facts in want.items() if not facts[-1]}
    assert {p: (want.get(p), found.get(p)) for p in want.keys() | found.keys()
            if want.get(p) != found.get(p)} == {}
    for path, digest in realimages.without_ours(sums).items():
        assert hashlib.sha256((tree / path).read_bytes()).hexdigest() == digest, path


@pytest.mark.parametrize("kind, image, compress, how", CASES)
def test_a_container_sees_the_tree_that_umoci_unpacks(made, root, kind, image, compress, how):
    load(root, made.archive(kind, image, compress), how)
    name = image if kind == "umoci-tar" else NAME.format(image)
    row = json.loads(root.inro("images", "--no-trunc", "--format", "json").ok().out)
    assert (row["Repository"] + ":" + row["Tag"]).startswith(name)
    assert row["ID"] == made.image_id(image)

    r = root.inro("run", "--rm", "--user", "0", "--entrypoint", "sh", name, "-c",
                  realimages.LOOK).ok()
    assert_same_tree(made, image, r.out)

    root.inro("rmi", name).ok()
    store = root.state / "inro"
    assert os.listdir(store / "layers") == [] and os.listdir(store / "blobs/sha256") == []


def test_configuration_of_the_image(made, anyone):
    load(anyone, made.archive("docker-save", "busybox"))
    box = NAME.format("busybox")
    says = anyone.inro("run", "--rm", box).ok().out
    assert says == "alice:/home/alice/deep:/bin:0\n"
    assert anyone.inro("run", "--rm", box, "-c", "echo $0", "zero").ok().out == "zero\n"
    # the volume's directory holds what the image has there, and belongs to whom it says
    r = anyone.inro("run", "--rm", box, "-c", "echo x > /home/alice/new; cat /home/alice/new").ok()
    assert r.out == "x\n"
    anyone.inro("run", "--name", "kept", box, "-c", "true").ok()
    bundle = next((anyone.state / "inro/containers").glob("*/config.json"))
    notes = json.loads(bundle.read_text())["annotations"]
    assert notes["org.opencontainers.image.stopSignal"] in ("SIGUSR1", "10", str(signal.SIGUSR1))
    anyone.inro("rm", "kept").ok()


def test_docker_shows_the_same_image(made, root):
    load(root, made.archive("docker-save", "busybox"))
    docker = subprocess.run(
        [*made.docker(), "images", "--format", "{{.Repository}}|{{.Tag}}|{{.ID}}|{{.Size}}"],
        check=True, stdout=subprocess.PIPE).stdout.decode().strip().split("|")
    row = json.loads(root.inro("images", "--format", "json").ok().out)
    assert [row["Repository"], row["Tag"], row["ID"]] == docker[:3]
    size, want = (float(text.rstrip("MB")) for text in (row["Size"], docker[3]))
    assert size == pytest.approx(want, rel=0.05)


def test_debian_is_the_same_tree(made, debian):
    r = debian.run("DEBIAN", "sh", "-c", realimages.LOOK).ok()
    assert_same_tree(made, "debian", r.out, devices=not debian.who.rootless)


def test_apt_lists_what_is_installed(made, debian):
    r = debian.run("DEBIAN", "apt", "list", "--installed").ok()
    status = (made.tree("debian") / "var/lib/dpkg/status").read_text()
    assert r.out.count("[installed") == status.count("Status: install ok installed") > 50
    assert "base-files/" in r.out
    assert debian.run("DEBIAN", "/srv/app").ok().out.startswith("app on 12")


def test_dpkg_installs_and_removes(debian):
    """What package scripts do: users, diversions, links, renames of directories of lower layers."""
    r = debian.run("DEBIAN", "sh", "-ec",
                   "adduser --system --group --quiet web; id web; mv /usr/share/debconf /usr/share/d;"
                   "dpkg-divert --quiet --rename --add /bin/date; ls /bin/date.distrib;"
                   "dpkg --force-all --purge tzdata 2>&1 | grep -c Purging; ldconfig; ls /usr/share/d")
    assert "(web)" in r.ok().out and "/bin/date.distrib" in r.out and "confmodule" in r.out


@pytest.mark.parametrize("options, command, code", [
    ([], ["bash", "-c", "exit 42"], 42),
    (["--no-such-option"], ["true"], 125),
    ([], ["/etc/debian_version"], 126),
    ([], ["no-such-command"], 127),
    (["--init"], ["bash", "-c", "kill -SEGV $$"], 128 + signal.SIGSEGV),
    ([], ["bash", "-c", "bash -c 'kill -TERM $$'; exit $?"], 128 + signal.SIGTERM),
])
def test_exit_status(debian, options, command, code):
    assert debian.run(*options, "DEBIAN", *command).code == code


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, who, argv, rows, columns):
        self.main, self.sub = pty.openpty()
        self.resize(rows, columns)
        self.modes = termios.tcgetattr(self.sub)
        self.seen = b""
        self.process = who.popen(*argv, stdin=self.sub, stdout=self.sub, stderr=self.sub,
                                 start_new_session=True,
                                 preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.main, text.encode())

    def expect(self, text, seconds=10):
        """Reads until text comes, and forgets what came before and with it."""
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.main], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self.main, 4096)
        before, self.seen = self.seen.split(text.encode(), 1)
        return before.decode()

    def end(self):
        """(exit status, whether the terminal is in the modes that it was in)"""
        code = self.process.wait(10)
        return code, termios.tcgetattr(self.sub) == self.modes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.main)  # what still runs gets a hangup
        os.close(self.sub)
        self.process.wait(10)


def test_shell_on_a_terminal(debian):
    argv = debian.argv("-it", "-e", "TERM=dumb", "-e", "PS1=ready> ", "DEBIAN", "bash", "--norc")
    with Terminal(debian.who, argv, 33, 101) as shell:
        assert "job control" not in shell.expect("ready> ")
        shell.type("tty; stty size\n")
        shell.expect("/dev/pts/0\r\n33 101\r\nready> ")
        shell.resize(44, 88)
        for _ in range(50):  # the signal takes its way
            shell.type("stty size\n")
            if "44 88" in shell.expect("ready> "):
                break
        else:
            pytest.fail("the new size did not arrive")
        shell.type("sleep 100\n")
        shell.expect("sleep 100\r\n")
        time.sleep(0.3)
        shell.type("\x03")
        shell.expect("ready> ")
        shell.type("echo status=$?\n")
        shell.expect("status=130\r\nready> ")
        shell.type("(exit 9)\n")
        shell.expect("ready> ")
        shell.type("\x04")
        assert shell.end() == (9, True)


def test_editing_on_a_terminal(debian):
    """Without a shell: what is typed is echoed, edited and ended by the container's terminal."""
    with Terminal(debian.who, debian.argv("-it", "DEBIAN", "sh", "-c", "echo go; exec cat"), 24,
                  80) as cat:
        cat.expect("go\r\n")
        cat.type("helloo\x7f world\n")
        cat.expect("hello world\r\n")
        cat.type("\x04")
        assert cat.end() == (0, True)
