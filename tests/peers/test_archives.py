# SPDX-License-Identifier: Apache-2.0
"""Archives of inro save, loaded by the other engines."""

import pytest


def save(who, scratch, *options):
    """An image of two names, saved by inro. Returns its id and the archive."""
    who.inro("import", "--change", 'CMD ["cat", "/etc/hostname"]', scratch / "box.tar",
             "inro.test/saved:1").ok()
    iid = who.inro("images", "-q", "--no-trunc", "inro.test/saved").ok().out.strip()
    path = who.dir / "saved.tar"
    who.inro("save", *options, "-o", path, "inro.test/saved").ok()
    return iid, path


@pytest.fixture(params=["docker-archive", "oci-archive"])
def form(request):
    return request.param


def test_podman_loads(podman, scratch, root, form):
    iid, path = save(root, scratch, "--format", form)
    done = podman("load", "-i", path).ok()
    assert "inro.test/saved:1" in done.out
    found = podman("image", "inspect", "-f", "{{.Id}} {{.RepoTags}}", "inro.test/saved:1").ok().out
    assert found.split() == [iid[7:], "[inro.test/saved:1]"]
    podman.run("--rm", "--network", "none", "inro.test/saved:1", "true").ok()
    podman("rmi", "-f", iid).ok()


def test_docker_loads(docker, scratch, root):
    iid, path = save(root, scratch)
    done = docker("load", "-i", path).ok()
    assert "Loaded image: inro.test/saved:1" in done.out
    found = docker("image", "inspect", "-f", "{{.Id}} {{.RepoTags}}", "inro.test/saved:1").ok().out
    assert found.split() == [iid, "[inro.test/saved:1]"]
    docker.run("--rm", "--network", "none", "inro.test/saved:1", "true").ok()
    docker("rmi", "-f", iid).ok()


def test_containerd_imports(ctr, scratch, root, form):
    _, path = save(root, scratch, "--format", form)
    ctr("images", "import", path).ok()
    assert "inro.test/saved:1" in ctr("images", "ls", "-q").ok().out.split()
    ctr("images", "rm", "inro.test/saved:1").ok()


def test_inro_loads_what_docker_saved_of_it(docker, root, scratch):
    iid, path = save(root, scratch)
    docker("load", "-i", path).ok()
    docker("save", "-o", root.dir / "theirs.tar", "inro.test/saved:1").ok()
    root.inro("rmi", "inro.test/saved:1").ok()
    root.inro("load", "-i", root.dir / "theirs.tar").ok()
    assert root.inro("images", "-q", "--no-trunc").ok().out.split() == [iid]
    docker("rmi", "-f", iid).ok()


def test_podman_runs_a_committed_image(podman, scratch, root):
    root.inro("import", scratch / "box.tar", "inro.test/box:1").ok()
    root.inro("run", "--name", "made", "inro.test/box:1", "sh", "-c",
              "echo here >/here; rm /etc/passwd; ln /here /there; rm -r /tmp; mkdir /tmp").ok()
    root.inro("commit", "-c", 'CMD ["sh", "-c", "cat /there; ls /etc/passwd"]', "made",
              "inro.test/made:1").ok()
    for form in ("docker-archive", "oci-archive"):
        root.inro("save", "--format", form, "-o", root.dir / form, "inro.test/made:1").ok()
        podman("load", "-i", root.dir / form).ok()
        done = podman.run("--rm", "--network", "none", "inro.test/made:1")
        assert done.code != 0 and done.out == "here\n" and "/etc/passwd" in done.err, done
        podman("rmi", "-f", "inro.test/made:1").ok()


def test_others_read_holes(docker, podman, scratch, root):
    """GNU tar's sparse format in a layer, through Go's archive/tar and tar-split."""
    root.inro("import", scratch / "box.tar", "inro.test/box:1").ok()
    root.inro("run", "--name", "made", "inro.test/box:1", "sh", "-c",
              "truncate -s 60M /hole; printf x | dd of=/hole bs=1 seek=50000000 conv=notrunc").ok()
    root.inro("commit", "-c", 'CMD ["sh", "-c", "stat -c %s /hole; tail -c +50000000 /hole | '
              'head -c 3 | od -An -c"]', "made", "inro.test/holes:1").ok()
    root.inro("save", "-o", root.dir / "holes.tar", "inro.test/holes:1").ok()
    assert (root.dir / "holes.tar").stat().st_size < 20 << 20
    for engine in (docker, podman):
        engine("load", "-i", root.dir / "holes.tar").ok()
        done = engine.run("--rm", "--network", "none", "inro.test/holes:1").ok()
        assert done.out.split() == ["62914560", "\\0", "x", "\\0"], done
        engine("rmi", "-f", "inro.test/holes:1").ok()
