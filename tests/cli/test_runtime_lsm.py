# SPDX-License-Identifier: Apache-2.0
"""process.apparmorProfile, process.selinuxLabel, linux.mountLabel: with the security module where
the kernel has it, and what is said where it hasn't."""

import os
import pathlib
import shutil
import subprocess

import pytest

import harness

PROFILE = "inro-test-container"
POLICY = f"""
profile {PROFILE} flags=(attach_disconnected,mediate_deleted) {{
  capability, file, umount, mount, signal, ptrace, unix, network,
  deny /forbidden/** rwklx,
}}
"""


def apparmor():
    try:
        return pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text()[:1] == "Y"
    except FileNotFoundError:
        return False


def selinux():
    return os.path.exists("/sys/fs/selinux/enforce")


@pytest.fixture
def profile(root):
    if not apparmor():
        harness.machine_cannot("its kernel runs without AppArmor")
    if not shutil.which("apparmor_parser"):
        harness.machine_cannot("it has no apparmor_parser to load a profile")
    path = root.dir / "policy"
    path.write_text(POLICY)
    subprocess.run(["apparmor_parser", "--replace", path], check=True)
    yield PROFILE
    subprocess.run(["apparmor_parser", "--remove", path], check=True)


@pytest.mark.parametrize("nnp", [True, False])
def test_apparmor_profile_confines_the_program(root, profile, nnp):
    b = root.bundle("sh", "-c", "cat /proc/self/attr/current; cat /forbidden/x; cat /free")
    (b.rootfs / "forbidden").mkdir()
    (b.rootfs / "forbidden/x").write_text("seen\n")
    (b.rootfs / "free").write_text("free\n")
    b.process.update(apparmorProfile=profile, noNewPrivileges=nnp)
    r = b.run().ok()
    assert r.out.splitlines() == [f"{profile} (enforce)", "free"]
    assert "Permission denied" in r.err


def test_apparmor_profile_that_is_not_loaded(root):
    if not apparmor():
        harness.machine_cannot("its kernel runs without AppArmor")
    b = root.bundle("true")
    b.process["apparmorProfile"] = "no-such-profile"
    b.run().fails("no-such-profile", code=1)


def test_apparmor_profile_without_apparmor(root):
    if apparmor():
        harness.machine_cannot("its kernel has AppArmor")
    b = root.bundle("true")
    b.process["apparmorProfile"] = "docker-default"
    b.run().fails("process.apparmorProfile: AppArmor is not enabled", code=1)
    b.process["apparmorProfile"] = "unconfined"
    b.run().ok()


def test_labels_without_selinux(root):
    if selinux():
        harness.machine_cannot("its kernel has SELinux")
    b = root.bundle("true")
    b.process["selinuxLabel"] = "system_u:system_r:container_t:s0:c1,c2"
    b.run().fails("process.selinuxLabel: SELinux is not enabled", code=1)
    b = root.bundle("true", name="second")
    b.linux["mountLabel"] = "system_u:object_r:container_file_t:s0:c1,c2"
    b.run().fails("linux.mountLabel: SELinux is not enabled", code=1)
