# SPDX-License-Identifier: Apache-2.0
"""Other people's engines with inro-runtime under them: podman, buildah, docker, containerd. Runs as
tests/cli does, whose fixtures these are; in a network namespace of its own, with plain cgroup v1
where the machine's layout is hybrid, which these engines and their own runtimes refuse.

    scripts/test-env pytest-3 tests/peers -k docker
"""

import ctypes
import fcntl
import importlib.util
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

import pytest

CLI = pathlib.Path(__file__).resolve().parents[1] / "cli"
sys.path.insert(0, str(CLI))
_spec = importlib.util.spec_from_file_location("cli_conftest", CLI / "conftest.py")
_cli = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_cli)
BUILD, build = _cli.BUILD, _cli.build
pytest_runtest_makereport = _cli.pytest_runtest_makereport
pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = _cli.pytest_runtest_call
root, user = _cli.root, _cli.user
registries, registry_keys = _cli.registries, _cli.registry_keys

import engines  # noqa: E402  (after sys.path)
import harness  # noqa: E402

# crun makes directories where the cgroup2 of a hybrid machine would be and leaves them; podman leaves
# a pod's parent cgroup in the hierarchy without a controller
PEERS_OWN = re.compile("cgroup /sys/fs/cgroup/(unified/libpod_parent/.*|systemd/libpod_parent/[0-9a-f]+)")
CLONE_NEWNS, CLONE_NEWNET, IFF_UP = 0x20000, 0x40000000, 1
SIOCSIFFLAGS = 0x8914


def pytest_configure():
    _cli.pytest_configure()
    if os.geteuid() != 0:
        pytest.exit("the other engines' tests need root", 2)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], stderr=subprocess.DEVNULL, check=False)


@pytest.fixture(autouse=True)
def nothing_left():
    """As in tests/cli, but podman mounts and unmounts its storage's directory as it likes."""
    leftovers = harness.Leftovers()
    yield
    leftovers.check(lambda found: found.endswith(("/r/overlay", "/b/overlay"))
                    or PEERS_OWN.fullmatch(found))


@pytest.fixture(scope="session")
def scratch():
    # short and in memory: podman refuses long paths, and much is written
    path = pathlib.Path(tempfile.mkdtemp(prefix="p", dir="/run"))
    path.chmod(0o755)
    harness.make_rootfs(path / "rootfs")
    (path / "rootfs/etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                            "alice:x:1000:1000::/:/bin/sh\n")
    subprocess.run(["tar", "-C", path / "rootfs", "-cf", path / "box.tar", "."], check=True)
    yield path
    subprocess.run(["umount", "-R", "-q", "-l", path], check=False)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def podman(scratch):
    yield from engines.podman(BUILD, scratch, "root")


@pytest.fixture(scope="session")
def users_podman(scratch):
    name = os.environ["INRO_TEST_USER"].split(":", maxsplit=1)[0]
    yield from engines.podman(BUILD, scratch, name)


@pytest.fixture(scope="session")
def docker(scratch):
    yield from engines.docker(BUILD, scratch)


@pytest.fixture(scope="session")
def podman_systemd(scratch):
    yield from engines.podman(BUILD, scratch, "root", "systemd")


@pytest.fixture(scope="session")
def users_podman_systemd(scratch):
    """With an instance of systemd of the user's own, which has all controllers to give."""
    name, uid = os.environ["INRO_TEST_USER"].split(":")[:2]
    directory = pathlib.Path("/run/systemd/system/user@.service.d")
    directory.mkdir(parents=True)
    (directory / "test.conf").write_text("[Service]\nDelegate=cpu cpuset io memory pids\n")
    for args in (["systemctl", "daemon-reload"], ["loginctl", "enable-linger", name],
                 ["systemctl", "restart", f"user@{uid}.service"]):
        subprocess.run(args, check=True)
    yield from engines.podman(BUILD, scratch, name, "systemd", {
        "XDG_RUNTIME_DIR": f"/run/user/{uid}",
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{uid}/bus"})
    shutil.rmtree(directory)
    for args in (["systemctl", "daemon-reload"], ["loginctl", "disable-linger", name],
                 ["systemctl", "stop", f"user@{uid}.service"]):
        subprocess.run(args, check=True)


@pytest.fixture(scope="session")
def docker_systemd(scratch):
    yield from engines.docker(BUILD, scratch, ["native.cgroupdriver=systemd"])


@pytest.fixture(scope="session")
def ctr(scratch):
    yield from engines.containerd(BUILD, scratch)


@pytest.fixture(scope="session")
def kubelet(scratch, docker):
    yield from engines.kubelet(BUILD, scratch, docker)
