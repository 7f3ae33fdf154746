# SPDX-License-Identifier: Apache-2.0
"""inro search: registries that know the word, and those that only list what they have."""

import json

import pytest

RESULTS = {"results": [
    {"name": "team/web", "description": "A web server " * 9, "star_count": 7, "is_official": True},
    {"name": "other/web", "description": "two\x1b[31mlines\n", "star_count": 2},
]}


@pytest.fixture
def known(anyone, registries):
    """A registry with docker's search, and a command that asks it."""
    reg = registries.hostile()
    reg.on("GET", r"/v1/search\?.*", headers={"Content-Type": "application/json"},
           body=json.dumps(RESULTS).encode())
    reg.find = lambda *args, **kw: anyone.inro("search", *args, f"{reg.host}/web", **kw)
    return reg


def test_table(known):
    result = known.find().ok()
    lines = result.out.splitlines()
    assert lines[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert lines[1].split()[0] == f"{known.host}/team/web"
    assert lines[1].split()[-2:] == ["7", "[OK]"]
    assert "\u2026" in lines[1] and len(lines[1]) < 120
    assert "\x1b" not in result.out and len(lines) == 3
    assert known.seen("GET", r"/v1/search\?.*q=web")
    assert ("A web server " * 9).strip() in known.find("--no-trunc").out


def test_filters_and_json(known):
    def names(*args):
        return [json.loads(line)["Name"] for line in
                known.find("--format", "json", *args).ok().out.splitlines()]
    web, other = f"{known.host}/team/web", f"{known.host}/other/web"
    assert names() == [web, other]
    assert names("--filter", "stars=3") == [web]
    assert names("--filter", "is-official=false") == [other]
    assert names("--filter", "stars=3", "--filter", "is-official=false") == []
    known.find("--filter", "colour=red").fails("expected stars=NUMBER")
    known.find("--limit", "0").fails("expected 1 to 100")


def test_by_catalog(anyone, registries):
    reg = registries.start(tls=True, auth="token")
    for name in ("team/web", "team/db", "webhook"):
        reg.push(name, "1", [b"x"])
    options = ["--cert-dir", reg.certs(anyone.dir / "certs.d"), "--creds",
               f"{reg.user}:{reg.password}"]
    out = anyone.inro("search", *options, f"{reg.host}/web").ok().out
    assert sorted(line.split()[0] for line in out.splitlines()[1:]) == \
        [f"{reg.host}/team/web", f"{reg.host}/webhook"]


def test_short_names_say_where(anyone, registries):
    """Each registry of the settings is asked; one that doesn't answer is a warning."""
    one, two = registries.start(), registries.start()
    one.push("web", "1", [b"x"])
    two.push("team/web", "1", [b"x"])
    conf = anyone.dir / "inro.conf"
    conf.write_text(f"[image]\nshort_names = {one.host}, 127.0.0.1:1, {two.host}\n"
                    "[transfer]\nretries = 0\n")
    result = anyone.inro("--config", conf, "search", "web").ok()
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == \
        [f"{one.host}/web", f"{two.host}/team/web"]
    assert "127.0.0.1:1" in result.err
    conf.write_text("[image]\nshort_names = 127.0.0.1:1\n[transfer]\nretries = 0\n")
    anyone.inro("--config", conf, "search", "web").fails("searching 127.0.0.1:1")


def test_tags(anyone, registries):
    reg = registries.start()
    for tag in ("1", "2", "latest"):
        reg.push("team/web", tag, [b"x"])
    def tags(*args):
        out = anyone.inro("search", "--list-tags", *args, f"{reg.host}/team/web").ok().out
        assert out.splitlines()[0].split() == ["NAME", "TAG"]
        return [line.split() for line in out.splitlines()[1:]]
    name = f"{reg.host}/team/web"
    assert sorted(tags()) == [[name, "1"], [name, "2"], [name, "latest"]]
    assert len(tags("--limit", "2")) == 2
    anyone.inro("search", "--list-tags", f"{reg.host}/none").fails(f"{reg.host}/none")


def test_proxy_of_the_settings(anyone, registries):
    """The environment's comes first."""
    proxy = registries.hostile()
    proxy.on("GET", r"http://m\.example/v2/(x/tags/list.*)?",
             headers={"Content-Type": "application/json"},
             body=b'{"name": "x", "tags": ["through-proxy"]}')
    conf = anyone.dir / "inro.conf"
    conf.write_text(f"[transfer]\nhttp_proxy = http://{proxy.host}\nretries = 0\ntimeout = 5\n"
                    '[registry "a.example"]\nmirror = http://m.example\n')
    def tags(**env):
        return anyone.inro("--config", conf, "search", "--list-tags", "a.example/x", env=env)
    assert "through-proxy" in tags().ok().out
    asked = len(proxy.requests)
    tags(http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1").fails("a.example")
    assert len(proxy.requests) == asked
    tags(HTTP_PROXY="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1").fails("a.example")
    assert len(proxy.requests) == asked
