# SPDX-License-Identifier: Apache-2.0
"""Settings: which files say what, and who wins."""

import json

import pytest

import engine


@pytest.fixture
def conf(anyone):
    """Writes a file of settings and returns what makes inro read it."""
    def write(text, name="inro.conf"):
        path = anyone.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return {"INRO_CONFIG": str(path)}
    return write


def values(who, *args, **env):
    entries = json.loads(who.inro(*args, "config", "--json", env=env).ok().out)
    found = {}
    for entry in entries:
        found.setdefault(entry["Name"], []).append(
            (entry["Value"], entry["File"].rsplit("/", 1)[1], entry["Line"])
            if "File" in entry else (entry["Value"],))
    return found


def test_defaults(anyone):
    found = values(anyone, INRO_CONFIG="")
    assert found["image.short_names"] == [("docker.io",)]
    assert found["transfer.retries"] == [("5",)]
    assert found["network.default"] == [("bridge",)]
    assert not [name for name in found if name.startswith("registry")]


def test_table(anyone, conf):
    env = conf('[image]\n\nmax_size = 20g\n[registry "docker.io"]\nmirror = m.example\n')
    lines = anyone.inro("config", env=env).ok().out.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "SET", "BY"]
    rows = [line.split() for line in lines]
    assert ["image.max_size", "20g", f"{env['INRO_CONFIG']}:3"] in rows
    assert ["registry.docker.io.mirror", "m.example", f"{env['INRO_CONFIG']}:5"] in rows
    assert ["transfer.parallel", "6", "default"] in rows


def test_get(anyone, conf):
    env = conf('[registry "docker.io"]\nmirror = m.example\nmirror = n.example\n')
    def get(name):
        return anyone.inro("config", "get", name, env=env)
    assert get("registry.docker.io.mirror").ok().out == "m.example\nn.example\n"
    assert get("transfer.timeout").ok().out == "60s\n"
    assert get("registry.quay.io.mirror").ok().out == ""
    get("transfer.time_out").fails('unknown setting "time_out" in [transfer]', 'mean "timeout"?')


def test_option_comes_before_environment(anyone, conf):
    env = conf("[transfer]\nretries = 1\n")
    other = anyone.dir / "other.conf"
    other.write_text("[transfer]\nretries = 2\n")
    found = values(anyone, "--config", other, **env)
    assert found["transfer.retries"] == [("2", "other.conf", 2)]


def test_user_files_in_order(user):
    """The user's own file, then its drop-ins by name; only *.conf, none that is hidden."""
    home = user.dir / "config"
    drop_ins = home / "inro/inro.conf.d"
    drop_ins.mkdir(parents=True)
    (home / "inro/inro.conf").write_text("[transfer]\nretries = 1\nparallel = 2\ntimeout = 9\n")
    (drop_ins / "20-b.conf").write_text("[transfer]\nretries = 3\n")
    (drop_ins / "10-a.conf").write_text("[transfer]\nretries = 2\nparallel = 4\n")
    (drop_ins / "30-c.conf.bak").write_text("nonsense")
    (drop_ins / ".40.conf").write_text("nonsense")
    del user.env["INRO_CONFIG"]
    found = values(user, XDG_CONFIG_HOME=str(home))
    assert found["transfer.retries"] == [("3", "20-b.conf", 2)]
    assert found["transfer.parallel"] == [("4", "10-a.conf", 3)]
    assert found["transfer.timeout"] == [("9", "inro.conf", 4)]


def test_root_reads_no_users_file(root):
    home = root.dir / "home"
    (home / ".config/inro").mkdir(parents=True)
    (home / ".config/inro/inro.conf").write_text("nonsense")
    del root.env["INRO_CONFIG"]
    values(root, HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))


@pytest.mark.parametrize("text, line, words", [
    ('[registry "docker.io"]\nmirorr = x.example', 2, ["unknown setting", 'mean "mirror"?']),
    ("[image]\nmax_size = lots", 2, ["max_size: expected a size"]),
    ("[image]\n\n[image\n", 3, ["expected [section]"]),
    ("[image]\nmax_size = \x1b[31m", 2, ["control character"]),
])
def test_errors_name_the_line(anyone, conf, text, line, words):
    env = conf(text)
    result = anyone.inro("config", env=env).fails(f"{env['INRO_CONFIG']}:{line}: ", *words, code=125)
    assert "\x1b" not in result.err


def test_missing_file(anyone):
    anyone.inro("--config", "/nowhere/x.conf", "config").fails("/nowhere/x.conf: No such file")


def test_example_is_accepted_as_it_is(anyone, conf):
    text = anyone.inro("config", "--example").ok().out
    found = values(anyone, **conf(text))
    assert found == values(anyone, INRO_CONFIG="")
    # and with every default uncommented
    lines = [line[1:] if line.startswith("#[") or line.startswith("#retries") else line
             for line in text.splitlines()]
    assert values(anyone, **conf("\n".join(lines)))["transfer.retries"][0][0] == "5"


def test_run_with_broken_settings(anyone, conf):
    """A broken file must not keep containers from running."""
    env = conf("nonsense")
    anyone.inro("config", env=env).fails("inro.conf:1: ")
    image = engine.box(anyone)
    run = anyone.inro("run", "--rm", "--network", "none", image, "echo", "runs", env=env)
    assert run.ok().out == "runs\n" and "inro.conf:1: " in run.err
