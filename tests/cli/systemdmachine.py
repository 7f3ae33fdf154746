# SPDX-License-Identifier: Apache-2.0
"""A real systemd with a message bus in namespaces of its own (tests/systemd-boot), and commands run
beside it as if they had been started on such a machine."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import time

import harness

BOOT = pathlib.Path(__file__).resolve().parents[1] / "systemd-boot"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Moves itself to a cgroup of the machine in all hierarchies, then becomes the user and the command.
ENTER = """
[ -e /sys/fs/cgroup/cgroup.procs ] || hierarchies='/*'
for dir in /sys/fs/cgroup$hierarchies; do
	[ -e "$dir/cgroup.procs" ] && [ ! -L "$dir" ] || continue
	[ -e "$dir$1" ] || mkdir -p "$dir$1" || continue
	for f in cpuset.cpus cpuset.mems; do
		[ ! -e "$dir/cgroup.controllers" ] && [ -e "$dir$1/$f" ] && cat "$dir/$f" >"$dir$1/$f"
	done
	echo 0 >"$dir$1/cgroup.procs"
done 2>/dev/null
as=$2
shift 2
[ "$as" = 0 ] || exec setpriv --reuid "$as" --regid "$as" --clear-groups -- "$@"
exec "$@"
"""


def remove_tree(top):
    """Empty cgroups only; whether something is left."""
    for directory, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    return top.exists()


class Machine:
    """layout: unified or hybrid."""

    def __init__(self, layout):
        if not os.path.exists("/lib/systemd/systemd") or not os.path.exists("/usr/bin/dbus-daemon"):
            raise RuntimeError("systemd and dbus are needed: scripts/deps test")
        if layout == "hybrid" and not (CGROUPS / "systemd").is_dir():
            harness.machine_cannot("have cgroup v1")
        self.layout, self.scratch = layout, os.environ["INRO_TEST_SCRATCH"]
        self.log = pathlib.Path(self.scratch) / f"systemd-{layout}.log"
        with self.log.open("wb") as log:
            self.unshare = subprocess.Popen([str(BOOT), layout], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.pid = harness.wait_for(self.find, 30, "systemd")
        sockets = [f"/proc/{self.pid}/root/run/{s}" for s in ("systemd/private",
                                                             "dbus/system_bus_socket")]
        harness.wait_for(lambda: all(map(os.path.exists, sockets)), 30, "systemd's sockets")
        self.run("systemctl", "list-units").ok()
        self.run("busctl", "status", "org.freedesktop.systemd1").ok()

    def find(self):
        assert self.unshare.poll() is None, self.log.read_text()
        children = pathlib.Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children")
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                    return int(pid)
        return None

    def enter(self, uid=0, cgroup="/tests"):
        """What to put before a command."""
        return ["nsenter", "-t", str(self.pid), "-m", "-p", "-C", "-n", "-u", "-i", "--",
                "sh", "-c", ENTER, "sh", cgroup, str(uid)]

    def run(self, *argv, **kw):
        """A command of the machine's root."""
        argv = [*self.enter(), *map(str, argv)]
        return harness.Result(argv, subprocess.run(argv, check=False, timeout=60,
                                                   stdin=subprocess.DEVNULL,
                                                   stdout=subprocess.PIPE,
                                                   stderr=subprocess.PIPE, **kw))

    def show(self, unit):
        """Its properties."""
        lines = self.run("systemctl", "show", "--no-pager", unit).ok().out.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def units(self):
        """All scopes but systemd's own, failed ones too."""
        out = self.run("systemctl", "list-units", "--all", "--no-legend", "--no-pager", "--plain",
                       "--type=scope").ok().out
        return {line.split()[0] for line in out.splitlines()} - {"init.scope"}

    def controllers(self):
        if self.layout == "hybrid":
            return {d.name for d in CGROUPS.iterdir()}
        return set(self.run("cat", "/sys/fs/cgroup/cgroup.controllers").ok().out.split())

    def read(self, controller, unit, name):
        """A file of the unit's cgroup."""
        top = f"/sys/fs/cgroup/{controller}/" if self.layout == "hybrid" else "/sys/fs/cgroup/"
        return self.run("cat", f"{top}system.slice/{unit}/{name}").ok().out.strip()

    def cgroups(self):
        """Its own in each hierarchy, from outside."""
        tops = [CGROUPS, *(d for d in CGROUPS.iterdir() if not d.is_symlink())]
        return [d for d in (top / f"systemd-{self.layout}" for top in tops) if d.is_dir()]

    def tidy(self):
        """Removes what stays above a unit's cgroups where systemd does not manage them."""
        for top in self.cgroups():
            for directory in top.glob("*.slice"):
                remove_tree(directory)

    def stop(self):
        self.unshare.kill()
        self.unshare.wait()
        end = time.monotonic() + 10
        while any(map(remove_tree, self.cgroups())):
            assert time.monotonic() < end, "the machine's cgroups are in use"
        shutil.rmtree(f"{self.scratch}/systemd-{self.layout}", ignore_errors=True)


class Client:
    """A harness.Who on the machine: its commands start there, with --systemd-cgroup."""

    def __init__(self, machine, who, cgroup="/tests"):
        self.machine, self.who = machine, who
        self.before = machine.enter(who.uid, cgroup)
        self.env = {k: v for k, v in who.env.items() if k != "INRO_RUNROOT"}

    def argv(self, *args, before=()):
        return [*self.before, *before, *map(str, self.who.runtime_argv("--systemd-cgroup", *args))]

    def runtime(self, *args, **kw):
        env = {**self.env, **kw.pop("env", {})}
        kw.setdefault("stdout", subprocess.PIPE)
        # A container that was created keeps stderr: a file, no pipe whose end one waits for.
        log = self.who.dir / "stderr"
        argv = self.argv(*args)
        with log.open("wb") as err:
            done = subprocess.run(argv, check=False, timeout=60, env=env, stderr=err,
                                  stdin=kw.pop("stdin", None if "input" in kw
                                               else subprocess.DEVNULL), **kw)
        done.stdout, done.stderr = done.stdout or b"", log.read_bytes()
        return harness.Result(argv, done)

    def quiet(self, *args, **kw):
        return self.runtime(*args, stdout=subprocess.DEVNULL, **kw)

    def popen(self, *args, before=()):
        return subprocess.Popen(self.argv(*args, before=before), env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
