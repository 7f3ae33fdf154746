# SPDX-License-Identifier: Apache-2.0
"""bench/run images: moving images, measured beside docker, podman and skopeo.

Every command starts with a store that lacks what it is to bring, all of them on one filesystem; what
it reads (the registry's blobs, the archive) is in the page cache, and nothing is left to be written.
Rounds rotate: A B C, B C A. CPU time and memory are of all processes of a command, of docker's with
the daemon: a command line alone would look as if it cost nothing."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request

SAMPLE_S = 0.02
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def quiet(*argv, **kw):
    done = subprocess.run(list(map(str, argv)), check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, argv))}: {done.stderr.decode()}")
    return done.stdout.decode()


# ---- the images ----

def contents(rng, size):
    """Bytes that compress to some half, as programs do."""
    noise = rng.randbytes(size // 2)
    words = rng.randbytes(64).hex().encode()
    return (noise + words * (size // len(words) + 1))[:size]


def layer(seed, files, size, out):
    """A gzipped tar of that many files and bytes into out. Returns its digest and diff id."""
    rng = random.Random(seed)
    plain, packed = hashlib.sha256(), hashlib.sha256()

    class Hashed(io.RawIOBase):
        def __init__(self, target, digest):
            self.target, self.digest = target, digest

        def writable(self):
            return True

        def write(self, data):
            self.digest.update(data)
            return self.target.write(data)

    with gzip.GzipFile(fileobj=Hashed(out, packed), mode="wb", compresslevel=6, mtime=0) as zipped, \
            tarfile.open(fileobj=Hashed(zipped, plain), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        # Sizes as in a distribution: many small ones, a few that hold most of the bytes.
        weights = [rng.paretovariate(1.1) for _ in range(files)]
        scale = size / sum(weights)
        for number, weight in enumerate(weights):
            if number % 50 == 0:
                info = tarfile.TarInfo(f"usr/l{seed}/d{number // 50}")
                info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, 1_600_000_000
                archive.addfile(info)
            info = tarfile.TarInfo(f"usr/l{seed}/d{number // 50}/file{number}")
            info.mode, info.mtime = 0o644, 1_600_000_000 + number
            data = contents(rng, int(weight * scale))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return "sha256:" + packed.hexdigest(), "sha256:" + plain.hexdigest()


def make_layout(top, layers):
    """An OCI layout with one image, whose tag is 1, of layers given as (files, bytes)."""
    blobs = os.path.join(top, "blobs/sha256")
    os.makedirs(blobs)

    def blob(data, media):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(data)
        return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}

    parts, diff_ids = [], []
    for number, (files, size) in enumerate(layers):
        path = os.path.join(blobs, "part")
        with open(path, "wb") as file:
            digest, diff_id = layer(number, files, size, file)
        os.rename(path, os.path.join(blobs, digest[7:]))
        parts.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest,
                      "size": os.path.getsize(os.path.join(blobs, digest[7:]))})
        diff_ids.append(diff_id)
    config = {"architecture": "amd64", "os": "linux", "created": "2024-05-06T07:08:09Z",
              "config": {"Cmd": ["/bin/sh"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": parts,
                "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")}
    desc = blob(json.dumps(manifest).encode(), MANIFEST)
    desc["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    for name, doc in (("oci-layout", {"imageLayoutVersion": "1.0.0"}),
                      ("index.json", {"schemaVersion": 2, "manifests": [desc]})):
        with open(os.path.join(top, name), "w", encoding="utf-8") as file:
            json.dump(doc, file)


def many_images(path, count):
    """A docker-archive of images that share a layer, each with a configuration of its own."""
    layer_tar = io.BytesIO()
    with tarfile.open(fileobj=layer_tar, mode="w") as archive:
        info = tarfile.TarInfo("file")
        archive.addfile(info)
    diff_id = "sha256:" + hashlib.sha256(layer_tar.getvalue()).hexdigest()
    with tarfile.open(path, "w") as archive:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))

        add("layer.tar", layer_tar.getvalue())
        manifest = []
        for number in range(count):
            config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2024-05-06T07:08:09Z",
                                 "config": {"Env": [f"N={number}"]},
                                 "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()
            name = hashlib.sha256(config).hexdigest() + ".json"
            add(name, config)
            manifest.append({"Config": name, "RepoTags": [f"example.com/many/i{number}:1"],
                             "Layers": ["layer.tar"]})
        add("manifest.json", json.dumps(manifest).encode())


# ---- the registry ----

class Registry:
    """docker-registry on loopback, without a cache of its own: what is removed has gone."""

    def __init__(self, work, name):
        self.storage = os.path.join(work, name)
        os.makedirs(self.storage)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % probe.getsockname()[1]
        conf = os.path.join(work, name + ".yml")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: "
                       f"{self.storage}\nhttp:\n  addr: {self.address}\n")
        with open(os.path.join(work, name + ".log"), "wb") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", conf], stdout=log, stderr=log)
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://{self.address}/v2/").close()
                return
            time.sleep(0.1)
        raise SystemExit("bench: docker-registry does not answer")

    def wipe(self):
        shutil.rmtree(os.path.join(self.storage, "docker"), ignore_errors=True)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


# ---- the tools, each with a store of its own ----

class Inro:
    name = "inro"

    def __init__(self, work, build):
        self.store = os.path.join(work, "inro")
        self.argv = [os.path.join(build, "inro"), "--root", self.store, "--runroot",
                     os.path.join(work, "inro-run")]
        self.daemons = []

    @staticmethod
    def there(build):
        return os.path.exists(os.path.join(build, "inro"))

    def wipe(self):
        shutil.rmtree(self.store, ignore_errors=True)

    def pull(self, ref):
        return [*self.argv, "pull", "-q", ref]

    def push(self, ref):
        return [*self.argv, "push", "-q", ref]

    def load(self, path):
        return [*self.argv, "load", "-q", "-i", path]

    def save(self, ref, path):
        return [*self.argv, "save", "-o", path, ref]

    def images(self):
        return [*self.argv, "images"]

    def rmi(self, ref):
        return [*self.argv, "rmi", "-f", ref]

    def tag(self, ref, name):
        return [*self.argv, "tag", ref, name]

    def stop(self):
        pass


class Podman(Inro):
    name = "podman"

    def __init__(self, work, build):
        super().__init__(work, build)
        self.store = os.path.join(work, "podman")
        conf = os.path.join(work, "images-containers.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write('[engine]\nevents_logger="none"\ncgroup_manager="cgroupfs"\n')
        os.environ["CONTAINERS_CONF"] = conf
        self.argv = ["podman", "--root", self.store, "--runroot", os.path.join(work, "podman-run"),
                     "--tmpdir", os.path.join(work, "podman-tmp")]

    @staticmethod
    def there(build):
        return shutil.which("podman")

    def wipe(self):
        if os.path.exists(self.store):
            quiet(*self.argv, "rmi", "-af")
        place = os.path.join(self.store, "overlay")
        if os.path.ismount(place):
            quiet("umount", "-l", place)
        super().wipe()

    def pull(self, ref):
        return [*self.argv, "pull", "-q", "--tls-verify=false", ref]

    def push(self, ref):
        return [*self.argv, "push", "-q", "--tls-verify=false", ref]

    def save(self, ref, path):
        return [*self.argv, "save", "-q", "-o", path, ref]


class Docker(Inro):
    name = "docker"

    def __init__(self, work, build):
        super().__init__(work, build)
        sock = "unix://" + os.path.join(work, "bench-docker.sock")
        self.argv = ["docker", "-H", sock]
        with open(os.path.join(work, "bench-dockerd.log"), "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", os.path.join(work, "bench-docker"), "--exec-root",
                 os.path.join(work, "bench-docker-run"), "-H", sock, "--pidfile",
                 os.path.join(work, "bench-docker.pid"), "--bridge=none", "--iptables=false",
                 "--ip6tables=false"], stdout=log, stderr=log)
        self.daemons = [self.process.pid]
        for _ in range(150):
            if subprocess.run([*self.argv, "version"], stdout=subprocess.DEVNULL, check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.2)
        raise SystemExit("bench: dockerd does not answer")

    @staticmethod
    def there(build):
        return shutil.which("dockerd")

    def wipe(self):
        ids = quiet(*self.argv, "images", "-aq").split()
        if ids:
            quiet(*self.argv, "rmi", "-f", *sorted(set(ids)))

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Skopeo(Inro):
    """Copies between a directory and the outside: it has no store to unpack into."""

    name = "skopeo (to a directory)"

    def __init__(self, work, build):
        super().__init__(work, build)
        self.store = os.path.join(work, "skopeo")

    @staticmethod
    def there(build):
        return shutil.which("skopeo")

    def _place(self):
        return "dir:" + self.store

    def pull(self, ref):
        return ["skopeo", "copy", "-q", "--src-tls-verify=false", "docker://" + ref, self._place()]

    def push(self, ref):
        return ["skopeo", "copy", "-q", "--dest-tls-verify=false", self._place(), "docker://" + ref]

    def load(self, path):
        return ["skopeo", "copy", "-q", "docker-archive:" + path, self._place()]

    def save(self, ref, path):
        return ["skopeo", "copy", "-q", self._place(), f"docker-archive:{path}:{ref}"]

    def tag(self, ref, name):
        return ["true"]


# ---- measuring ----

def tree_of(pids):
    """The processes and all that descend from them."""
    found, todo = [], list(pids)
    while todo:
        pid = todo.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    todo += map(int, file.read().split())
    return found


def private_bytes(pids):
    """Memory that is theirs alone: not the pages of their programs and libraries."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                fields = file.read().split()
            total += (int(fields[1]) - int(fields[2])) * PAGE
    return total


def cpu_seconds(pids):
    """Of daemons, with what they have waited for."""
    total = 0
    for pid in tree_of(pids):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICK


class Run:
    """One measured execution: seconds, cpu (seconds), peak (bytes)."""

    def __init__(self, tool, argv):
        before = cpu_seconds(tool.daemons)
        self.peak, done = 0, threading.Event()
        # A file: what a command leaves in the background may hold a pipe open.
        with tempfile.TemporaryFile() as err:
            start = time.monotonic()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=err)
            sampler = threading.Thread(target=self._sample, args=([process.pid, *tool.daemons], done))
            sampler.start()
            _, status, usage = os.wait4(process.pid, 0)
            self.seconds = time.monotonic() - start
            done.set()
            sampler.join()
            process.returncode = os.waitstatus_to_exitcode(status)
            if status:
                err.seek(0)
                raise SystemExit(f"bench: {' '.join(argv)}: {err.read().decode(errors='replace')}")
        self.cpu = usage.ru_utime + usage.ru_stime + cpu_seconds(tool.daemons) - before

    def _sample(self, pids, done):
        while not done.is_set():
            self.peak = max(self.peak, private_bytes(tree_of(pids)))
            done.wait(SAMPLE_S)


class Table:
    def __init__(self, title, note):
        self.title, self.note, self.rows = title, note, []

    def run(self, tools, prepare, command, rounds):
        """prepare(tool) is not measured; command(tool) gives the words that are."""
        print(f"  {self.title}: {rounds} rounds of {len(tools)}", file=sys.stderr)
        runs = {tool.name: [] for tool in tools}
        for number in range(rounds):
            for k in range(len(tools)):
                tool = tools[(number + k) % len(tools)]
                prepare(tool)
                os.sync()
                runs[tool.name].append(Run(tool, command(tool)))
        for name, all_runs in runs.items():
            seconds = sorted(one.seconds for one in all_runs)
            cpu = sorted(one.cpu for one in all_runs)
            self.rows.append((name, seconds[0], seconds[len(seconds) // 2], cpu[len(cpu) // 2],
                              max(one.peak for one in all_runs)))
        return self

    def markdown(self):
        base = self.rows[0]
        out = [f"## {self.title}", "", self.note, "",
               f"| command | min s | median s | median / {base[0]} | CPU s | peak MiB |",
               "|---|---:|---:|---:|---:|---:|"]
        for name, low, median, cpu, peak in self.rows:
            out.append(f"| {name} | {low:.3f} | {median:.3f} | {median / base[2]:.2f} | {cpu:.2f} | "
                       f"{peak / (1 << 20):.1f} |")
        return "\n".join(out) + "\n"


# ---- the cases ----

class Bench:
    def __init__(self, work, build, rounds, scale, interleaved):
        self.work, self.rounds, self.scale = work, rounds, scale
        self.build, self.interleaved = build, interleaved
        self.stack = contextlib.ExitStack()
        self.tools = []

    def path(self, name):
        return os.path.join(self.work, name)

    def setup(self):
        for name in ("docker-registry", "skopeo"):
            if not shutil.which(name):
                raise SystemExit(f"bench: {name} is not installed")
        for kind in (Inro, Podman, Docker, Skopeo):
            if kind.there(self.build):
                tool = kind(self.work, self.build)
                self.stack.callback(tool.stop)
                self.tools.append(tool)
        self.source = Registry(self.work, "source")
        self.stack.callback(self.source.stop)
        self.target = Registry(self.work, "target")
        self.stack.callback(self.target.stop)
        files, size = max(8, int(40_000 * self.scale)), max(8 << 10, int((640 << 20) * self.scale))
        shapes = {"eight": [(files // 8, size // 8)] * 8, "single": [(files // 10, size // 2)]}
        for name, shape in shapes.items():
            print(f"  making the image {name}", file=sys.stderr)
            make_layout(self.path(name), shape)
            quiet("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{self.path(name)}:1",
                  "docker://" + self.ref(name))
        quiet("skopeo", "copy", "-q", f"oci:{self.path('eight')}:1",
              f"docker-archive:{self.path('eight.tar')}:{self.ref('eight')}")
        self.what = f"{files} files and {size >> 20} MiB in 8 layers"
        self.what_single = f"{files // 10} files and {size >> 21} MiB in one layer"

    def ref(self, name, registry=None):
        return f"{(registry or self.source).address}/bench/{name}:1"

    def warm(self):
        paths = [self.path("eight.tar")]
        for base, _, names in os.walk(self.source.storage):
            paths += [os.path.join(base, name) for name in names]
        for path in paths:
            with open(path, "rb") as file:
                while file.read(1 << 20):
                    pass

    def empty(self, tool):
        tool.wipe()
        self.warm()

    def pulled(self, tool):
        tool.wipe()
        quiet(*tool.pull(self.ref("eight")))

    def stores(self):
        return [tool for tool in self.tools if not isinstance(tool, Skopeo)]

    def pull(self, name, what):
        return Table(f"Images: pull, {what}", "From docker-registry on loopback, gzip layers, into a store "
                     "just emptied. skopeo only fetches and checks the blobs.").run(
            self.tools, self.empty, lambda tool: tool.pull(self.ref(name)), self.rounds)

    def push(self):
        target = self.ref("eight", self.target)

        def prepare(tool):
            self.target.wipe()

        for tool in self.tools:
            self.pulled(tool)
            quiet(*tool.tag(self.ref("eight"), target))
        return Table(f"Images: push, {self.what}", "To an empty docker-registry on loopback.").run(
            self.tools, prepare, lambda tool: tool.push(target), self.rounds)

    def load(self):
        return Table(f"Images: load, {self.what}", "A docker-archive (layers not compressed) into a store "
                     "just emptied. skopeo only compresses the blobs.").run(
            self.tools, self.empty, lambda tool: tool.load(self.path("eight.tar")), self.rounds)

    def save(self):
        def prepare(tool):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path("saved.tar"))

        for tool in self.tools:
            self.pulled(tool)
        return Table(f"Images: save, {self.what}", "To a file on the same disk.").run(
            self.tools, prepare, lambda tool: tool.save(self.ref("eight"), self.path("saved.tar")),
            self.rounds)

    def rmi(self):
        return Table(f"Images: rmi, {self.what}", "The only image of the store.").run(
            self.stores(), self.pulled, lambda tool: tool.rmi(self.ref("eight")), self.rounds)

    def images(self, count, names):
        """podman's time grows with the square of their number: four minutes for 1000."""
        count = max(10, int(count * self.scale))
        tools = [tool for tool in self.stores() if tool.name in names]
        many_images(self.path("many.tar"), count)
        for tool in tools:
            tool.wipe()
            quiet(*tool.load(self.path("many.tar")))
        return self.interleaved(f"Images: listing {count}", "inro", "`images`, without options.",
                                [(tool.name, tool.images()) for tool in tools], max(10, self.rounds))

    def tables(self):
        yield self.pull("eight", self.what)
        yield self.pull("single", self.what_single)
        yield self.push()
        yield self.load()
        yield self.save()
        yield self.rmi()
        yield self.images(100, ("inro", "podman", "docker"))
        yield self.images(1000, ("inro", "docker"))


def run(work, build, rounds, scale, interleaved):
    """Tables, each as it is done. interleaved(title, base, note, commands, rounds) makes one of
    commands that take milliseconds."""
    bench = Bench(work, build, rounds, scale, interleaved)
    with bench.stack:
        bench.setup()
        yield from bench.tables()
