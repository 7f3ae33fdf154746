# SPDX-License-Identifier: Apache-2.0
"""Containers that engines save and bring back, by criu under inro-runtime."""

import subprocess

import pytest

import harness

COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"


@pytest.fixture(autouse=True)
def needs_criu():
    harness.needs_criu()


def numbers(engine, name):
    return [int(line) for line in engine("logs", name).out.split()]


def counts(engine, name, more_than):
    harness.wait_for(lambda: len(numbers(engine, name)) > more_than, 20, "numbers in the log")
    found = numbers(engine, name)
    assert found == list(range(1, len(found) + 1))
    return len(found)


def remove(podman, name):
    podman("rm", "-f", "-t", "0", name).ok()
    # What the container's monitor has started to clean up.
    harness.wait_for(lambda: subprocess.run(["pgrep", "-x", "podman"], check=False,
                                            stdout=subprocess.DEVNULL).returncode != 0, 20)


def test_podman(podman):
    podman.run("-d", "--name", "ck", "--network", "none", "box", "sh", "-c", COUNT).ok()
    before = counts(podman, "ck", 5)
    podman("container", "checkpoint", "ck").ok()
    assert podman("inspect", "-f", "{{.State.Status}}", "ck").out.strip() == "exited"
    podman("container", "restore", "ck").ok()
    counts(podman, "ck", before + 5)
    remove(podman, "ck")


def test_podman_leave_running(podman):
    podman.run("-d", "--name", "ck", "--network", "none", "box", "sh", "-c", COUNT).ok()
    before = counts(podman, "ck", 5)
    podman("container", "checkpoint", "--leave-running", "ck").ok()
    counts(podman, "ck", before + 5)
    remove(podman, "ck")


def test_podman_takes_it_elsewhere(podman):
    """With its log, where that is a file: the journal keeps each container's apart."""
    archive = podman.who.dir / "ck.tar.gz"
    podman.run("-d", "--name", "ck", "--network", "none", "--log-driver", "k8s-file", "box", "sh", "-c",
               COUNT).ok()
    before = counts(podman, "ck", 5)
    podman("container", "checkpoint", "--export", archive, "ck").ok()
    remove(podman, "ck")
    podman("container", "restore", "--import", archive, "--name", "other").ok()
    counts(podman, "other", before + 5)  # the log has come along
    remove(podman, "other")


def test_docker(docker):
    docker.run("-d", "--name", "ck", "--network", "none", "box", "sh", "-c", COUNT).ok()
    before = counts(docker, "ck", 5)
    docker("checkpoint", "create", "ck", "one").ok()
    harness.wait_for(lambda: docker("inspect", "-f", "{{.State.Status}}",
                                    "ck").out.strip() == "exited", 10)
    docker("start", "--checkpoint", "one", "ck").ok()
    counts(docker, "ck", before + 5)
    docker("rm", "-f", "ck").ok()


def test_containerd(ctr, scratch):
    images = ctr.who.dir / "ck"
    ctr.run("-d", scratch / "rootfs", "ck", "sleep", "1000").ok()
    ctr("tasks", "checkpoint", "--image-path", images, "ck").ok()
    assert (images / "inventory.img").exists()
    ctr("tasks", "kill", "-s", "9", "ck")
    harness.wait_for(lambda: "STOPPED" in ctr("tasks", "ls").out, 10)
    ctr("tasks", "rm", "ck").ok()
    ctr("containers", "rm", "ck").ok()
