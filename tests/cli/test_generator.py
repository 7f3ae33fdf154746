# SPDX-License-Identifier: Apache-2.0
"""inro-generator: podman's files for systemd (podman-systemd.unit(5)) made services, and what systemd
does with them."""

import os
import pathlib
import shlex

import pytest

import engine
import harness
import systemdmachine

TURNS = True

RUN = "--name=systemd-%N --replace --rm --label=PODMAN_SYSTEMD_UNIT=%n".split()
JOURNAL = "--log-driver=journald --log-opt=tag=%N".split()
HOW = "--cgroups=split -d --sdnotify=conmon".split()
# A line of [Container], and the options that `inro run` gets for it.
KEYS = {
    "AddCapability=CAP_DAC_OVERRIDE CAP_IPC_OWNER": "--cap-add=CAP_DAC_OVERRIDE --cap-add=CAP_IPC_OWNER",
    "AddDevice=/dev/null:/dev/x:rw -/dev/not-there -/dev/zero":
        "--device=/dev/null:/dev/x:rw --device=/dev/zero",
    "AddHost=example.com:192.168.10.11": "--add-host=example.com:192.168.10.11",
    'Annotation="XYZ=a b" C=d': "'--annotation=XYZ=a b' --annotation=C=d",
    "AppArmor=alternate-profile": "--security-opt=apparmor=alternate-profile",
    "AutoUpdate=registry": "--label=io.containers.autoupdate=registry",
    "DNS=192.168.55.1\nDNS=192.168.55.2": "--dns=192.168.55.1 --dns=192.168.55.2",
    "DNS=192.168.55.1\nDNS=\nDNS=192.168.55.3": "--dns=192.168.55.3",
    "DNSOption=ndots:1": "--dns-option=ndots:1",
    "DNSSearch=example.com": "--dns-search=example.com",
    "DropCapability=all": "--cap-drop=all",
    "Entrypoint=/foo.sh": "--entrypoint=/foo.sh",
    "Entrypoint=": "--entrypoint=",
    "Environment=foo=bar \"x=a b\"": "--env=foo=bar '--env=x=a b'",
    "EnvironmentFile=env ../up %h/env ./%n/x /tmp/env":
        "--env-file={dir}/env --env-file={up}/up --env-file=%h/env --env-file={dir}/%n/x --env-file=/tmp/env",
    "EnvironmentHost=true": "--env-host",
    "GIDMap=0:10000:10": "--gidmap=0:10000:10",
    "GroupAdd=audio": "--group-add=audio",
    "HealthCmd=/usr/bin/command --x \"a b\"": "'--health-cmd=/usr/bin/command --x \"a b\"'",
    "HealthInterval=2m\nHealthOnFailure=kill\nHealthRetries=5":
        "--health-interval=2m --health-on-failure=kill --health-retries=5",
    "HealthStartPeriod=1m\nHealthTimeout=20s": "--health-start-period=1m --health-timeout=20s",
    "HealthStartupCmd=command\nHealthStartupInterval=1m\nHealthStartupRetries=8":
        "--health-startup-cmd=command --health-startup-interval=1m --health-startup-retries=8",
    "HealthStartupSuccess=2\nHealthStartupTimeout=1m33s":
        "--health-startup-success=2 --health-startup-timeout=1m33s",
    "HostName=example.com": "--hostname=example.com",
    "HttpProxy=false": "--http-proxy=false",
    "Label=\"XYZ=a b\"\nLabel=c=d": "'--label=XYZ=a b' --label=c=d",
    "LogDriver=k8s-file\nLogOpt=max-size=1m": "--log-driver=k8s-file --log-opt=max-size=1m",
    "Mask=/proc/sys/foo:/proc/sys/bar": "--security-opt=mask=/proc/sys/foo:/proc/sys/bar",
    "Memory=20g": "--memory=20g",
    "Mount=type=bind,source=./here,target=/x": "--mount=type=bind,source={dir}/here,target=/x",
    "Network=host": "--network=host",
    "Network=base.container": "--network=container:systemd-base",
    "Network=net.network\nNetwork=own.network:ip=10.9.0.9,alias=db":
        "--network=systemd-net --network=front:ip=10.9.0.9,alias=db",
    "Network=back": "--network=back",
    "NoNewPrivileges=true": "--security-opt=no-new-privileges",
    "NoNewPrivileges=false": "",
    "Notify=false": "",
    "PidsLimit=10000": "--pids-limit=10000",
    "PodmanArgs=--log-driver none": "--log-driver none",
    "PodmanArgs=--cpus 2 --umask=077": "--cpus 2 --umask=077",
    "Pull=never": "--pull=never",
    "ReadOnly=true\nReadOnlyTmpfs=yes": "--read-only --read-only-tmpfs",
    "RunInit=true": "--init",
    "SeccompProfile=/tmp/s.json": "--security-opt=seccomp=/tmp/s.json",
    "Secret=secret,type=env": "--secret=secret,type=env",
    "SecurityLabelDisable=true": "--security-opt=label=disable",
    "SecurityLabelType=spc_t\nSecurityLabelLevel=s0:c1,c2":
        "--security-opt=label=level:s0:c1,c2 --security-opt=label=type:spc_t",
    "ShmSize=100m": "--shm-size=100m",
    "StopSignal=SIGINT\nStopTimeout=20": "--stop-signal=SIGINT --stop-timeout=20",
    "SubGIDMap=gtest\nSubUIDMap=utest": "--subgidname=gtest --subuidname=utest",
    "Sysctl=net.a=1 net.b=2": "--sysctl=net.a=1 --sysctl=net.b=2",
    "Timezone=local": "--tz=local",
    "Tmpfs=/work:size=1m": "--tmpfs=/work:size=1m",
    "UIDMap=0:10000:10": "--uidmap=0:10000:10",
    "Ulimit=nofile=1000:10000": "--ulimit=nofile=1000:10000",
    "Unmask=ALL": "--security-opt=unmask=ALL",
    "PublishPort=8080:80": "--publish=8080:80",
    "User=bin": "--user=bin",
    "User=1000\nGroup=%i": "--user=1000:%i",
    "UserNS=auto": "--userns=auto",
    "Volume=/source:/dest:ro\nVolume=./x:/x\nVolume=name:/y\nVolume=/anonymous":
        "--volume=/source:/dest:ro --volume={dir}/x:/x --volume=name:/y --volume=/anonymous",
    "Volume=data.volume:/data": "--volume=systemd-data:/data",
    "Volume=each@.volume:/data": "--volume=systemd-each-%i:/data",
    "Mount=type=volume,source=named.volume,target=/n": "--mount=type=volume,source=own-name,target=/n",
    "WorkingDir=$HOME": "--workdir=$HOME",
}
# What is refused, and words of the message behind the line and the key.
REFUSED = {
    "Network=web.network": "there is no file web.network",
    "Network=-x": "invalid name of a network",
    "Volume=missing.volume:/x": "there is no file missing.volume",
    "ContainersConfModule=/etc/nvd.conf": "no modules",
    "Colour=red": "[Container] has no such key",
    "RunInit=perhaps": "expected true or false",
    "Exec=\"open": "a quote (\") is not closed",
    "LogDriver=splunk": "inro run has no --log-driver splunk",
    "PodmanArgs=--frobnicate": "inro run has no --frobnicate",
    "Group=5": "it needs User=",
    "ReloadCmd=true\nReloadSignal=HUP": "not together with ReloadSignal=",
    "ServiceName=../x": "can't name a service",
    "Pod=base.container": "there is no file base.container of a pod",
}


class Files:
    """A directory of units, and what the generator makes of it."""

    def __init__(self, who):
        self.who, self.dir = who, who.dir / "units"
        self.dir.mkdir()
        self.add("base.container", "[Container]\nImage=box\n")
        self.add("data.volume", "[Volume]\n")
        self.add("net.network", "[Network]\n")
        self.add("own.network", "[Network]\nNetworkName=front\n")
        self.add("each@.volume", "[Volume]\n")
        self.add("named.volume", "[Volume]\nVolumeName=own-name\n")

    def add(self, name, text):
        path = self.dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def generate(self, *args):
        return self.who.run(self.who.program("inro-generator"), "--no-kmsg-log", *args,
                            env={"QUADLET_UNIT_DIRS": str(self.dir)})

    def services(self):
        done = self.generate("--dryrun")
        parts = done.out.split("---")[1:]
        return dict(zip(parts[::2], parts[1::2])), done.err


@pytest.fixture
def files(anyone):
    yield Files(anyone)


def values(text, key):
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith(f"{key}=")]


def command(text, key="ExecStart"):
    line, = values(text, key)
    return shlex.split(line)


def test_keys(files):
    for i, lines in enumerate(KEYS):
        files.add(f"k{i}.container", f"[Container]\nImage=box\n{lines}\nExec=sleep '1 0'\n")
    services, err = files.services()
    assert not err
    for i, (lines, options) in enumerate(KEYS.items()):
        words = shlex.split(options.replace("{dir}", str(files.dir)).replace("{up}", str(files.dir.parent)))
        found = command(services[f"k{i}.service"])
        log = [] if "log-" in options else JOURNAL
        assert found[1:] == ["run", *RUN, *log, *HOW, *words, "box", "sleep", "1 0"], lines


def test_refused(files):
    for i, lines in enumerate(REFUSED):
        files.add(f"k{i}.container", f"[Container]\nImage=box\n{lines}\n")
    files.add("odd.network", "[Network]\nNetworkDeleteOnStop=perhaps\n")
    files.add("none.container", "[Service]\nRestart=no\n")
    files.add("both.container", "[Container]\nImage=x\nRootfs=y\n")
    files.add("user.container", "[Container]\nImage=x\n[Service]\nUser=me\n")
    files.add("broken.container", "Image=x\n")
    services, err = files.services()
    told = err.splitlines()
    for i, (lines, why) in enumerate(REFUSED.items()):
        key = lines.split("=", 1)[0]
        assert f"k{i}.service" not in services
        assert [t for t in told if f"{files.dir}/k{i}.container:3: {key}: " in t and why in t], (lines, err)
    assert f"{files.dir}/odd.network:2: NetworkDeleteOnStop: expected true or false" in err
    assert f"{files.dir}/none.container: it has no section [Container]" in err
    assert f"{files.dir}/both.container:3: Rootfs: one of Image= and Rootfs= is needed" in err
    assert "user.container:4: User: a container of another user's" in err
    assert "broken.container:1: a key before the first section" in err
    # The others are there all the same.
    assert set(services) == {"base.service", "data-volume.service", "each-volume@.service",
                             "named-volume.service", "net-network.service", "own-network.service"}
    assert files.generate("--dryrun").code == 1


def test_services(files):
    """Names, dependencies, volumes, images, drop-ins, templates, links."""
    files.add("app.container", "[Unit]\nAfter=base.container other.service\n[Container]\nImage=web.image\n"
              "Volume=data.volume:/d\nVolume=each@.volume:/e\nVolume=/srv/x y:/z\nReloadSignal=HUP\n"
              "[Service]\nRestart=always\n[Install]\nWantedBy=multi-user.target\nAlias=web.service\n")
    files.add("app.container.d/10-b.conf", "[Container]\nHostName=ten\n")
    files.add("container.d/10-b.conf", "[Container]\nHostName=all\n")
    files.add("container.d/20-c.conf", "[Service]\nTimeoutStartSec=900\n")
    files.add("web.image", "[Image]\nImage=example.com/box:1\nTLSVerify=false\nPolicy=missing\nRetry=3\n")
    files.add("disk.volume", "[Volume]\nDevice=/srv/disk\nType=none\nOptions=bind\nUser=5\nLabel=a=b\n"
              "ServiceName=the-disk\n")
    files.add("lan.network", "[Network]\nSubnet=10.9.0.0/24\nSubnet=fd00:9::/64\nGateway=10.9.0.9\n"
              "IPRange=10.9.0.128/25\nDriver=bridge\nInternal=true\nIPv6=true\nDNS=192.0.2.53\n"
              "DisableDNS=yes\nLabel=a=b c=d\nOptions=mtu=1400 isolate=true\nIPAMDriver=host-local\n"
              "InterfaceName=br9\nNetworkDeleteOnStop=true\nPodmanArgs=--ipv4=true\n")
    files.add("on.container", "[Container]\nImage=box\nNetwork=lan.network\n")
    files.add("says.container", "[Container]\nImage=box\nNotify=yes\n")
    files.add("well.container", "[Container]\nImage=box\nNotify=healthy\nHealthCmd=true\n")
    files.add("shop.pod", "[Pod]\nPodName=shop\nVolume=data.volume:/data\nShmSize=1m\nStopTimeout=3\n"
              "Network=lan.network\nNetworkAlias=desk\nPublishPort=8080:80\nPublishPort=53:53/udp\n"
              "[Install]\nWantedBy=multi-user.target\n")
    files.add("front.container", "[Container]\nImage=box\nPod=shop.pod\n")
    files.add("tool.container", "[Container]\nImage=box\nPod=shop.pod\nStartWithPod=no\n")
    files.add("blob.artifact", "[Artifact]\nArtifact=example.com/blob:1\nQuiet=true\n")
    files.add("job@.container", "[Container]\nImage=box\nExec=echo %i\n[Service]\nType=oneshot\n"
              "[Install]\nWantedBy=a.target\nDefaultInstance=7\n[Quadlet]\nDefaultDependencies=false\n")
    os.symlink("job@.container", files.dir / "job@9.container")
    files.add("job@9.container.d/x.conf", "[Container]\nExec=\nExec=echo nine\n")
    (files.dir / "gone.container").symlink_to("/dev/null")
    services, err = files.services()
    assert not err

    app = services["app.service"]
    assert values(app, "HostName") == ["all", "ten"] or values(app, "HostName") == ["ten"]
    assert "--hostname=ten" in command(app) and values(app, "TimeoutStartSec") == ["900"]
    assert command(app)[-1] == "example.com/box:1"
    assert set(values(app, "Requires")) == {"data-volume.service", "each-volume@%i.service",
                                            "web-image.service"}
    assert "base.service other.service" in values(app, "After")
    assert '"/srv/x y"' in values(app, "RequiresMountsFor")
    assert command(app, "ExecReload")[1:] == ["kill", "--signal=HUP", "systemd-%N"]
    assert command(app, "ExecStop")[1:] == ["stop", "--ignore", "systemd-%N"]
    assert command(app, "ExecStopPost")[1:] == ["rm", "-v", "-f", "-i", "systemd-%N"]
    for key, value in {"Type": "notify", "NotifyAccess": "all", "Delegate": "yes", "KillMode": "mixed",
                       "Restart": "always", "SyslogIdentifier": "%N",
                       "SourcePath": f"{files.dir}/app.container"}.items():
        assert values(app, key) == [value]
    assert "\n[X-Container]\n" in app and "\n[Install]\n" in app

    assert command(services["web-image.service"])[1:] == [
        "image", "pull", "--policy=missing", "--retry=3", "--tls-verify=false", "example.com/box:1"]
    assert command(services["the-disk.service"])[1:] == [
        "volume", "create", "--ignore", "--opt=type=none", "--opt=device=/srv/disk", "--opt=o=uid=5,bind",
        "--label=a=b", "systemd-disk"]
    assert values(services["the-disk.service"], "RemainAfterExit") == ["yes"]
    lan = services["lan-network.service"]
    assert command(lan)[1:] == [
        "network", "create", "--ignore", "--dns=192.0.2.53", "--disable-dns", "--driver=bridge",
        "--gateway=10.9.0.9", "--ipam-driver=host-local", "--ip-range=10.9.0.128/25", "--ipv6",
        "--interface-name=br9", "--internal", "--label=a=b", "--label=c=d", "--opt=mtu=1400",
        "--opt=isolate=true", "--subnet=10.9.0.0/24", "--subnet=fd00:9::/64", "--ipv4=true",
        "systemd-lan"]
    assert command(lan, "ExecStopPost")[1:] == ["network", "rm", "systemd-lan"]
    assert values(lan, "Type") == ["oneshot"] and values(lan, "RemainAfterExit") == ["yes"]
    assert values(services["on.service"], "Requires") == ["lan-network.service"]
    # and what it says is a network: the command line is taken as it stands
    files.who.inro(*command(lan)[1:]).ok()
    assert files.who.inro(*command(lan)[1:]).ok()
    files.who.inro(*command(lan, "ExecStopPost")[1:]).ok()
    assert command(services["blob-artifact.service"])[1:] == ["artifact", "pull", "--quiet",
                                                              "example.com/blob:1"]
    shop, front = services["shop-pod.service"], services["front.service"]
    assert command(shop)[1:] == ["pod", "create", "--replace", "--network-alias=desk",
                                 "--publish=8080:80", "--publish=53:53/udp", "--shm-size=1m",
                                 "--network=systemd-lan", "--volume=systemd-data:/data", "shop"]
    assert values(shop, "Wants")[-1] == "front.service" and "tool.service" in values(shop, "Before")
    assert values(shop, "Type") == ["oneshot"] and values(shop, "RemainAfterExit") == ["yes"]
    assert command(shop, "ExecStop")[1:] == ["pod", "stop", "--ignore", "--time=3", "shop"]
    assert command(shop, "ExecStopPost")[1:] == ["pod", "rm", "--ignore", "--force", "shop"]
    assert "--pod=shop" in command(front) and "--cgroups=no-conmon" in command(front)
    assert values(front, "BindsTo") == ["shop-pod.service"] and "shop-pod.service" in values(front, "After")
    assert "--sdnotify=container" in command(services["says.service"])
    assert "--sdnotify=healthy" in command(services["well.service"])
    job = services["job@.service"]
    assert "--sdnotify=conmon" not in command(job) and "-d" not in command(job)
    assert "network-online.target" not in job and command(job)[-2:] == ["echo", "%i"]
    assert command(services["job@9.service"])[-2:] == ["echo", "nine"]
    assert "gone.service" not in services

    out = files.who.dir / "out"
    out.mkdir()
    files.who.own(out)
    files.generate(out, out, out).ok()
    assert {str(p.relative_to(out)) for p in out.rglob("*") if not p.is_dir()} == {
        *services, "multi-user.target.wants/app.service", "multi-user.target.wants/shop-pod.service", "web.service", "a.target.wants/job@7.service",
        "a.target.wants/job@9.service"}
    assert os.readlink(out / "multi-user.target.wants/app.service") == "../app.service"
    assert os.readlink(out / "web.service") == "app.service"
    assert os.readlink(out / "a.target.wants/job@7.service") == "../job@.service"
    assert (out / "app.service").read_text().endswith(app.strip() + "\n")

    # Another name takes away nothing that has it.
    files.add("says.container", "[Container]\nImage=box\n[Install]\nAlias=well.service\n")
    files.add("well.container", "[Container]\nImage=box\n[Install]\nAlias=well.service\n")
    err = files.generate(out, out, out).err
    for name in ("says", "well"):
        assert f"Alias=well.service of {name}.service: there is a service of that name" in err
    assert not (out / "well.service").is_symlink() and "box" in (out / "well.service").read_text()


def test_options(files):
    program = files.who.program("inro-generator")
    assert files.generate("-version").ok().out.strip() == files.generate("--version").ok().out.strip()
    assert "usage: inro-generator" in files.generate("--help").ok().out
    files.generate().fails("expected the directory", code=1)
    files.generate("--frobnicate").fails("frobnicate", code=1)
    # The name that systemd calls it by tells whose services these are.
    link = files.who.dir / "inro-user-generator"
    link.symlink_to(program)
    env = {"QUADLET_UNIT_DIRS": str(files.dir)}
    assert "network-online" in files.generate("--dryrun").out
    assert "network-online" not in files.generate("--user", "--dryrun").out
    assert "network-online" not in files.who.run(link, "--dryrun", env=env).ok().out


# --- with a real systemd ---

WEB = """
[Unit]
DefaultDependencies=no
[Container]
Image=box
ContainerName=web
GlobalArgs=--root {root}
Volume=data.volume:/data
Exec=sh -c "trap 'exit 3' TERM; echo up >>/data/log; while :; do sleep 0.05; done"
Environment="TEXT=two words"
PodmanArgs=--network none
[Service]
Restart=on-failure
RestartSec=20ms
[Quadlet]
DefaultDependencies=no
"""
DATA = """
[Unit]
DefaultDependencies=no
[Volume]
VolumeName=data
GlobalArgs=--root {root}
[Quadlet]
DefaultDependencies=no
"""


@pytest.fixture(scope="module")
def host():
    made = systemdmachine.Machine("unified")
    yield made
    made.stop()


@pytest.fixture
def machine(host):
    yield host
    host.tidy()


def install(machine, who):
    """The generators and inro where they are installed, from the build of this user."""
    machine.run("sh", "-ec", f"""
        mkdir -p /etc/systemd/system-generators /etc/systemd/user-generators /usr/local/bin
        for whose in system user; do
            ln -sfn {who.program("inro-generator")} /etc/systemd/$whose-generators/inro-$whose-generator
        done
        ln -sfn {who.program("inro")} /usr/local/bin/inro""").ok()


POD = """
[Unit]
DefaultDependencies=no
[Pod]
PodName=shop
Network=none
GlobalArgs=--root {root}
[Quadlet]
DefaultDependencies=no
"""


def write_units(directory, root, **units):
    for name, text in units.items():
        (directory / name.replace("_", ".")).write_text(text.format(root=root))


@pytest.fixture
def manager(machine, user):
    """A user's instance of systemd with services of their own, and a way to speak to it."""
    home = user.dir / "home"
    (home / ".config/systemd/user").mkdir(parents=True)
    (home / ".config/systemd/user/inro.target").write_text("[Unit]\nDefaultDependencies=no\n")
    units = home / ".config/containers/systemd"
    units.mkdir(parents=True)
    # two containers of a pod
    write_units(units, user.state / "inro", web_container=WEB.replace("--network none", "").replace(
        "Image=box", "Image=box\nPod=shop.pod"), data_volume=DATA, shop_pod=POD)
    for path in home.parent.glob("home/**/*"):
        user.own(path)
    for path in (home, *home.glob(".config"), *home.glob(".config/**/*")):
        user.own(path)
    install(machine, user)
    env = [f"XDG_RUNTIME_DIR={user.run_dir}", f"HOME={home}", f"TMPDIR={user.dir}"]
    machine.run("systemd-run", "--unit=manager", f"--uid={user.uid}", "-p", "Delegate=yes", "-p",
                "DefaultDependencies=no", *(f"--setenv={word}" for word in env), "/lib/systemd/systemd",
                "--user", "--unit=inro.target").ok()
    harness.wait_for((user.run_dir / "systemd/private").exists, 20, "the user's instance")
    yield lambda *argv: machine.run("setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups",
                                    "env", *env, *argv)
    for verb in ("kill --signal=KILL", "stop", "reset-failed"):
        machine.run("systemctl", *verb.split(), "manager.service")


def test_systemd_of_a_user(user, machine, manager):
    """The monitor is the main process there, too, though a user says so; and a pod, with its containers."""
    engine.box(user)

    def show():
        lines = manager("systemctl", "--user", "show", "web.service").ok().out.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def pods():
        return manager(user.program("inro"), "--root", user.state / "inro", "pod", "ps", "--format",
                       "{{.Name}} {{.NumberOfContainers}}").ok().out

    manager("systemctl", "--user", "start", "shop-pod.service").ok()
    harness.wait_for(lambda: show()["SubState"] == "running", 20, "the container of the pod")
    assert pods() == "shop 1\n"
    old = show()["MainPID"]
    assert machine.run("cat", f"/proc/{old}/comm").out == "inro-monitor\n"
    machine.run("kill", "-KILL", old).ok()
    harness.wait_for(lambda: show()["MainPID"] not in ("0", old) and show()["SubState"] == "running", 20,
                     "a restart")
    manager("systemctl", "--user", "stop", "shop-pod.service").ok()
    unit = show()
    assert (unit["ActiveState"], unit["Result"]) == ("inactive", "success")
    assert pods() == ""


def test_systemd(root, machine):
    """From the file to the running container, and through its ends."""
    engine.box(root)
    state = root.state / "inro"
    write_units(root.dir, state, web_container=WEB, data_volume=DATA)
    install(machine, root)
    machine.run("sh", "-ec", "mkdir -p /etc/inro/systemd; cp \"$@\" /etc/inro/systemd/", "sh",
                root.dir / "web.container", root.dir / "data.volume").ok()
    machine.run("systemctl", "daemon-reload").ok()
    done = machine.run("systemd-analyze", "verify", "/run/systemd/generator/web.service")
    assert "Unknown" not in done.err and "Invalid" not in done.err and "Failed" not in done.err, done

    def inro(*args):
        return machine.run(root.program("inro"), "--root", state, *args)

    def inspect(field):
        return inro("inspect", "--format", "{{" + field + "}}", "web").ok().out.strip()

    machine.run("systemctl", "start", "web.service").ok()
    unit = machine.show("web.service")
    assert (unit["ActiveState"], unit["SubState"]) == ("active", "running")
    # The monitor is the service's main process, and all is below its cgroup.
    tree = machine.run("sh", "-c", "cd /sys/fs/cgroup/system.slice/web.service; ls; "
                       f"cat supervisor/cgroup.procs; cat {inspect('.Id')}/cgroup.procs").ok().out.split()
    assert "supervisor" in tree and unit["MainPID"] in tree and inspect(".State.Pid") in tree
    assert inspect("json .Config.Env").count('"TEXT=two words"') == 1
    assert inspect('index .Config.Labels "PODMAN_SYSTEMD_UNIT"') == "web.service"

    # What kills the container, or its monitor, is a failure: it is started again.
    for victim in ("container", "monitor"):
        old = inspect(".Id")
        pid = inspect(".State.Pid") if victim == "container" else unit["MainPID"]
        machine.run("kill", "-KILL", pid).ok()
        harness.wait_for(lambda before=old: inro("inspect", "--format", "{{.Id}}", "web").out.strip()
                         not in ("", before) and machine.show("web.service")["SubState"] == "running",
                         20, "a restart")
        unit = machine.show("web.service")
    assert int(unit["NRestarts"]) == 2

    # Whoever wants the end gets one without failure and without leftovers.
    machine.run("systemctl", "stop", "web.service").ok()
    unit = machine.show("web.service")
    assert (unit["ActiveState"], unit["Result"]) == ("inactive", "success")
    assert not inro("ps", "-aq").ok().out
    assert inro("volume", "ls", "-q").ok().out == "data\n"
    log = state / "volumes/data/_data/log"
    assert pathlib.Path(log).read_text() == "up\n" * 3
    assert not machine.run("sh", "-c", "ls /sys/fs/cgroup/system.slice | grep web").out
    inro("volume", "rm", "data").ok()

    # The other way: a service made of a container that is there.
    inro("create", "--name", "old", "box", "sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done").ok()
    for new in ((), ("--new",)):
        text = inro("generate", "systemd", "--name", *new, "old").ok().out
        text = text.replace("[Unit]", "[Unit]\nDefaultDependencies=no").replace("network-online.target", "")
        path = root.dir / "container-old.service"
        path.write_text(text)
        machine.run("sh", "-ec", f"cp {path} /run/systemd/system/; systemctl daemon-reload; "
                    "systemctl start container-old").ok()
        unit = machine.show("container-old.service")
        assert (unit["ActiveState"], unit["SubState"]) == ("active", "running")
        assert machine.run("cat", f"/proc/{unit['MainPID']}/comm").out == "inro-monitor\n"
        assert inro("inspect", "--format", "{{.State.Status}}", "old").ok().out == "running\n"
        machine.run("systemctl", "stop", "container-old").ok()
        unit = machine.show("container-old.service")
        assert (unit["ActiveState"], unit["Result"]) == ("inactive", "success")
        assert inro("ps", "-a", "--format", "{{.Names}} {{.State}}").ok().out == (
            "" if new else "old exited\n")
