# SPDX-License-Identifier: Apache-2.0
"""Images whose layers inro has compressed anew, for other engines."""

import json

import pytest


@pytest.fixture
def name(root, registries, scratch):
    """A name in a registry, for an image of inro's under "made"."""
    reg = registries.start()
    root.inro("import", "--change", 'CMD ["cat", "/etc/hostname"]', scratch / "box.tar", "made").ok()
    root.inro("run", "--name", "one", "made", "sh", "-c", "echo more >/more").ok()
    root.inro("commit", "one", "made").ok()
    return f"{reg.host}/made:1"


@pytest.mark.parametrize("options", [("zstd",), ("zstd", "--compression-level", "12"),
                                     ("gzip", "--compression-level", "9"), ("none",)])
def test_podman(podman, root, name, options):
    root.inro("push", "--compression-format", *options, "made", name).ok()
    found = json.loads(root.run("skopeo", "inspect", "--raw", "--tls-verify=false",
                                f"docker://{name}").ok().out)
    ends = {"zstd": "tar+zstd", "gzip": "tar+gzip", "none": "v1.tar"}
    assert all(x["mediaType"].endswith(ends[options[0]]) for x in found["layers"])
    podman("pull", "-q", "--tls-verify=false", name).ok()
    done = podman.run("--rm", "--network", "none", name, "cat", "/more").ok()
    assert done.out == "more\n"
    podman("rmi", "-f", name).ok()


@pytest.mark.parametrize("form", ["gzip", "none"])
def test_docker(docker, root, name, form):
    root.inro("push", "--format", "v2s2", "--compression-format", form, "made", name).ok()
    docker("pull", "-q", name).ok()
    assert docker.run("--rm", name, "cat", "/more").ok().out == "more\n"
    docker("rmi", "-f", name).ok()


def test_saved_without_compression(docker, podman, root, name):
    path = root.dir / "plain.tar"
    root.inro("tag", "made", "inro.test/plain:1").ok()
    root.inro("save", "--uncompressed", "-o", path, "inro.test/plain:1").ok()
    for engine in (docker, podman):
        engine("load", "-i", path).ok()
        options = ["--network", "none"]
        done = engine.run("--rm", *options, "inro.test/plain:1", "cat", "/more").ok()
        assert done.out == "more\n"
        engine("rmi", "-f", "inro.test/plain:1").ok()
