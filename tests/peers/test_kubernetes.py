# SPDX-License-Identifier: Apache-2.0
"""Pods through containerd's Container Runtime Interface, with the calls that a kubelet makes: inro-runtime
beside runc."""

import pytest

import cri
import harness


@pytest.fixture(scope="module", params=["inro", "runc"])
def pod(request, kubelet):
    config = {1: {1: "pod-" + request.param, 2: "uid-" + request.param, 3: "default"},
              3: str(kubelet.logs),
              8: {1: "/kube", 2: {1: cri.HOST_NETWORK}}}
    made = kubelet.sandbox(config, request.param)
    yield made, config
    kubelet.call("StopPodSandbox", {1: made})
    kubelet.call("RemovePodSandbox", {1: made})


@pytest.fixture
def container(kubelet, pod):
    made = []

    def start(name, *command, linux=None):
        made.append(kubelet.container(*pod, {
            1: {1: name}, 2: {1: "docker.io/library/box:latest"}, 3: list(command), 6: [{1: "A", 2: "1"}],
            11: name + ".log", 15: linux or {}}))
        return made[-1]

    yield start
    for each in made:
        kubelet.call("StopContainer", {1: each, 2: 0})
        kubelet.call("RemoveContainer", {1: each})


def test_container_of_a_pod(kubelet, container):
    c = container("c1", "sh", "-c", "echo to the log; sleep 100", linux={
        1: {1: 100000, 2: 50000, 3: 512, 4: 64 << 20}, 2: {5: {1: 1000}, 11: 1}})
    assert kubelet.status(c) == (1, 0)
    code, out, err = kubelet.execute(
        c, "sh", "-c", "id -u; echo $A; cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes "
        "cpu/cpu.cfs_quota_us; grep -e NoNewPrivs -e CapEff /proc/self/status; echo e >&2; exit 3")
    assert (code, err) == (3, "e\n")
    assert out.split() == ["1000", "1", "67108864", "50000", "CapEff:", "0" * 16, "NoNewPrivs:", "1"]
    harness.wait_for(lambda: "stdout F to the log" in (kubelet.logs / "c1.log").read_text())


def test_probe_that_hangs_is_ended(kubelet, container):
    c = container("c2", "sleep", "100")
    with pytest.raises(Exception, match="DEADLINE|timed out|timeout"):
        kubelet.execute(c, "sleep", "50", timeout=1)
    harness.wait_for(lambda: "sleep 50" not in kubelet.execute(c, "ps")[1])


def test_limits_of_a_running_container(kubelet, container):
    c = container("c3", "sleep", "100", linux={1: {4: 64 << 20}})
    kubelet.call("UpdateContainerResources", {1: c, 2: {2: 25000, 1: 100000, 4: 128 << 20}})
    out = kubelet.execute(c, "sh", "-c", "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes "
                          "cpu/cpu.cfs_quota_us")[1]
    assert out.split() == ["134217728", "25000"]
    stats = cri.decode(kubelet.call("ContainerStats", {1: c})[1])
    assert cri.decode(cri.decode(stats[3])[2])[1] > 0  # memory.working_set_bytes.value


def test_end_and_exit_code(kubelet, container):
    c = container("c4", "sh", "-c", "exit 7")
    harness.wait_for(lambda: kubelet.status(c) == (2, 7))
    c = container("c5", "sh", "-c", 'trap "exit 8" TERM; while :; do sleep 0.05; done')
    kubelet.execute(c, "true")
    kubelet.call("StopContainer", {1: c, 2: 5})
    assert kubelet.status(c) == (2, 8)
    with pytest.raises(Exception, match="no such file or directory"):
        container("c6", "/no/such")
