# SPDX-License-Identifier: Apache-2.0
"""The other engines, each with a state of its own and an image "box" of busybox. Every one has run a
container before the first test looks at the machine, so that what stays there for good (parent
cgroups, bridges) is not taken for a leftover."""

import json
import pathlib
import shlex
import subprocess
import tempfile
import time

import harness

DOCKER = "/usr/bin/docker"  # Debian's, not a newer one in /usr/local
CONTAINERS_CONF = """[containers]
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
[engine]
events_logger="none"
cgroup_manager="{manager}"
[engine.runtimes]
inro=["{build}/inro-runtime"]
"""


class Engine:
    """A command line up to its verb; run_options go behind `run`. The peer is the same engine with
    its usual runtime in the place of inro-runtime."""

    def __init__(self, who, argv, run_options=(), peer=None):
        self.who, self.argv, self.run_options = who, list(map(str, argv)), list(run_options)
        self.peer = peer

    def __call__(self, *args, **kw):
        return self.who.run(*self.argv, *args, **kw)

    def run(self, *args, **kw):
        return self("run", *self.run_options, *args, **kw)

    def both(self, scenario):
        """What the scenario, a function of an engine, returns with inro-runtime, after it has
        returned the same with the peer's runtime."""
        ours, theirs = scenario(self), scenario(self.peer)
        assert ours == theirs, f"\n{ours}\nis not what the usual runtime gives:\n{theirs}"
        return ours

    def on_terminal(self, *args, verb="run"):
        """The verb with a terminal that script(1) makes; what it printed."""
        options = self.run_options if verb == "run" else []
        command = shlex.join(map(str, [*self.argv, verb, *options, *args]))
        done = self.who.run("script", "-qec", "stty rows 33 cols 101; " + command, "/dev/null")
        done.out = done.out.replace("^@", "").replace("\0", "")  # how script passes an end of file
        return done


def _who(build, name):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="w", dir="/run"))
    scratch.chmod(0o755)
    return harness.Who(build, name, scratch)


def podman(build, scratch, name, manager="cgroupfs", env=None):
    who = _who(build, name)
    who.env.update(env or {})
    conf = who.dir / "containers.conf"
    conf.write_text(CONTAINERS_CONF.format(build=build, manager=manager))
    who.env["CONTAINERS_CONF"] = str(conf)
    argv = ["podman", "--root", who.dir / "r", "--runroot", who.dir / "rr", "--tmpdir",
            who.dir / "t", "--runtime"]
    engine = Engine(who, [*argv, "inro"], peer=Engine(who, [*argv, "crun"]))
    engine("import", "-q", scratch / "box.tar", "box").ok()
    for each in (engine, engine.peer):
        each.run("--rm", "--network", "none", "box", "true").ok()
    yield engine
    engine("rm", "-fa", "-t", "0")
    if who.rootless:
        engine("system", "migrate")  # ends the process that holds the user namespace
    _remove(who)


def _remove(who):
    subprocess.run(["umount", "-R", "-q", "-l", who.dir / "r/overlay"], check=False)
    subprocess.run(["rm", "-rf", who.dir], check=False)


def _daemon(who, argv, answers):
    """Runs a daemon until the engine's command line gets an answer from it."""
    with open(who.dir / "log", "wb") as log:
        process = who.popen(*argv, stdout=log, stderr=log)
    harness.wait_for(lambda: process.poll() is not None or answers(), 60, argv[0])
    assert process.poll() is None, (who.dir / "log").read_text()
    return process


def docker(build, scratch, options=()):
    who = _who(build, "root")
    sock = f"unix://{who.dir}/s"
    engine = Engine(who, [DOCKER, "-H", sock], ["--runtime", "inro"],
                    Engine(who, [DOCKER, "-H", sock], ["--runtime", "runc"]))
    conf = who.dir / "daemon.json"
    conf.write_text(json.dumps({"runtimes": {"inro": {"path": f"{build}/inro-runtime"}},
                                "default-runtime": "inro", "experimental": True,
                                "exec-opts": list(options)}))
    process = _daemon(
        who, ["dockerd", "--config-file", conf, "--data-root", who.dir / "r", "--exec-root",
              who.dir / "e", "-H", sock, "--pidfile", who.dir / "pid"],
        lambda: engine("version").code == 0)
    engine("import", scratch / "box.tar", "box").ok()
    for each in (engine, engine.peer):
        each.run("--rm", "box", "true").ok()
    yield engine
    process.terminate()
    process.wait(30)
    _remove(who)


def kubelet(build, scratch, docker_engine):
    """containerd with its interface for kubelets, and the image "box" in it."""
    import cri  # gRPC is for it alone, and not on every machine

    who = _who(build, "root")
    cri_plugin = 'plugins."io.containerd.grpc.v1.cri"'
    conf = who.dir / "config.toml"
    text = (f'version = 2\nroot = "{who.dir}/r"\nstate = "{who.dir}/s"\n'
            f'[grpc]\naddress = "{who.dir}/c.sock"\n[ttrpc]\naddress = "{who.dir}/t.sock"\n'
            f'[{cri_plugin}]\nsandbox_image = "docker.io/library/idle:latest"\n'
            f'restrict_oom_score_adj = true\n')
    for name, binary in (("inro", f"{build}/inro-runtime"), ("runc", "runc")):
        text += (f'[{cri_plugin}.containerd.runtimes.{name}]\n'
                 'runtime_type = "io.containerd.runc.v2"\n'
                 f'[{cri_plugin}.containerd.runtimes.{name}.options]\nBinaryName = "{binary}"\n')
    conf.write_text(text)
    ctr = Engine(who, ["ctr", "-a", who.dir / "c.sock", "-n", "k8s.io"])
    process = _daemon(who, ["containerd", "-c", conf], lambda: ctr("version").code == 0)
    docker_engine("import", "--change", 'CMD ["/bin/sleep", "1000"]', scratch / "box.tar", "idle").ok()
    docker_engine("save", "-o", who.dir / "box.tar", "box", "idle").ok()
    ctr("images", "import", who.dir / "box.tar").ok()
    made = cri.Kubelet(who.dir / "c.sock")
    made.logs = who.dir / "logs"
    made.logs.mkdir()
    made.daemon_log = who.dir / "log"
    yield made
    made.channel.close()
    process.terminate()
    process.wait(30)
    _remove(who)


def containerd(build, scratch):
    who = _who(build, "root")
    conf = who.dir / "config.toml"
    conf.write_text(f'version = 2\nroot = "{who.dir}/r"\nstate = "{who.dir}/s"\n'
                    'disabled_plugins = ["io.containerd.grpc.v1.cri", '
                    '"io.containerd.internal.v1.opt"]\n'
                    f'[grpc]\naddress = "{who.dir}/c.sock"\n')
    argv, options = ["ctr", "-a", who.dir / "c.sock"], ["--env", "PATH=/bin", "--rootfs"]
    engine = Engine(who, argv, ["--runc-binary", str(build / "inro-runtime"), *options],
                    Engine(who, argv, ["--runc-binary", "runc", *options]))
    process = _daemon(who, ["containerd", "-c", conf], lambda: engine("version").code == 0)
    engine.run("--rm", scratch / "rootfs", "first", "true").ok()
    time.sleep(0.5)  # the shim of the first one ends
    yield engine
    process.terminate()
    process.wait(30)
    _remove(who)
