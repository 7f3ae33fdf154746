# SPDX-License-Identifier: Apache-2.0
"""Images and archives made by the distribution's own tools: debootstrap, umoci, skopeo, buildah,
docker and podman. Each thing is made once per run, when a test first asks for it; what debootstrap
made stays in the build directory for the next run."""

import contextlib
import functools
import json
import os
import pathlib
import shutil
import subprocess
import time

import harness

# crun, runc and docker refuse a hybrid cgroup layout; mounts of the tools end with the namespace.
PRIVATE = ["unshare", "-m", "--propagation", "private", "sh", "-c",
           'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh"]
CONTAINERS_CONF = """[containers]
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
[engine]
events_logger="none"
cgroup_manager="cgroupfs"
"""
CACHE = pathlib.Path(__file__).resolve().parents[2] / "build/test-cache"
NAME = "example.com/real/{}:1"
DOCKER = "/usr/bin/docker"  # Debian's, not a newer one in /usr/local


def tool(*argv, **kw):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run([*PRIVATE, *map(str, argv)], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **kw)
    assert done.returncode == 0, f"{argv}: {done.stderr.decode()}"
    return done.stdout.decode()


def mirror():
    """Of Debian's stable release, as apt has it; none: debootstrap's own default."""
    lines = tool("apt-get", "indextargets", "--format", "$(CODENAME) $(ORIGIN) $(SITE)",
                 "Created-By: Packages").splitlines()
    return [site for code, origin, site in map(str.split, lines)
            if (code, origin) == ("bookworm", "Debian")][:1]


def debian_tar(scratch):
    """A minimal Debian as a tarball, in the build directory: it takes a minute to make."""
    path = CACHE / "debian-bookworm.tar"
    if not path.exists():
        tree = scratch / "debootstrap"
        tool("debootstrap", "--variant=minbase", "bookworm", tree, *mirror())
        for pattern in ("var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*", "usr/share/doc",
                        "usr/share/man", "usr/share/locale", "usr/share/info",
                        "usr/share/zoneinfo"):
            for entry in tree.glob(pattern):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        tool("tar", "-C", tree, "--numeric-owner", "-cf", part, ".")
        part.rename(path)
        shutil.rmtree(tree)
    return path


def busybox_tree(root):
    """What layers can hold, besides programs."""
    harness.make_rootfs(root)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                     "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nstaff:x:50:\nalice:x:1000:\n")
    (root / "home/alice/deep").mkdir(parents=True)
    for path in (root / "home/alice", root / "home/alice/deep"):
        os.chown(path, 1000, 1000)
    (root / "gone/inside").mkdir(parents=True)
    (root / "file").write_text("one")
    os.link(root / "file", root / "hard")
    (root / "setuid").write_text("x")
    (root / "setuid").chmod(0o4755)
    (root / ("long" * 60)).write_text("long name")
    (root / "näme").write_text("not ASCII")
    os.mkfifo(root / "fifo")
    os.mknod(root / "device", 0o640 | 0o020000, os.makedev(1, 5))
    with open(root / "sparse", "wb") as file:
        file.seek(5_000_000)
        file.write(b"end")


def busybox_second(root):
    """Whiteouts, a directory in a file's place, an attribute changed."""
    shutil.rmtree(root / "gone")
    (root / "file").unlink()
    (root / "file").mkdir()
    (root / "file/new").write_text("now a directory")
    (root / "setuid").chmod(0o750)
    (root / "home/alice/deep/down").write_text("x")


def busybox_third(root):
    """A removed directory comes back with other content."""
    (root / "gone").mkdir()
    (root / "gone/new").write_text("back")


def debian_second(root):
    """As a Dockerfile's step would leave it."""
    (root / "srv/app").write_text("#!/bin/sh\necho app on $(cat /etc/debian_version)\n")
    (root / "srv/app").chmod(0o755)
    (root / "etc/motd").unlink(missing_ok=True)
    shutil.rmtree(root / "usr/share/bash-completion", ignore_errors=True)
    (root / "usr/share/common-licenses/GPL-3").unlink()


BUSYBOX_CONFIG = {
    "user": "alice", "env": "PATH=/bin", "entrypoint": "/bin/sh", "cmd": "/home/alice/start",
    "workingdir": "/home/alice/deep", "volume": "/home/alice", "label": "org.example.kind=real",
    "stopsignal": "SIGUSR1", "exposedports": "80/tcp",
}
START = "echo $(id -un):$PWD:$PATH:$#\n"


class Workshop:
    """Images in OCI layouts made by umoci, archives of them made by everyone."""

    def __init__(self, build, scratch):
        self.build, self.dir = build, scratch
        (scratch / "containers.conf").write_text(CONTAINERS_CONF)
        self.env = {**os.environ, "CONTAINERS_CONF": str(scratch / "containers.conf"),
                    "XDG_RUNTIME_DIR": str(scratch)}
        self.stack = contextlib.ExitStack()

    def tool(self, *argv):
        return tool(*argv, env=self.env, cwd=self.dir)

    # ---- images, each in a layout of its own ----

    @functools.cache
    def layout(self, image):
        """The directory of an OCI layout with this one image, whose tag is its name."""
        return getattr(self, "_make_" + image)()

    def _umoci(self, image, steps, config):
        layout, bundle = self.dir / f"{image}.oci", self.dir / f"{image}.bundle"
        ref = f"{layout}:{image}"
        self.tool("umoci", "init", "--layout", layout)
        self.tool("umoci", "new", "--image", ref)
        self.tool("umoci", "unpack", "--image", ref, bundle)
        for step in steps:
            step(bundle / "rootfs")
            self.tool("umoci", "repack", "--refresh-bundle", "--image", ref, bundle)
        options = [word for key, value in config.items() for word in ("--config." + key, value)]
        self.tool("umoci", "config", "--image", ref, *options)
        self.tool("umoci", "gc", "--layout", layout)
        shutil.rmtree(bundle)
        return layout

    def _make_busybox(self):
        def first(root):
            busybox_tree(root)
            (root / "home/alice/start").write_text(START)
        return self._umoci("busybox", [first, busybox_second, busybox_third], BUSYBOX_CONFIG)

    def _make_debian(self):
        base = debian_tar(self.dir)
        return self._umoci(
            "debian", [lambda root: self.tool("tar", "-C", root, "-xf", base), debian_second],
            {"cmd": "bash", "env": harness.SHELL_PATH})

    def _buildah(self, *argv):
        return self.tool("buildah", "--root", self.dir / "buildah", "--runroot",
                         self.dir / "buildah-run", *argv).strip()

    def _buildah_remove(self, box, path):
        """Without a shell in the container: by the mounted tree."""
        self.tool("sh", "-c", 'm=$(buildah --root "$1" --runroot "$2" mount "$3") && rm "$m/$4" &&'
                  'buildah --root "$1" --runroot "$2" umount "$3"', "sh", self.dir / "buildah",
                  self.dir / "buildah-run", box, path)

    def _make_built(self):
        """Three commits of buildah on the busybox image, each a layer."""
        self.layout("busybox")
        source, top = "oci:busybox.oci:busybox", self.dir / "add"  # a path of lower case
        top.mkdir()
        for number, remove in enumerate(("näme", "hard", "etc/added0")):
            box = self._buildah("from", source)
            (top / f"added{number}").write_text(str(number))
            self._buildah_remove(box, remove)
            self._buildah("copy", box, top / f"added{number}", "/etc/")
            self._buildah("config", "--env", f"STEP{number}=done", "--user", "0", box)
            source = f"localhost/step{number}"
            self._buildah("commit", "--rm", box, source)
        self._buildah("push", source, f"oci:{self.dir}/built.oci:built")
        return self.dir / "built.oci"

    @functools.cache
    def tree(self, image):
        """What umoci makes of it."""
        bundle = self.dir / f"{image}.expected"
        self.tool("umoci", "unpack", "--image", f"{self.layout(image)}:{image}", bundle)
        return bundle / "rootfs"

    @functools.cache
    def image_id(self, image):
        raw = self.tool("skopeo", "inspect", "--raw", f"oci:{self.layout(image)}:{image}")
        return json.loads(raw)["config"]["digest"]

    # ---- archives: how they are made, by name ----

    def archive(self, kind, image, compress=""):
        return self._archive(kind, image, compress)

    @functools.cache
    def _archive(self, kind, image, compress):
        if compress:
            plain, path = self.archive(kind, image), self.dir / f"{kind}-{image}.{compress}"
            with open(path, "wb") as out:
                subprocess.run([compress, "-q", "-1", "-c", plain], stdout=out, check=True)
        else:
            path = self.dir / f"{kind}-{image}.tar"
            getattr(self, "_" + kind.replace("-", "_"))(image, path)
        path.chmod(0o644)
        return path

    def _skopeo(self, image, target, *options):
        self.tool("skopeo", "copy", "-q", *options, f"oci:{self.layout(image)}:{image}", target)

    def _skopeo_docker(self, image, path):
        self._skopeo(image, f"docker-archive:{path}:{NAME.format(image)}")

    def _skopeo_oci(self, image, path):
        self._skopeo(image, f"oci-archive:{path}:{NAME.format(image)}")

    def _skopeo_oci_zstd(self, image, path):
        self._skopeo(image, f"oci-archive:{path}:{NAME.format(image)}", "--dest-compress-format",
                     "zstd")

    def _umoci_tar(self, image, path):
        self.tool("tar", "-C", self.layout(image), "-cf", path, ".")

    def _podman(self, image, path, fmt):
        podman = ["podman", "--root", self.dir / "podman", "--runroot", self.dir / "pr",
                  "--tmpdir", self.dir / "pt"]
        self.tool(*podman, "load", "-q", "-i", self.archive("skopeo-oci", image))
        self.tool(*podman, "save", "-q", "--format", fmt, "-o", path, NAME.format(image))

    def _podman_docker(self, image, path):
        self._podman(image, path, "docker-archive")

    def _podman_oci(self, image, path):
        self._podman(image, path, "oci-archive")

    def _docker_save(self, image, path):
        docker = self.docker()
        self.tool(*docker, "load", "-q", "-i", self.archive("skopeo-docker", image))
        self.tool(*docker, "save", "-o", path, NAME.format(image))

    @functools.cache
    def docker(self):
        """The command line of docker, with a daemon that lives as long as the workshop."""
        sock = f"unix://{self.dir}/docker.sock"
        log = self.stack.enter_context(open(self.dir / "dockerd.log", "wb"))
        daemon = subprocess.Popen(
            [*PRIVATE, "dockerd", "--data-root", self.dir / "docker", "--exec-root",
             self.dir / "docker-run", "-H", sock, "--pidfile", self.dir / "docker.pid",
             "--bridge=none", "--iptables=false", "--ip6tables=false"], stdout=log, stderr=log)
        self.stack.callback(daemon.wait)
        self.stack.callback(daemon.terminate)
        argv = [DOCKER, "-H", sock]
        end = time.monotonic() + 60
        while subprocess.run([*argv, "version"], stdout=log, stderr=log,
                             check=False).returncode != 0:
            assert daemon.poll() is None and time.monotonic() < end, \
                (self.dir / "dockerd.log").read_text()
            time.sleep(0.1)
        return argv

    def close(self):
        self.stack.close()


def expected(tree):
    """{path: what `stat` tells of it} as seen_inside() has it, of a tree on the host."""
    found = {}
    for top, dirs, files in os.walk(tree):
        for name in files + dirs:
            path = pathlib.Path(top, name)
            st = path.lstat()
            link = os.readlink(path) if path.is_symlink() else None
            found[str(path.relative_to(tree))] = _facts(
                st.st_mode, st.st_uid, st.st_gid, st.st_size, int(st.st_mtime), st.st_nlink, link,
                (os.major(st.st_rdev), os.minor(st.st_rdev)))
    return found


def _facts(mode, uid, gid, size, mtime, nlink, link, device):
    kind = mode & 0o170000
    directory, special = kind == 0o040000, kind in (0o020000, 0o060000)
    return (oct(mode), uid, gid, None if directory else (size, nlink, mtime), link,
            device if special else None)


# Where the image has a volume is a mount, with what the image has there.
LOOK = r"""cd /
[ -d home/alice ] && volume=./home/alice
find . $volume -xdev -mindepth 1 -exec stat -c '%n|%f|%u|%g|%s|%Y|%h|%t|%T|%N' {} +
echo ----
find . $volume -xdev -type f -exec sha256sum {} +"""
# mounted over by every engine
OURS = ("dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf")


def without_ours(paths):
    return {p: v for p, v in paths.items()
            if not any(p == own or p.startswith(own + "/") for own in OURS)}


def seen_inside(output):
    """({path: facts}, {path: sha256}) of what LOOK prints in a container."""
    names, sums = output.split("----\n")
    found = {}
    for line in names.splitlines():
        path, mode, *numbers, major, minor, quoted = line.split("|")
        link = quoted.split(" -> ", 1)[1].strip("'\"") if " -> " in quoted else None
        found[path[2:]] = _facts(int(mode, 16), *map(int, numbers), link,
                                 (int(major, 16), int(minor, 16)))
    return found, {path[2:]: digest for digest, path in
                   (line.split("  ", 1) for line in sums.splitlines())}
