# SPDX-License-Identifier: Apache-2.0
"""Lines as people know them from docker and podman, with inro in their place."""

import pathlib
import re

import pytest

import engine

TURNS = True

# what is typed, its exit status, and what the output is like
LINES = [
    ("docker run --cidfile /cid box echo test && cat /cid", 0, r"test\n[0-9a-f]{64}"),
    ("docker run --rm -a stderr box sh -c 'echo out; echo err >&2'", 0, r"err\n"),
    ("docker run --rm -a stdout box sh -c 'echo out; echo err >&2'", 0, r"out\n"),
    ("docker run --rm -a stdfoo box true", 125, r".*STDIN, STDOUT and STDERR.*"),
    ("ENVA=1 ENVB=2 podman run --rm --env 'ENV*' box env | grep ENV | sort", 0,
     r"ENVA=1\nENVB=2\n"),
    ("podman run --foo box", 125, r".*unknown flag: --foo.*"),
    ("podman run --rm box /etc", 126, r".*permission denied.*"),
    ("podman run --rm box no-such-command", 127, r".*not found.*"),
    ("docker run --rm --security-opt label=level:s0:c100,c200 box echo yes", 0, r"yes\n"),
    ("docker run --rm --add-host db=[2001:db8::33] box tail -n 1 /etc/hosts", 0,
     r"2001:db8::33\tdb\n"),
    ("docker run --rm --add-host db:no-address box true", 125, r".*invalid IP address.*"),
    ("docker run --rm --add-host h=host-gateway box true", 125, r".*--network host.*"),
    ("docker run -d --rm --network none -p 8080:80 box true", 0,
     r"\w{64}\n.*Port mappings have been discarded.*"),
    ("podman run --rm --systemd=false --disable-content-trust=true box echo yes", 0, r"yes\n"),
    ("podman run docker-daemon:box", 125, r".*docker-daemon.*"),
    ("podman ps --sync -q --filter name=web", 0, r"\w{12}\n"),
    ("podman volume create --uid 1000 v", 125, r".*--uid is not supported.*"),
    ("docker run --storage-opt size=1G box", 125, r".*--storage-opt is not supported.*"),
    ("podman run --tls-verify=false box", 125, r".*inro pull.*"),
    ("podman save --quiet --format docker-archive -o /a.tar box && "
     "podman run --rm docker-archive:/a.tar echo from", 0, r"from\n"),
    ("docker run --rm -i box echo foo bar | docker run --rm -i box cat", 0, r"foo bar\n"),
    ("docker inspect -f '{{json .Config.ExposedPorts}}' web", 0,
     r'{"80/tcp":{},"90/udp":{},"91/udp":{}}\n'),
    ("docker inspect --format='{{range $p, $c := .NetworkSettings.Ports}}{{$p}}{{end}}' web", 0,
     r"\n"),
    ("docker inspect --size web -f '{{ .SizeRw }}'", 0, r"\d+\n"),
    ("docker container inspect web --format '{{.State.OOMKilled}} {{.Driver}}'", 0,
     r"false overlay2\n"),
    ("docker commit -q --pause=false -c 'EXPOSE 80' -c 'EXPOSE 80 81' web made:1 && "
     "docker inspect -f '{{json .Config.ExposedPorts}}' made:1", 0,
     r'sha256:\w+\n{"80/tcp":{},"81/tcp":{},"90/udp":{},"91/udp":{}}\n'),
    ("podman exec --cidfile /web.cid sh -c 'exit 3'", 3, r""),
    ("docker exec -e A=1 -w /tmp web sh -c 'echo $A; pwd'", 0, r"1\n/tmp\n"),
    ("docker ps --filter 'label=app=frontend' --format 'table {{.Names}}\\t{{.Labels}}'", 0,
     r"NAMES +LABELS\nweb +app=frontend\n"),
    ("docker port web 80/tcp", 125, r".*No public port '80/tcp' published for web.*"),
    ("podman port -a && podman port -l", 0, r""),
    ("docker events --since 1h --until 0s --filter container=web --filter event=create "
     "--format '{{.Type}} {{.Status}}'", 0, r"container create\n"),
    ("echo data | docker secret create --label env=dev first - >/dev/null && "
     "docker secret ls --filter name=fir --filter label=env --format '{{.Name}}'", 0, r"first\n"),
    ("podman secret ls -f name=confidential -q", 0, r""),
    ("docker secret inspect --pretty first", 0, r"ID:.*\nName: +first\nLabels:\n - env=dev\n"
     r"Driver: +file\nCreated at:.*\nUpdated at:.*\n"),
    ("podman secret create --driver=pass other /web.cid", 125, r".*expected.*file.*"),
    ("docker rename web site && docker rename site web", 0, r""),
    ("podman kill --signal KILL -a >/dev/null; docker wait web", 0, r"137\n"),
    ("podman attach --latest", 125, r".*is not running.*|.*cannot attach.*"),
    ("podman rm --filter name=web", 0, r"[0-9a-f]{64}\n"),
    ("docker rm $(docker ps -aq)", 0, r"(\w+\n)+"),
]


# The same of networks and ports: what podman-network-*(1), podman-port(1), podman-run(1), podman-pod-create(1)
# and docker's reference have for examples. podman's network "podman" is "bridge" here; create prints docker's id.
ID = r"[0-9a-f]{64}\n"
NETWORK_LINES = [
    ("podman network create newnet", 0, ID),
    ("podman network create newnet", 125, r".*already exists.*"),
    ("podman network create --ignore newnet", 0, ID),
    ("podman network create --ipv6 newnetv6", 0, ID),
    ("podman network create --subnet 192.5.0.0/16 n3", 0, ID),
    ("podman network create --subnet 192.168.55.0/24 --gateway 192.168.55.3 --subnet fd52:2a5a:747e:3acd::/64 "
     "--gateway fd52:2a5a:747e:3acd::10 n5", 0, ID),
    ("podman network create --opt mtu=9000 --opt isolate=true --disable-dns --label a=b n6", 0, ID),
    ("podman network create --internal --ipam-driver host-local --interface-name br9 n7", 0, ID),
    # docker's default route is the first network's, podman's --route has no peer
    ("podman network create --route 10.1.0.0/24,192.168.33.10 n8", 125, r".*--route is not supported.*"),
    ("podman network create --ipam-driver dhcp n8", 125, r".*no DHCP client.*"),
    ("docker network create -d bridge --subnet=172.28.0.0/16 --ip-range=172.28.5.0/24 --gateway=172.28.5.254 br0",
     0, ID),
    ("docker network create -d overlay ov", 125, r".*could not find network driver overlay.*"),
    ("docker network create --config-only co", 125, r".*--config-only is not supported.*"),
    ("podman network ls --noheading --filter name=newnet --format '{{.Name}} {{.Driver}}'", 0,
     r"newnet bridge\nnewnetv6 bridge\n"),
    ("podman network ls -q --filter label=a=b --filter driver=bridge", 0, r"\w{12}\n"),
    ("docker network ls --filter dangling=false --format '{{.Name}}: {{.Driver}}'", 0, r"bridge: bridge\n"),
    ("podman network exists newnet && podman network exists podman", 0, r""),
    ("podman network exists nothing", 1, r""),
    ("podman network inspect podman --format '{{.Name}} {{.Driver}} {{.IPv6Enabled}}'", 0, r"bridge bridge true\n"),
    ("podman network inspect --format '{{.NetworkInterface}} {{.DNSEnabled}} {{.Internal}}' n7", 0,
     r"br9 true true\n"),
    ("podman network inspect --format '{{range .Subnets}}{{.Subnet}} {{.Gateway}};{{end}}' n5", 0,
     r"192.168.55.0/24 192.168.55.3;fd52:2a5a:747e:3acd::/64 fd52:2a5a:747e:3acd::10;\n"),
    ("docker network inspect --format='{{range .IPAM.Config}}{{.IPRange}}{{end}}' br0", 0, r"172.28.5.0/24\n"),
    ("podman network connect --alias web1 --alias web2 newnet web", 0, r""),
    ("docker inspect -f '{{json (index .NetworkSettings.Networks \"newnet\").Aliases}}' web", 0,
     r'\["web1","web2"\]\n'),
    ("podman network connect newnet web", 125, r".*already connected.*"),
    ("docker network inspect -f '{{range .Containers}}{{.Name}}{{end}}' newnet", 0, r"web\n"),
    ("docker network rm newnet", 1, r".*in use: it has endpoints of.*"),
    ("podman network disconnect newnet web && podman network disconnect -f newnet web", 0, r""),
    ("podman network reload web; podman network reload --all", 0, ID + ID),
    ("podman network update n5 --dns-add 8.8.8.8,1.1.1.1 && podman network update n5 --dns-drop 1.1.1.1", 0,
     r"n5\nn5\n"),
    ("podman port web", 0, r"80/tcp -> 0.0.0.0:8081\n80/tcp -> \[::\]:8081\n"),
    ("podman port web 80/tcp; podman port -l 80", 0, r"(0.0.0.0:8081\n\[::\]:8081\n){2}"),
    ("podman port --all", 0, r"(\w{12}\t80/tcp -> \S+:8081\n){2}"),
    ("docker port web 7890/tcp", 125, r".*No public port '7890/tcp' published for web.*"),
    ("docker inspect --format='{{(index (index .NetworkSettings.Ports \"80/tcp\") 0).HostPort}}' web", 0, r"8081\n"),
    ("docker inspect --format='{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web", 0, r"10\.[\d.]+\n"),
    ("docker run --rm -p 8081:80 box true", 125, r".*port is already allocated.*"),
    ("docker run --rm -p 127.0.0.1::80 -p 9090-9092:90-92/udp -P box true", 0, r""),
    ("docker ps --filter network=bridge --filter publish=8081 --format '{{.Names}} {{.Ports}} {{.Networks}}'", 0,
     r"web 0.0.0.0:8081->80/tcp, \[::\]:8081->80/tcp bridge\n"),
    ("podman ps -q --filter network=podman", 0, r"\w{12}\n"),
    ("docker run --rm --network br0 --ip 172.28.0.9 box ip -4 addr show eth0 | grep -o 'inet [^ ]*'", 0,
     r"inet 172.28.0.9/16\n"),
    ("podman run --rm --network newnet:ip=192.9.9.9 box true", 125, r".*192.9.9.9.*subnet.*"),
    ("podman run --rm --network n5:ip=192.168.55.44,mac=44:33:22:11:00:99 --network n3:interface_name=wan box ip addr "
     "| grep -o '44:33:22:11:00:99\\|192.168.55.44/24\\|wan@' | sort -u", 0,
     r"192.168.55.44/24\n44:33:22:11:00:99\nwan@\n"),
    ("podman run --rm --network n5,n3 box true", 125, r".*several networks take one --network each.*"),
    ("podman run --rm --network slirp4netns:port_handler=slirp4netns box true", 125, r".*slirp4netns.*"),
    ("podman run --rm --network slirp4netns box true", 125, r".*leave --network out.*"),
    ("podman run --rm --network container:web box ip -4 -o addr show eth0 | wc -l", 0, r"1\n"),
    ("podman run --rm --network none box ip -o link | wc -l", 0, r"1\n"),
    ("podman run --rm --dns 1.1.1.1 --dns-search example.com --dns-option debug --network none box "
     "cat /etc/resolv.conf", 0, r"nameserver 1.1.1.1\nsearch example.com\noptions debug\n"),
    ("podman run --rm --add-host 'h1;h2:10.0.0.1' box tail -n 20 /etc/hosts | grep 10.0.0.1", 0, r"10.0.0.1\th1 h2\n"),
    ("podman pod create --name po --network n5 --ip 192.168.55.77 --publish 8443:443", 0, ID),
    ("podman pod create -p 8443:443 --network none", 125, r".*--network none.*"),
    ("podman pod rm po", 0, ID),
    ("podman events --since 1h --until 0s --filter type=network --filter event=connect --format "
     "'{{.Type}} {{.Action}}'", 0, r"network connect\n"),
    ("podman network rm nothing", 1, r".*not found.*"),
    ("podman network rm --force n3 br0", 0, r"n3\nbr0\n"),
    ("podman network prune -f", 0, r"Deleted Networks:\nn5\nn6\nn7\nnewnet\nnewnetv6\n\n"),
]


def put_tools(anyone):
    tools = anyone.dir / "bin"
    tools.mkdir()
    words = " ".join(f"'{word}'" for word in anyone.inro_argv())
    for name in "docker", "podman":
        (tools / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (tools / name).chmod(0o755)


@pytest.fixture
def desk(anyone):
    """Where docker and podman are found, and a container runs."""
    put_tools(anyone)
    engine.box(anyone, "box", "EXPOSE 80", 'CMD ["sleep", "1000"]')
    anyone.inro("run", "-d", "--name", "web", "--label", "app=frontend", "--expose", "90-91/udp",
                "--cidfile", anyone.dir / "web.cid", "box").ok()
    yield anyone
    anyone.inro("rm", "-fa").ok()


def type_all(who, lines):
    wrong = []
    for line, code, like in lines:
        typed = re.sub(r"(?<![\w.:])/(\w+\.cid|cid|a\.tar)", rf"{who.dir}/\1",
                       line.replace("docker-archive:/", f"docker-archive:{who.dir}/"))
        r = who.run("sh", "-c", f"PATH={who.dir}/bin:$PATH; {typed}")
        if r.code != code or not re.fullmatch(like, r.out + r.err, re.S):
            wrong.append(f"{line}\n  {r.code}: {r.out!r} {r.err!r}")
    assert not wrong, "\n".join(wrong)


def test_lines(desk):
    type_all(desk, LINES)


def test_network_lines(machine):
    who = machine.who
    who.env["INRO_CONFIG"] = ""  # as it is installed
    put_tools(who)
    engine.box(who, "box", "EXPOSE 80", 'CMD ["sleep", "1000"]')
    who.inro("run", "-d", "--name", "web", "-p", "8081:80", "box").ok()
    type_all(who, NETWORK_LINES)


DOCKER = """attach build builder buildx checkpoint commit compose config container context cp create
diff events exec export history image images import info inspect kill load login logout logs manifest
network node pause plugin port ps pull push rename restart rm rmi run save search secret service
stack start stats stop swarm system tag top trust unpause update version volume wait"""
PODMAN = """attach auto-update build commit compose container cp create diff events exec export farm
generate healthcheck history image images import info init inspect kill kube load login logout logs
machine manifest mount network pause pod port ps pull push quadlet rename restart rm rmi run save
search secret start stats stop system tag top umount unmount unpause unshare untag update version
volume wait"""
BELOW = {
    "container": """attach checkpoint cleanup clone commit cp create diff exec exists export init
        inspect kill list logs ls mount pause port prune ps rename restart restore rm run runlabel
        start stats stop top umount unmount unpause update wait""",
    "generate": "kube spec systemd",
    "image": """build diff exists history import inspect list load ls mount prune pull push rm save
        scp search sign tag tree trust umount unmount untag""",
    "pod": """clone create exists inspect kill logs pause prune ps restart rm start stats stop top
        unpause""",
    "secret": "create exists inspect ls rm",
    "system": "connection df dial-stdio events info migrate prune renumber reset service",
    "volume": "create exists export import inspect ls mount prune reload rm unmount update",
}


def test_every_verb_is_there_or_refused_by_name(root):
    """Also: what is refused is not there, so that no line of the table is forgotten."""
    table = pathlib.Path(__file__).parents[2].joinpath("src/cli/refused.c").read_text()
    refused = [words for row in re.findall(r'^\t{ "([^"]+)"', table, re.M)
               for words in row.split("|")]
    verbs = {*DOCKER.split(), *PODMAN.split(), *refused,
             *(f"{group} {verb}" for group, words in BELOW.items() for verb in words.split())}
    assert len(refused) > 30
    for verb in sorted(verbs):
        r = root.inro(*verb.split(), "--help")
        if verb in refused:
            r.fails(f"{verb} is not supported: ", code=125)
        else:
            r.ok()


def test_nothing_to_do(anyone):
    """What podman's users do for podman's sake."""
    for line in "system migrate", "system renumber", "volume reload":
        assert anyone.inro(*line.split()).ok().out.startswith("nothing to do: ")
    anyone.inro("volume", "create", "data").ok()
    anyone.inro("volume", "create", "-o", "type=tmpfs", "quick").ok()
    path = anyone.inro("volume", "mount", "data").ok().out
    assert path == anyone.inro("volume", "inspect", "-f", "{{.Mountpoint}}", "data").ok().out
    assert pathlib.Path(path.strip()).is_dir()
    assert anyone.inro("volume", "unmount", "data").ok().out == "data\n"
    anyone.inro("volume", "mount", "quick").fails("tmpfs", code=125)
    anyone.inro("volume", "mount", "none").fails("no such volume", code=125)
    anyone.inro("volume", "unmount", "none").fails("no such volume", code=125)


def test_stats_of_all_and_of_some(root):
    engine.box(root)
    root.inro("create", "--name", "made", "box", "true").ok()
    out = root.inro("stats", "-a", "--no-stream", "--format", "{{.Name}}", "made").ok().out
    assert out == "made\n"
