# SPDX-License-Identifier: Apache-2.0
"""The AppArmor profiles that engines give by default, with inro-runtime under them."""

import pathlib
import shutil

import pytest

import harness

ENABLED = pathlib.Path("/sys/module/apparmor/parameters/enabled")
SHOW = "cat /proc/self/attr/current; cat /proc/1/attr/current; mount -t tmpfs t /mnt && echo mounted; " \
       "echo 1 > /proc/sys/kernel/pid_max; cat /proc/kcore > /dev/null; echo 1 > /tmp/x; cat /tmp/x"


@pytest.fixture(autouse=True)
def apparmor():
    if not ENABLED.exists() or ENABLED.read_text()[0] != "Y":
        harness.machine_cannot("its kernel runs without AppArmor")
    if not shutil.which("apparmor_parser"):
        harness.machine_cannot("it has no apparmor_parser, by which engines load their profiles")


def scenario(engine):
    """Twice: with the engine's own profile, and with none."""
    seen = []
    for name, options in (("box1", []), ("box2", ["--security-opt", "apparmor=unconfined"])):
        engine.run("-d", "--name", name, "--network", "none", "--cap-add", "SYS_ADMIN", *options, "box",
                   "sleep", "100").ok()
        for more in ([], ["--privileged"]):
            done = engine("exec", *more, name, "sh", "-c", f"mkdir -p /mnt; {SHOW}")
            seen.append((done.code, done.out.splitlines(), sorted(done.err.splitlines())))
        engine("rm", "-f", name).ok()
    return seen


def refuses_unknown(engine):
    engine.run("--rm", "--network", "none", "--security-opt", "apparmor=no-such-profile", "box",
               "true").fails("no-such-profile")


def test_docker(docker):
    seen = docker.both(scenario)
    assert seen[0][1] == ["docker-default (enforce)", "docker-default (enforce)", "1"]
    assert any("mounting t on /mnt failed: Permission denied" in line for line in seen[0][2])
    assert seen[2][1] == ["unconfined", "unconfined", "mounted", "1"]
    refuses_unknown(docker)


def test_podman(podman):
    seen = podman.both(scenario)
    profile = seen[0][1][0]
    assert profile.startswith("containers-default-") and profile.endswith(" (enforce)")
    assert seen[0][1][1:] == [profile, "1"]
    assert seen[2][1] == ["unconfined", "unconfined", "mounted", "1"]
    refuses_unknown(podman)
