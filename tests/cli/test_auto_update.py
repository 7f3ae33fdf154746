# SPDX-License-Identifier: Apache-2.0
"""Services whose containers have a newer image: a systemctl of the tests' own restarts them."""

import json

import pytest

import engine

TURNS = True

# What a service does at its restart; one that has the image it is not to have fails.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>{dir}/calls
[ "$#" = 4 ] && [ "$2" = restart ] && [ "$3" = -- ] || exit 9
unit=$4
set -- {inro}
"$@" rm -f "${{unit%.service}}" >/dev/null
. {dir}/"$unit"
[ ! -e {dir}/refuse ] || [ "$("$@" inspect --format '{{{{.Image}}}}' "${{unit%.service}}")" != "$(cat {dir}/refuse)" ]
"""


class Services:
    def __init__(self, who):
        self.who, self.calls = who, who.dir / "calls"
        self.bin = who.dir / "bin"
        self.bin.mkdir()
        systemctl = self.bin / "systemctl"
        systemctl.write_text(SYSTEMCTL.format(dir=who.dir, inro=" ".join(map(str, who.inro_argv()))))
        systemctl.chmod(0o755)
        self.path = {"PATH": f"{self.bin}:{who.env['PATH']}"}

    def start(self, name, image, policy):
        """A service that runs a container of this image."""
        options = ["run", "-d", "--name", name, "--label", f"PODMAN_SYSTEMD_UNIT={name}.service",
                   "--label", f"io.containers.autoupdate={policy}", image, "sleep", "1000"]
        (self.who.dir / f"{name}.service").write_text(f'"$@" {" ".join(options)} >/dev/null')
        self.who.inro(*options).ok()

    def update(self, *options):
        return self.who.inro("auto-update", *options, env=self.path)

    def states(self, *options):
        lines = self.update("--format", "{{.Unit}} {{.ContainerName}} {{.Policy}} {{.Updated}}", *options).out
        return set(lines.splitlines())

    def called(self):
        text = self.calls.read_text() if self.calls.exists() else ""
        self.calls.unlink(missing_ok=True)
        return [line.split()[-1] for line in text.splitlines()]

    def image(self, name):
        return self.who.inro("inspect", "--format", "{{.Image}}", name).ok().out.strip()


@pytest.fixture
def services(anyone):
    engine.box(anyone)
    yield Services(anyone)
    anyone.inro("rm", "-fa").ok()


def image_id(who, name):
    return who.inro("image", "inspect", "--format", "{{.Id}}", name).ok().out.strip()


def test_local(services):
    who = services.who
    engine.box(who, "new:1", "ENV A=1")
    who.inro("tag", "box", "app:1").ok()
    for name, policy in (("one", "local"), ("two", "local"), ("off", "disabled")):
        services.start(name, "app:1", policy)
    who.inro("run", "-d", "--name", "bare", "--label", "io.containers.autoupdate=local", "app:1", "sleep",
             "1000").ok()
    who.inro("create", "--name", "idle", "--label", "io.containers.autoupdate=local", "app:1", "true").ok()
    old, new = image_id(who, "box"), image_id(who, "new:1")

    done = services.update()
    assert done.code == 125 and "container bare: it has no label PODMAN_SYSTEMD_UNIT" in done.err
    who.inro("rm", "-f", "bare").ok()
    head, *rows = services.update().ok().out.splitlines()
    assert head.split() == ["UNIT", "CONTAINER", "IMAGE", "POLICY", "UPDATED"]
    cid = who.inro("ps", "-q", "--filter", "name=one").ok().out.strip()
    assert rows[0].split() == ["one.service", cid, "(one)", "app:1", "local", "false"] and len(rows) == 2
    assert services.called() == []

    who.inro("tag", "new:1", "app:1").ok()
    pending = {"one.service one local pending", "two.service two local pending"}
    assert services.states("--dry-run") == pending and services.called() == []
    assert json.loads(services.update("--dry-run", "--format", "json").out.splitlines()[0])["Updated"] == "pending"
    assert services.states() == {"one.service one local true", "two.service two local true"}
    assert sorted(services.called()) == ["one.service", "two.service"]
    assert services.image("one") == services.image("two") == new
    assert services.states() == {"one.service one local false", "two.service two local false"}

    # One that does not start with the new image runs the old one again.
    (who.dir / "refuse").write_text(old)
    who.inro("tag", "box", "app:1").ok()
    done = services.update("--rollback=false")
    assert done.code == 125 and done.out.count("failed") == 2 and "systemctl ended with status 1" in done.err
    assert services.image("one") == old and image_id(who, "app:1") == old
    (who.dir / "refuse").write_text(new)
    who.inro("rm", "-f", "two").ok()
    who.inro("tag", "new:1", "app:1").ok()
    assert services.states() == {"one.service one local rolled back"}
    assert services.image("one") == old == image_id(who, "app:1")
    assert set(services.called()) == {"one.service", "two.service"}

    services.start("odd", "app:1", "sometimes")
    services.update().fails('invalid auto-update policy "sometimes"', code=125)


def test_a_hostile_image_restarts_nothing(services):
    who = services.who
    engine.box(who, "app:1", "LABEL PODMAN_SYSTEMD_UNIT=reboot.target", "LABEL io.containers.autoupdate=local")
    who.inro("run", "-d", "--name", "web", "app:1", "sleep", "1000").ok()
    services.start("mine", "app:1", "local")
    engine.box(who, "app:1", "ENV A=1")
    done = services.update()
    assert done.code == 125 and "container web: its label PODMAN_SYSTEMD_UNIT is its image's" in done.err
    assert services.called() == ["mine.service"]


def test_registry(services, registries):
    who = services.who
    reg = registries.start()
    layer = engine.rootfs_tar(who).read_bytes()
    name = f"{reg.host}/app:1"
    first = reg.push("app", "1", [layer])
    services.start("web", name, "registry")
    services.start("more", name, "image")
    services.start("gone", f"{reg.host}/app:1", "registry")
    old = image_id(who, name)
    kept = {"web.service web registry false", "more.service more registry false"}
    assert services.states() == kept | {"gone.service gone registry false"}
    who.inro("rm", "-f", "gone").ok()
    before = len(reg.requests())
    assert services.states() == kept
    assert not [r for r in reg.requests()[before:] if "/blobs/" in r[1]]

    second = reg.push("app", "1", [layer], config={"config": {"Env": ["A=1"]}, "architecture": "amd64", "os": "linux",
                                                   "rootfs": {"type": "layers", "diff_ids": [
                                                       json.loads(first.config)["rootfs"]["diff_ids"][0]]}})
    assert first.digest != second.digest
    assert services.states("--dry-run") == {"web.service web registry pending",
                                            "more.service more registry pending"}
    assert image_id(who, name) == old
    assert services.states() == {"web.service web registry true", "more.service more registry true"}
    assert services.image("web") == services.image("more") == image_id(who, name) != old

    # What can't be asked for is told, and changes nothing.
    reg.stop()
    services.called()
    done = services.update()
    assert done.code == 125 and "looking for a newer image" in done.err and done.out.count("false") == 2
    assert services.called() == []
