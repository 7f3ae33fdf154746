# SPDX-License-Identifier: Apache-2.0
"""bench/run engine: what a user does with containers all day, beside docker and podman.

Each engine has a state of its own below one directory, and the same image: busybox and bench/load.c.
Commands of milliseconds are interleaved (bench/interleave.c); what takes seconds is repeated in turn.
docker's daemon runs all the time; its start is not measured."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time

PARALLEL = 100
LINES = 1_000_000
ATTENDED = 20  # containers that run -d is measured with
NET = ("--network", "none")
WAIT = ("bench", "/bin/load", "wait")


def quiet(*argv, **kw):
    done = subprocess.run(list(map(str, argv)), check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if done.returncode:
        raise SystemExit(f"bench: {' '.join(map(str, argv))}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode()


def seconds(*argvs):
    """Of commands, one after the other."""
    start = time.monotonic()
    for argv in argvs:
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return time.monotonic() - start


# ---- the engines ----

class Inro:
    name = "inro"
    log = ("--log-opt", "max-size=1g")  # the others have no limit by default

    def __init__(self, work, build):
        self.work, self.build = work, build
        self.argv = self.rooted("inro")

    def rooted(self, name):
        return [os.path.join(self.build, "inro"), "--root", os.path.join(self.work, name), "--runroot",
                "/run/inro-bench/" + name]

    @staticmethod
    def there(build):
        return os.path.exists(os.path.join(build, "inro"))

    def bring(self, tar):
        quiet(*self.argv, "import", tar, "bench:latest")

    def create(self, count):
        """That many containers that were never started."""
        in_turns(count, lambda n: quiet(*self.argv, "create", "--name", f"made{n}", *NET, "bench",
                                        "/bin/true"))

    def main_pids(self, names):
        return [int(line) for line in
                quiet(*self.argv, "inspect", "-f", "{{.State.Pid}}", *names).split()]

    def end_running(self):
        """There are some when a case has failed."""
        names = quiet(*self.argv, "ps", "-q", "--no-trunc").split()
        if names:
            quiet(*self.argv, "rm", "-f", *names)

    def daemons(self):
        return []

    def stop(self):
        pass


class Podman(Inro):
    name = "podman"
    log = ("--log-driver", "k8s-file")

    def __init__(self, work, build):
        super().__init__(work, build)
        conf = os.path.join(work, "containers.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write('[containers]\ndefault_ulimits=["nofile=1024:1024","nproc=1024:1024"]\n'
                       '[engine]\nevents_logger="none"\ncgroup_manager="cgroupfs"\n')
        os.environ["CONTAINERS_CONF"] = conf
        self.argv = ["podman", "--root", os.path.join(work, "podman"), "--runroot",
                     "/run/inro-bench/podman", "--tmpdir", "/run/inro-bench/podman-tmp"]

    @staticmethod
    def there(build):
        return shutil.which("podman")

    def stop(self):
        place = os.path.join(self.work, "podman", "overlay")
        if os.path.ismount(place):
            quiet("umount", "-l", place)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Docker(Inro):
    name = "docker"
    log = ("--log-driver", "json-file")
    network = ("--bridge=none", "--iptables=false", "--ip6tables=false")

    def __init__(self, work, build):
        super().__init__(work, build)
        self.socket = os.path.join(work, "docker.sock")
        self.argv = ["docker", "-H", "unix://" + self.socket]
        with open(os.path.join(work, "dockerd.log"), "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", os.path.join(work, "docker"), "--exec-root",
                 "/run/inro-bench/docker", "-H", "unix://" + self.socket, "--pidfile",
                 os.path.join(work, "docker.pid"), *self.network], stdout=log, stderr=log)
        for _ in range(150):
            if subprocess.run([*self.argv, "version"], stdout=subprocess.DEVNULL, check=False,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.2)
        raise SystemExit("bench: dockerd does not answer")

    @staticmethod
    def there(build):
        return shutil.which("dockerd")

    def create(self, count):
        """By its API: its command line would take a minute more."""
        body = json.dumps({"Image": "bench", "Cmd": ["/bin/true"],
                           "HostConfig": {"NetworkMode": "none"}})

        def one(number):
            link = UnixConnection(self.socket)
            with contextlib.closing(link):
                link.request("POST", f"/containers/create?name=made{number}", body,
                             {"Content-Type": "application/json"})
                answer = link.getresponse()
                if answer.status != 201:
                    raise SystemExit(f"bench: docker create: {answer.read().decode()}")
        in_turns(count, one)

    def daemons(self):
        return [self.process.pid, *children(self.process.pid)]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def in_turns(count, one):
    """one(0) to one(count - 1), as many at a time as there are processors."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(one, range(count)):
            pass


# ---- memory ----

def children(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return list(map(int, file.read().split()))
    return []


def parent(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def memory_kib(pids):
    """(private, proportional) of each on average: private is what would be free without it."""
    private = proportional = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("Private_Clean", "Private_Dirty", "Private_Hugetlb"):
                    private += int(rest.split()[0])
                elif name == "Pss":
                    proportional += int(rest.split()[0])
    return private / len(pids), proportional / len(pids)


def used_kib():
    """Of the machine, in all."""
    values = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            values[name] = int(rest.split()[0])
    return values["MemTotal"] - values["MemAvailable"]


# ---- tables of what interleave.c can't time ----

class Figures:
    def __init__(self, title, note, columns):
        self.title, self.note, self.columns, self.rows = title, note, columns, []

    def add(self, name, *values):
        self.rows.append([name, *values])

    def markdown(self):
        out = [f"## {self.title}", "", self.note, "", "| " + " | ".join(self.columns) + " |",
               "|---|" + "---:|" * (len(self.columns) - 1)]
        out += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(out) + "\n"


def repeated(title, note, tools, one, rounds):
    """one(tool, number) returns seconds."""
    print(f"  {title}: {rounds} rounds of {len(tools)}", file=sys.stderr)
    took = {tool.name: [] for tool in tools}
    for number in range(rounds):
        for k in range(len(tools)):
            tool = tools[(number + k) % len(tools)]
            took[tool.name].append(one(tool, number))
    table = Figures(title, note, ["command", "min s", "median s", f"median / {tools[0].name}"])
    base = sorted(took[tools[0].name])[rounds // 2]
    for name, all_took in took.items():
        median = sorted(all_took)[rounds // 2]
        table.add(name, f"{min(all_took):.3f}", f"{median:.3f}", f"{median / base:.2f}")
    return table


# ---- the cases ----

class Bench:
    kinds = (Inro, Podman, Docker)

    def __init__(self, work, build, rootfs, rounds, scale, interleaved):
        self.work, self.build, self.rootfs, self.rounds = work, build, rootfs, rounds
        self.count = max(40, int(1000 * scale))
        self.parallel = max(4, int(PARALLEL * scale))
        self.lines = max(1000, int(LINES * scale))
        self.interleaved = interleaved
        self.stack = contextlib.ExitStack()
        self.tools = []

    def setup(self):
        tar = os.path.join(self.work, "busybox.tar")
        with tarfile.open(tar, "w") as archive:
            archive.add(self.rootfs, arcname=".")
        for kind in self.kinds:
            if kind.there(self.build):
                tool = kind(self.work, self.build)
                self.stack.callback(tool.stop)
                self.stack.callback(tool.end_running)
                tool.bring(tar)
                self.tools.append(tool)

    def each(self, title, note, words, rounds=None):
        return self.interleaved(f"Engine: {title}", "inro", note,
                                [(tool.name, [*tool.argv, *words]) for tool in self.tools],
                                rounds or self.rounds)

    def run_rm(self):
        return self.each("run --rm --network none IMAGE true", "Image store, container record, root "
                         "filesystem of layers, default seccomp profile and capabilities, exit "
                         "status, removal.", ["run", "--rm", *NET, "bench", "/bin/true"],
                         self.rounds * 2)

    def run_detached(self):
        table = self.each("run -d --network none IMAGE", "Until the command's end.",
                          ["run", "-d", *NET, *WAIT])
        for tool in self.tools:
            tool.end_running()
        return table

    def exec_true(self):
        self.services(1)
        try:
            return self.each("exec of true", "In a container that runs.", ["exec", "service0", "/bin/true"])
        finally:
            self.no_services(1)

    def services(self, count):
        for tool in self.tools:
            for number in range(count):
                quiet(*tool.argv, "run", "-d", "--name", f"service{number}", *NET, *WAIT)

    def no_services(self, count):
        for tool in self.tools:
            quiet(*tool.argv, "rm", "-f", *(f"service{number}" for number in range(count)))

    def stop(self):
        def one(tool, number):
            name = f"ending{number}"
            quiet(*tool.argv, "run", "-d", "--name", name, *NET, *WAIT)
            took = seconds([*tool.argv, "stop", name])
            quiet(*tool.argv, "rm", name)
            return took
        return repeated("Engine: stop", "Of a container whose process ends on TERM.", self.tools, one,
                        max(3, self.rounds // 2))

    def at_once(self):
        def one(tool, number):
            argv = [*tool.argv, "run", "--rm", *NET, "bench", "/bin/true"]
            start = time.monotonic()
            running = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE) for _ in range(self.parallel)]
            for process in running:
                _, text = process.communicate()
                if process.returncode:
                    raise SystemExit(f"bench: {tool.name}: {text.decode(errors='replace')}")
            return time.monotonic() - start
        return repeated(f"Engine: {self.parallel} times run --rm at once",
                        "From the first start to the last end.", self.tools, one,
                        max(2, self.rounds // 10))

    def logs(self):
        rounds = max(2, self.rounds // 7)

        def write(tool, number):
            name = f"lines{number}"
            took = seconds([*tool.argv, "run", "-d", "--name", name, *tool.log, *NET, "bench",
                            "/bin/load", "lines", str(self.lines)], [*tool.argv, "wait", name])
            if number:
                quiet(*tool.argv, "rm", f"lines{number - 1}")
            return took

        def read(tool, number):
            return seconds([*tool.argv, "logs", f"lines{rounds - 1}"])
        what = f"{self.lines:,} lines of 100 bytes"
        yield repeated(f"Engine: logs, {what} written",
                       "run -d, then wait. Files of the format that each has by default, without a "
                       "limit.", self.tools, write, rounds)
        for tool in self.tools:
            lines = quiet(*tool.argv, "logs", f"lines{rounds - 1}").count("\n")
            if lines != self.lines:
                raise SystemExit(f"bench: {tool.name} has {lines} of {self.lines} lines")
        yield repeated(f"Engine: logs, {what} read", "", self.tools, read, rounds)
        for tool in self.tools:
            quiet(*tool.argv, "rm", f"lines{rounds - 1}")

    def supervisors(self):
        """Memory of what stays for each container."""
        table = Figures(f"Engine: memory beside each of {ATTENDED} running containers",
                        "Of the process that each container has as its parent. Private: not shared "
                        "with any other process, so without the text of programs. Proportional: with "
                        "its share of that. Daemons are there once.",
                        ["process", "private KiB", "proportional KiB", "daemons: private KiB"])
        self.services(ATTENDED)
        for tool in self.tools:
            pids = tool.main_pids([f"service{number}" for number in range(ATTENDED)])
            private, proportional = memory_kib([parent(pid) for pid in pids])
            daemons = tool.daemons()
            total = memory_kib(daemons)[0] * len(daemons) if daemons else 0
            table.add(tool.name, f"{private:.0f}", f"{proportional:.0f}", f"{total:.0f}")
        self.no_services(ATTENDED)
        return table

    def listing(self, many, ended):
        """With containers of inro's that run in many, that have ended in ended."""
        print(f"  making {self.count} containers in each engine", file=sys.stderr)
        for tool in self.tools:
            tool.create(self.count)
        in_turns(self.count, lambda n: quiet(*ended, "run", *NET, "bench", "/bin/true"))
        commands = [(tool.name, [*tool.argv, "ps", "-a"]) for tool in self.tools]
        commands += [("inro, ended", [*ended, "ps", "-a"]), ("inro, running", [*many, "ps"])]
        return self.interleaved(f"Engine: ps with {self.count} containers", "inro",
                                "ps -a of containers that were created and never started; besides, of "
                                "inro's, as many that have ended, and that run.", commands,
                                max(3, self.rounds // 2))

    def number(self, many):
        """Starts as many containers as there are to be; what the first and the last take."""
        some = min(20, self.count // 2)
        argv = [*many, "run", "-d", *NET, *WAIT]

        def starts(name):
            table = self.interleaved(name, name, "", [(name, argv)], some)
            return table.rows[0]
        first = starts(f"number 1 to {some}")
        print(f"  starting {self.count - 2 * some} containers", file=sys.stderr)
        in_turns(self.count - 2 * some, lambda n: quiet(*argv))
        last = starts(f"number {self.count - some + 1} to {self.count}")
        table = Figures("Engine: run -d beside others that run", "inro alone.",
                        ["containers", "min ms", "median ms", "median / the first"])
        for name, low, median, *_ in (first, last):
            table.add(name, f"{low:.2f}", f"{median:.2f}", f"{median / first[2]:.2f}")
        return table

    def all_memory(self, many, before):
        names = quiet(*many, "ps", "-q", "--no-trunc").split()
        inro = Inro(self.work, self.build)
        inro.argv = many
        pids = inro.main_pids(names)
        own, own_share = memory_kib(pids)
        private, share = memory_kib([parent(pid) for pid in pids])
        whole = (used_kib() - before) / 1024
        table = Figures(f"Engine: memory of {len(names)} running containers", "inro alone. The machine's: "
                        "the difference to before in all memory that is in use, so with what the "
                        "kernel has for their namespaces, mounts and cgroups.",
                        ["whose", "each KiB", "all MiB"])
        for name, each in (("monitors, private", private), ("monitors, proportional", share),
                           ("the containers' own processes, proportional", own_share)):
            table.add(name, f"{each:.0f}", f"{each * len(names) / 1024:.0f}")
        table.add("the machine's", f"{whole * 1024 / len(names):.0f}", f"{whole:.0f}")
        table.add("the machine's, without the containers' own processes",
                  f"{whole * 1024 / len(names) - own:.0f}", f"{whole - own * len(names) / 1024:.0f}")
        return table

    def scale(self):
        inro = Inro(self.work, self.build)
        many, ended = inro.rooted("many"), inro.rooted("ended")
        for argv in (many, ended):
            quiet(*argv, "import", os.path.join(self.work, "busybox.tar"), "bench:latest")
        before = used_kib()
        try:
            yield self.number(many)
            yield self.all_memory(many, before)
            yield self.listing(many, ended)
        finally:
            print(f"  removing {self.count} containers", file=sys.stderr)
            quiet(*many, "rm", "-f", "-a")

    def tables(self):
        yield self.run_rm()
        yield self.run_detached()
        yield self.exec_true()
        yield self.stop()
        yield self.at_once()
        yield from self.logs()
        yield self.supervisors()
        yield from self.scale()


def run(work, build, rootfs, rounds, scale, interleaved):
    """Tables, each as it is done. interleaved(title, base, note, commands, rounds) makes one of
    commands that take milliseconds."""
    bench = Bench(work, build, rootfs, rounds, scale, interleaved)
    with bench.stack:
        bench.setup()
        yield from bench.tables()
