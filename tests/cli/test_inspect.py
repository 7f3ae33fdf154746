# SPDX-License-Identifier: Apache-2.0
"""inro inspect: what a container was asked to be, in docker's members."""

import json

import engine

TURNS = True

CHANGES = ('CMD ["image-command"]', 'ENTRYPOINT ["/bin/sh", "-c"]', "EXPOSE 80/tcp",
           "LABEL of=image", "USER 1000", "STOPSIGNAL SIGUSR1")


def inspect(who, name, *options):
    return json.loads(who.inro("inspect", *options, name).ok().out)[0]


def members(have, want, where=""):
    """What of want is otherwise in have."""
    return [f"{where}{key}: {have.get(key)!r}, not {value!r}"
            for key, value in want.items() if not isinstance(value, dict) and have.get(key) != value
            ] + [line for key, value in want.items() if isinstance(value, dict)
                 for line in members(have.get(key) or {}, value, f"{where}{key}.")]


def test_what_nobody_asked_for(anyone):
    """Every member of docker's is there, with the value that it has for `docker create IMAGE`."""
    engine.box(anyone, "box", *CHANGES)
    cid = anyone.inro("create", "--name", "plain", "box").ok().out.strip()
    have = inspect(anyone, "plain", "--size")
    assert members(have, {
        "Id": cid, "Name": "/plain", "Path": "/bin/sh", "Args": ["-c", "image-command"],
        "RestartCount": 0, "Driver": "overlay2", "Platform": "linux", "MountLabel": "",
        "ProcessLabel": "", "AppArmorProfile": "", "ExecIDs": [], "Mounts": [], "SizeRw": 0,
        "State": {"Status": "created", "Running": False, "Pid": 0, "ExitCode": 0, "Error": "",
                  "StartedAt": "0001-01-01T00:00:00Z"},
        "Config": {"Hostname": cid[:12], "Domainname": "", "User": "1000", "Tty": False,
                   "AttachStdin": False, "AttachStdout": True, "OpenStdin": False,
                   "StdinOnce": False, "Cmd": ["image-command"], "Image": "box",
                   "Entrypoint": ["/bin/sh", "-c"], "Labels": {"of": "image"},
                   "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGUSR1", "Volumes": {},
                   "WorkingDir": "/"},
        "HostConfig": {
            "Binds": [], "ContainerIDFile": "", "NetworkMode": "none", "PortBindings": {},
            "AutoRemove": False, "VolumeDriver": "", "VolumesFrom": [], "CapAdd": [],
            "CapDrop": [], "CgroupnsMode": "private", "Dns": [], "DnsOptions": [],
            "DnsSearch": [], "ExtraHosts": [], "GroupAdd": [], "IpcMode": "private",
            "Cgroup": "", "Links": [], "OomScoreAdj": 0, "PidMode": "", "Privileged": False,
            "PublishAllPorts": False, "ReadonlyRootfs": False, "SecurityOpt": [],
            "UTSMode": "", "UsernsMode": "", "ShmSize": 67108864, "ConsoleSize": [0, 0],
            "Isolation": "", "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "",
            "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": [],
            "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0,
            "CpusetCpus": "", "CpusetMems": "", "Devices": [], "DeviceCgroupRules": [],
            "DeviceRequests": [], "MemoryReservation": 0, "MemorySwap": 0,
            "MemorySwappiness": None, "OomKillDisable": False, "PidsLimit": None, "Ulimits": [],
            "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
        "NetworkSettings": {"Ports": {}, "IPAddress": "", "Gateway": "", "MacAddress": "",
                            "Networks": {"none": {"IPAddress": "", "IPPrefixLen": 0}}},
    }) == []
    bundle = have["Bundle"]
    assert [have[f"{name}Path"] for name in ("ResolvConf", "Hostname", "Hosts")] \
        == [f"{bundle}/{name}" for name in ("resolv.conf", "hostname", "hosts")]
    assert "/proc/kcore" in have["HostConfig"]["MaskedPaths"]
    assert "/proc/sys" in have["HostConfig"]["ReadonlyPaths"]
    assert have["GraphDriver"]["Data"]["UpperDir"] == f"{bundle}/upper"
    layer = have["GraphDriver"]["Data"]["LowerDir"]
    assert layer == f"{anyone.state}/inro/layers/{layer[-64:]}"
    assert have["SizeRootFs"] > 100000
    assert "SizeRw" not in inspect(anyone, "plain")


def test_what_was_asked_for(anyone):
    engine.box(anyone, "box", *CHANGES)
    (anyone.dir / "variables").write_text("FROM=file\n")
    (anyone.dir / "labels").write_text("k=file\nl=file\n")
    anyone.inro("create", "--name", "base", "box").ok()
    base = inspect(anyone, "base")["Id"]
    options = (
        "-it --rm --hostname web1 --domainname example -e A=1 -e B --env-file variables "
        "--label-file labels --label l=line --workdir /srv --user nobody --entrypoint sleep "
        "--stop-signal TERM --stop-timeout 7 --memory 64m --memory-reservation 32m --cpus 1.5 "
        "--cpu-shares 512 --cpuset-cpus 0 --pids-limit 50 --ulimit nofile=64:128 "
        "--ulimit core=-1 --cap-add net_admin --cap-add ALL --cap-drop MKNOD --read-only "
        "--security-opt no-new-privileges --tmpfs /scratch:size=1m --add-host db:10.0.0.1 "
        "--dns 10.0.0.2 --dns-search example --dns-option ndots:1 --shm-size 1m "
        "--sysctl net.ipv4.ip_forward=1 --oom-score-adj 500 --group-add staff "
        "--annotation note=this --log-opt max-size=1m --pid container:base --init "
        "-v ./data:/data:ro -v named:/named -v /anonymous "
        "--mount type=bind,source=.,target=/here,readonly --tz UTC --umask 027 "
        "--health-cmd true --health-interval 1m --cidfile cid --volumes-from base:ro").split()
    anyone.inro("create", "--name", "web", *options, "box", "5", cwd=anyone.dir,
                env={"B": "mine"}).ok()
    have = inspect(anyone, "web")
    assert members(have, {
        "Path": "sleep", "Args": ["5"], "Dependencies": [base],
        "Config": {"Hostname": "web1", "Domainname": "example", "User": "nobody", "Tty": True,
                   "OpenStdin": True, "AttachStdin": True, "StdinOnce": True,
                   "Entrypoint": ["sleep"], "Cmd": ["5"], "WorkingDir": "/srv",
                   "Labels": {"of": "image", "k": "file", "l": "line"},
                   "StopSignal": "TERM", "StopTimeout": 7, "Volumes": {"/anonymous": {}},
                   "Annotations": {"note": "this"}, "Timezone": "UTC", "Umask": "027",
                   "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 60000000000}},
        "HostConfig": {
            "Binds": [f"{anyone.dir}/data:/data:ro", "named:/named"],
            "ContainerIDFile": f"{anyone.dir}/cid", "AutoRemove": True, "CapAdd":
            ["CAP_NET_ADMIN", "ALL"], "CapDrop": ["CAP_MKNOD"], "PidMode": f"container:{base}",
            "ReadonlyRootfs": True, "SecurityOpt": ["no-new-privileges"],
            "Tmpfs": {"/scratch": "size=1m"}, "ExtraHosts": ["db:10.0.0.1"],
            "Dns": ["10.0.0.2"], "DnsSearch": ["example"], "DnsOptions": ["ndots:1"],
            "ShmSize": 1048576, "Sysctls": {"net.ipv4.ip_forward": "1"}, "OomScoreAdj": 500,
            "GroupAdd": ["staff"], "Annotations": {"note": "this"}, "Init": True,
            "Memory": 67108864, "MemoryReservation": 33554432, "NanoCpus": 1500000000,
            "CpuShares": 512, "CpuQuota": 0, "CpusetCpus": "0", "PidsLimit": 50,
            "VolumesFrom": ["base:ro"],
            "Ulimits": [{"Name": "nofile", "Hard": 128, "Soft": 64},
                        {"Name": "core", "Hard": -1, "Soft": -1}],
            "Mounts": [{"Type": "bind", "Source": str(anyone.dir), "Target": "/here",
                        "ReadOnly": True}],
            "LogConfig": {"Type": "k8s-file",
                          "Config": {"max-file": "3", "max-size": "1048576"}}},
    }) == []
    assert {"A=1", "B=mine", "FROM=file"} <= set(have["Config"]["Env"])

    # what is changed later is what it is asked to be
    anyone.inro("update", "--memory", "128m", "--memory-swap", "-1", "--cpu-quota", "50000",
                "--pids-limit", "-1", "-e", "C=3", "--unsetenv", "A", "--mount-rm", "/here",
                "--mount-add", "./more:/more", "web", cwd=anyone.dir).fails("more")
    assert inspect(anyone, "web")["HostConfig"]["Memory"] == 67108864
    (anyone.dir / "more").mkdir()
    anyone.inro("update", "--memory", "128m", "--memory-swap", "-1", "--cpu-quota", "50000",
                "--pids-limit", "-1", "-e", "C=3", "--unsetenv", "A", "--mount-rm", "/here",
                "--mount-add", "./more:/more", "web", cwd=anyone.dir).ok()
    have = inspect(anyone, "web")
    assert members(have["HostConfig"], {
        "Memory": 134217728, "MemorySwap": -1, "NanoCpus": 0, "CpuQuota": 50000, "PidsLimit": -1,
        "Binds": [f"{anyone.dir}/data:/data:ro", "named:/named", f"{anyone.dir}/more:/more"],
    }) == []
    assert "Mounts" not in have["HostConfig"]
    assert "C=3" in have["Config"]["Env"] and "A=1" not in have["Config"]["Env"]


def test_templates_for_docker(anyone):
    """Lines that scripts have."""
    engine.box(anyone, "box")
    anyone.inro("run", "-d", "--name", "web", "-v", "data:/data", "--restart", "always", "box",
                "sleep", "1000").ok()

    def show(template):
        return anyone.inro("inspect", "-f", template, "web").ok().out.strip()
    assert show("{{range .NetworkSettings.Networks}}[{{.IPAddress}}]{{end}}") == "[]"
    assert show("{{.NetworkSettings.IPAddress}}") == ""
    assert show("{{.NetworkSettings.SandboxKey}}") == f"/proc/{show('{{.State.Pid}}')}/ns/net"
    assert show("{{range $p, $c := .NetworkSettings.Ports}}{{$p}}{{end}}") == ""
    assert show("{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.NetworkMode}}") == "always none"
    assert show("{{index .HostConfig.Binds 0}} {{len .ExecIDs}}") == "data:/data 0"
    assert show("{{json .Config.Cmd}} {{.Path}} {{join .Args \" \"}}") == '["sleep","1000"] sleep 1000'
    assert show('{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}') == "data"
    anyone.inro("rm", "-f", "web").ok()


def test_types_with_commands_of_their_own(anyone):
    anyone.inro("secret", "create", "db", "-", input="hunter2").ok()
    (anyone.dir / "file").write_text("x")
    anyone.inro("artifact", "add", "made.test/art:1", anyone.dir / "file").ok()
    (secret,) = json.loads(anyone.inro("inspect", "--type", "secret", "db").ok().out)
    assert secret["Spec"]["Name"] == "db" and "hunter2" not in json.dumps(secret)
    (artifact,) = json.loads(anyone.inro("inspect", "--type", "artifact", "made.test/art:1").ok().out)
    assert artifact == json.loads(anyone.inro("artifact", "inspect", "made.test/art:1").ok().out)
    anyone.inro("inspect", "--type", "secret", "none").fails('no secret with name or id "none"', code=1)
    anyone.inro("inspect", "--type", "network", "host").fails("network host not found", code=1)
    anyone.inro("image", "trust", "show", "--policypath", "x").fails("image.policy", code=125)
    anyone.inro("create", "--name", "web", engine.box(anyone), "true").ok()
    for value in (1 << 64) - 1, 1 << 31:
        anyone.inro("generate", "systemd", "--stop-timeout", value, "web").fails(
            f"{value} seconds", code=125)
