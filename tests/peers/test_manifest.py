# SPDX-License-Identifier: Apache-2.0
"""Lists of manifests that inro pushes, read by other tools, and theirs, read by inro."""

import json
import os

import pytest

from registries import digest

NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


@pytest.fixture
def pushed(root, registries, scratch):
    """A list of two images of box, in a registry: its name and its own bytes."""
    reg = registries.start()
    for arch, tag in ((NATIVE, "one"), ("s390x", "two")):
        root.inro("import", "--change", 'CMD ["uname", "-m"]', "--change", f"LABEL for={arch}",
                  scratch / "box.tar", f"inro.test/app:{tag}").ok()
    name = f"{reg.host}/team/app:1"
    root.inro("manifest", "create", name, "inro.test/app:one").ok()
    root.inro("manifest", "add", "--arch", "s390x", name, "inro.test/app:two").ok()
    out = root.inro("manifest", "push", name).ok().out
    raw = root.inro("manifest", "inspect", "--raw", name).ok().out
    assert out.strip() == digest(raw.encode())
    return name, raw


@pytest.fixture
def conf(root, pushed):
    """The environment in which podman and buildah, of which not all verbs have --tls-verify, speak
    to the registry."""
    path = root.dir / "registries.conf"
    path.write_text(f'[[registry]]\nlocation = "{pushed[0].split("/")[0]}"\ninsecure = true\n')
    return {"CONTAINERS_REGISTRIES_CONF": str(path)}


def platforms(text):
    return [m["platform"]["architecture"] for m in json.loads(text)["manifests"]]


def test_skopeo_copies_all(root, pushed):
    name, raw = pushed
    assert root.run("skopeo", "inspect", "--raw", "--tls-verify=false",
                    f"docker://{name}").ok().out == raw
    root.run("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{name}",
             f"oci:{root.dir}/layout:app").ok()


def test_podman_reads_and_runs(podman, pushed, conf):
    name, raw = pushed
    found = podman("manifest", "inspect", name, env=conf).ok().out
    assert platforms(found) == platforms(raw) == [NATIVE, "s390x"]
    podman("pull", "-q", name, env=conf).ok()
    label = podman("image", "inspect", "-f", "{{.Labels.for}}", name).ok().out
    assert label.strip() == NATIVE
    podman.run("--rm", "--network", "none", name, "true").ok()
    podman("rmi", "-f", name).ok()


def test_docker_reads_and_runs(docker, pushed):
    name, _ = pushed
    docker("pull", "-q", name).ok()
    assert docker("image", "inspect", "-f", "{{.Config.Labels.for}}", name).ok().out.strip() == \
        NATIVE
    docker.run("--rm", name, "true").ok()
    docker("rmi", "-f", name).ok()


def test_docker_reads_the_other_format(docker, root, pushed):
    name, _ = pushed
    other = name[:-1] + "docker"
    root.inro("manifest", "push", "-f", "v2s2", name, other).ok()
    env = {"DOCKER_CLI_EXPERIMENTAL": "enabled"}
    found = docker("manifest", "inspect", "--insecure", other, env=env).ok().out
    assert platforms(found) == [NATIVE, "s390x"]
    docker("pull", "-q", other).ok()
    docker.run("--rm", other, "true").ok()
    docker("rmi", "-f", other).ok()


def test_podman_lists(podman, root, pushed, conf):
    """One that podman has made of what inro has pushed, and the other way round."""
    name, raw = pushed
    members = json.loads(raw)["manifests"]
    theirs = name[:-1] + "theirs"
    podman("manifest", "create", "--all", "inro.test/list", f"docker://{name}", env=conf).ok()
    podman("manifest", "push", "-q", "--all", "inro.test/list", f"docker://{theirs}",
           env=conf).ok()
    got = json.loads(root.inro("manifest", "inspect", theirs).ok().out)
    assert [m["digest"] for m in got["manifests"]] == [m["digest"] for m in members]
    root.inro("pull", "-q", theirs).ok()
    assert root.inro("run", "--rm", theirs).ok().out.strip() == os.uname().machine
    root.inro("manifest", "create", "--all", "ours", f"docker://{theirs}").ok()
    ours = root.inro("manifest", "inspect", "ours").ok().out
    assert platforms(ours) == [NATIVE, "s390x"]
    podman("manifest", "rm", "inro.test/list").ok()


def test_buildah_inspects(root, pushed, conf):
    name, raw = pushed
    state = ["--root", root.dir / "b", "--runroot", root.dir / "br", "--storage-driver", "vfs",
             "--registries-conf", conf["CONTAINERS_REGISTRIES_CONF"]]
    found = root.run("buildah", *state, "manifest", "inspect", name).ok().out
    assert platforms(found) == platforms(raw)


def test_podman_reads_a_saved_list(podman, root, pushed):
    name, _ = pushed
    path = root.dir / "list.tar"
    root.inro("save", "--format", "oci-archive", "-o", path, name).ok()
    iid = podman("pull", "-q", f"oci-archive:{path}").ok().out.split()[-1]
    podman("rmi", "-f", iid).ok()
    root.run("skopeo", "copy", "--all", f"oci-archive:{path}", f"dir:{root.dir}/copy").ok()
