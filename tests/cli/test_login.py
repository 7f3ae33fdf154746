# SPDX-License-Identifier: Apache-2.0
"""login and logout: what is checked with the registry, and files shared with podman, docker and
skopeo."""

import base64
import json
import stat
import sys

import pytest

HELPER = """#!/bin/sh
echo "$1" >>{log}
case $1 in
get) read -r server; echo "$server" >>{log}
	[ -e {store} ] || {{ echo "credentials not found in native keychain"; exit 1; }}
	cat {store} ;;
store) cat >{store} ;;
erase) rm -f {store} ;;
esac
"""


@pytest.fixture
def auth_file(anyone):
    """A path for credentials that commands are told by the environment."""
    path = anyone.dir / "private/auth.json"
    anyone.env["REGISTRY_AUTH_FILE"] = str(path)
    anyone.env["INRO_CONFIG"] = ""
    return path


@pytest.fixture
def auth_of_user(user):
    user.env["REGISTRY_AUTH_FILE"] = str(user.dir / "auth.json")


@pytest.fixture
def locked(anyone, registries, auth_file):
    """A registry that asks for a password, and a user who trusts its certificate."""
    reg = registries.start(tls=True, auth="basic")
    reg.options = ["--cert-dir", reg.certs(anyone.dir / "certs.d")]
    return reg


def login(who, reg, *args, password=None, **kw):
    return who.inro("login", *reg.options, "-u", reg.user, "--password-stdin", *args, reg.host,
                    input=(reg.password if password is None else password) + "\n", **kw)


def entries(path):
    return json.loads(path.read_text())["auths"]


def encoded(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_login_logout(anyone, locked, auth_file):
    result = login(anyone, locked, "-v").ok()
    assert result.out == f"Used: {auth_file}\nLogin Succeeded!\n"
    assert stat.S_IMODE(auth_file.stat().st_mode) == 0o600
    assert auth_file.stat().st_uid == anyone.uid
    assert entries(auth_file) == {locked.host: {"auth": encoded(locked.user, locked.password)}}
    assert anyone.inro("login", "--get-login", locked.host).ok().out == locked.user + "\n"

    again = anyone.inro("login", *locked.options, locked.host).ok()
    assert f"Already logged in to {locked.host}" in again.out

    assert anyone.inro("logout", locked.host).ok().out == \
        f"Removed login credentials for {locked.host}\n"
    assert entries(auth_file) == {}
    anyone.inro("login", "--get-login", locked.host).fails(f"not logged in to {locked.host}")
    anyone.inro("logout", locked.host).fails(f"not logged in to {locked.host}")


def test_password_of_a_secret(anyone, locked, auth_file):
    anyone.inro("secret", "create", "word", "-", input=locked.password + "\n").ok()
    anyone.inro("secret", "create", locked.user, "-", input=locked.password).ok()
    given = ("login", *locked.options, "--secret")
    anyone.inro(*given, "word", "-u", locked.user, locked.host).ok()
    assert entries(auth_file) == {locked.host: {"auth": encoded(locked.user, locked.password)}}
    anyone.inro("logout", locked.host).ok()
    anyone.inro(*given, locked.user, locked.host).ok()  # its name is the user's
    assert anyone.inro("login", "--get-login", locked.host).ok().out == locked.user + "\n"
    anyone.inro(*given, "none", locked.host).fails("none")
    anyone.inro(*given, "word", "-p", "x", locked.host).fails("--secret can not be used with --password", code=125)


def test_file_that_docker_reads(anyone, locked, auth_file):
    path = auth_file.parent.with_name("config.json")
    path.write_text('{"detachKeys": "ctrl-e,e"}')
    anyone.own(path)
    here = ("--compat-auth-file", path)
    login(anyone, locked, *here).ok()
    assert json.loads(path.read_text()) == {
        "detachKeys": "ctrl-e,e", "auths": {locked.host: {"auth": encoded(locked.user, locked.password)}}}
    assert not auth_file.exists()
    assert anyone.inro("login", *here, "--get-login", locked.host).ok().out == locked.user + "\n"
    anyone.inro("login", *locked.options, *here, "-u", locked.user, "-p", locked.password,
                locked.host + "/team").fails("can't be kept in docker's format", code=125)
    anyone.inro("login", *here, "--authfile", path, locked.host).fails("not both", code=125)
    anyone.inro("logout", *here, locked.host).ok()
    assert entries(path) == {}
    path.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": encoded("a", "b")}}}))
    anyone.inro("logout", *here).ok()
    assert entries(path) == {}


def test_wrong_password_is_not_kept(anyone, locked, auth_file):
    login(anyone, locked, password="wrong").fails(f"logging in to {locked.host}")
    assert not auth_file.exists()
    login(anyone, locked).ok()
    before = auth_file.read_text()
    login(anyone, locked, password="wrong").fails(f"logging in to {locked.host}")
    assert auth_file.read_text() == before


def test_unknown_certificate(anyone, locked, auth_file):
    """The machine's own registries are insecure ones unless one asks for the check."""
    locked.options = ["--tls-verify"]
    login(anyone, locked).fails("certificate")
    assert not auth_file.exists()
    locked.options = ["--tls-verify=false"]
    login(anyone, locked).ok()


@pytest.mark.parametrize("name", ["inro", "containers", "docker"])
def test_certificates_of_the_user(user, registries, auth_of_user, name):
    """Where other programs have them, too."""
    reg = registries.start(tls=True, auth="basic")
    home = user.dir / "home"
    reg.options = ["--tls-verify"]
    login(user, reg, env={"HOME": str(home)}).fails("certificate")
    reg.certs(home / ".config" / name / "certs.d")
    login(user, reg, env={"HOME": str(home)}).ok()


def test_token_server(anyone, registries, auth_file):
    reg = registries.start(tls=True, auth="token")
    reg.options = ["--cert-dir", reg.certs(anyone.dir / "certs.d")]
    login(anyone, reg, password="wrong").fails(f"logging in to {reg.host}")
    login(anyone, reg).ok()
    assert list(entries(auth_file)) == [reg.host]


def test_other_entries_stay(anyone, locked, auth_file):
    auth_file.parent.mkdir()
    anyone.own(auth_file.parent)
    old = {"auths": {"other.example": {"auth": encoded("a", "b"), "email": "x"}, "odd": 3},
           "HttpHeaders": {"User-Agent": "x"}, "detachKeys": "ctrl-e,e", "n": 1.5, "z": None}
    auth_file.write_text(json.dumps(old))
    anyone.own(auth_file)
    login(anyone, locked).ok()
    new = json.loads(auth_file.read_text())
    assert new["auths"].pop(locked.host)
    assert new == old
    anyone.inro("logout", locked.host).ok()
    assert json.loads(auth_file.read_text()) == old
    anyone.inro("logout", "--all").ok()
    assert json.loads(auth_file.read_text()) == {**old, "auths": {}}


def test_namespace(anyone, locked, auth_file):
    """podman's logins for a part of a registry."""
    locked_name = locked.host + "/team"
    anyone.inro("login", *locked.options, "-u", locked.user, "-p", locked.password,
                locked_name).ok()
    assert list(entries(auth_file)) == [locked_name]
    anyone.inro("login", "--get-login", locked_name + "/app").ok()
    anyone.inro("login", "--get-login", locked.host).fails("not logged in")


@pytest.mark.parametrize("name, key", [
    (None, "docker.io"), ("docker.io", "docker.io"), ("https://index.docker.io/v1/", "docker.io"),
    ("registry-1.docker.io", "docker.io"), ("https://a.example:5000/", "a.example:5000"),
])
def test_names_of_registries(user, name, key):
    path = user.dir / "auth.json"
    path.write_text(json.dumps({"auths": {key: {"auth": encoded("me", "x")}}}))
    args = ["--authfile", path] + ([name] if name else [])
    assert user.inro("login", "--get-login", *args).ok().out == "me\n"
    user.inro("logout", "--authfile", path, "no registry").fails("expected a registry")


def test_password_on_stdin_in_dockers_words(anyone, locked, auth_file):
    anyone.inro("login", *locked.options, "-u", locked.user, "--password", "-", locked.host, input=locked.password).ok()
    assert list(entries(auth_file)) == [locked.host]


def test_options(user):
    user.inro("login", "-p", "-", "a.example").fails("must provide --username")
    user.inro("login", "-p", "x", "--password-stdin", "a.example").fails("mutually exclusive")
    user.inro("login", "--password-stdin", "a.example").fails("must provide --username")
    user.inro("login", "-u", "x", "a.example").fails("non TTY", "--password-stdin")
    user.inro("logout", "--all", "a.example").fails("takes no registry")


def test_prompt(anyone, locked, auth_file):
    """On a terminal it asks; the password is not shown."""
    argv = anyone.inro_argv("login", *locked.options, locked.host)
    script = ("import os, pty, sys\n"
              "pid, fd = pty.fork()\n"
              "if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n"
              "def until(word):\n"
              "    got = b''\n"
              "    while word not in got: got += os.read(fd, 100)\n"
              "    return got\n"
              "until(b'Username: '); os.write(fd, os.environ['NAME'].encode() + b'\\n')\n"
              "until(b'Password: '); os.write(fd, os.environ['SECRET'].encode() + b'\\n')\n"
              "shown = until(b'Login Succeeded!')\n"
              "os.waitpid(pid, 0)\n"
              "assert os.environ['SECRET'].encode() not in shown\n")
    env = {"NAME": locked.user, "SECRET": locked.password}
    anyone.run(sys.executable, "-c", script, *argv, env=env).ok()
    assert list(entries(auth_file)) == [locked.host]


# ---- credential helpers ----

@pytest.fixture
def helper(anyone):
    """A credential helper "box" that keeps one answer in a file."""
    directory = anyone.dir / "bin"
    directory.mkdir()
    anyone.own(directory)
    path = directory / "docker-credential-box"
    log, store = directory / "log", directory / "store"
    path.write_text(HELPER.format(log=log, store=store))
    path.chmod(0o755)
    anyone.env["PATH"] = f"{directory}:{anyone.env['PATH']}"
    return type("Helper", (), {"path": path, "log": log, "store": store})


def write_config(who, path, config):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    who.own(path.parent)
    who.own(path)


def test_helper(anyone, locked, auth_file, helper):
    write_config(anyone, auth_file, {"credHelpers": {locked.host: "box"}})
    login(anyone, locked).ok()
    assert "auths" not in json.loads(auth_file.read_text())
    kept = json.loads(helper.store.read_text())
    assert kept == {"ServerURL": locked.host, "Username": locked.user, "Secret": locked.password}
    assert anyone.inro("login", "--get-login", locked.host).ok().out == locked.user + "\n"
    anyone.inro("logout", locked.host).ok()
    assert not helper.store.exists()
    assert helper.log.read_text().split() == [
        "get", locked.host, "store", "get", locked.host, "get", locked.host, "erase"]


def test_helper_for_all(anyone, helper):
    path = anyone.dir / "config.json"
    path.write_text(json.dumps({"credsStore": "box", "auths": {"https://index.docker.io/v1/": {}}}))
    helper.store.write_text('{"ServerURL":"x","Username":"hub","Secret":"s"}')
    found = anyone.inro("login", "--authfile", path, "--get-login").ok()
    assert found.out == "hub\n"
    assert helper.log.read_text().split() == ["get", "https://index.docker.io/v1/"]


@pytest.mark.parametrize("script, word", [
    ("echo nonsense", "answer"),
    ("echo '{\"Username\":\"u\"}'", "Secret: missing"),
    ("printf 'no key ring \\033[31m'; exit 1", "no key ring ?[31m"),
    ("yes x", "docker-credential-box"),
])
def test_helper_that_fails(anyone, helper, script, word):
    helper.path.write_text("#!/bin/sh\n" + script + "\n")
    path = anyone.dir / "config.json"
    path.write_text('{"credsStore": "box"}')
    anyone.inro("login", "--authfile", path, "--get-login", "a.example").fails(
        "finding credentials for a.example", word)


def test_helper_that_is_not_there(user):
    """Docker's files often name one of another machine: that must not stop everything."""
    path = user.dir / "config.json"
    path.write_text('{"credsStore": "desktop.exe"}')
    result = user.inro("login", "--authfile", path, "--get-login", "a.example")
    result.fails("not logged in to a.example", "desktop.exe, which is not installed")
    path.write_text('{"credsStore": "../../bin/evil"}')
    user.inro("login", "--authfile", path, "--get-login", "a.example").fails(
        "is no name of a credential helper")


# ---- other programs ----

def test_broken_file(user):
    path = user.dir / "auth.json"
    for text, word in (("{", "line 1"), ("[]", "expected an object"),
                       ('{"auths": {"a.example": {"auth": "?"}}}', "base64 of user:password")):
        path.write_text(text)
        user.inro("login", "--authfile", path, "--get-login", "a.example").fails(str(path), word)
    path.write_text('{"auths": {' + " " * (1 << 20) + "}}")
    user.inro("login", "--authfile", path, "--get-login", "a.example").fails("larger than")


def test_files_in_order(user):
    """containers' file of this login session, of the user, then docker's."""
    home = user.dir / "home"
    places = [user.run_dir / "containers/auth.json", home / ".config/containers/auth.json",
              home / ".docker/config.json"]
    for i, path in enumerate(places):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": {"a.example": {"auth": encoded(f"user{i}", "x")}}}))
    for i, path in enumerate(places):
        found = user.inro("login", "--get-login", "a.example", env={"HOME": str(home)})
        assert found.ok().out == f"user{i}\n"
        path.unlink()
    user.inro("login", "--get-login", "a.example", env={"HOME": str(home)}).fails("not logged in")


def test_skopeo_and_podman_share_the_file(root, registries):
    """Each reads what the other wrote."""
    reg = registries.start(tls=True, auth="basic")
    certs = reg.certs(root.dir / "certs.d")
    path = root.dir / "auth.json"
    reg.push("team/app", "1", [b"x" * 100])
    reg.options = ["--cert-dir", certs, "--authfile", path]
    login(root, reg).ok()
    inspect = ["skopeo", "inspect", "--raw", "--authfile", path, "--cert-dir", certs,
               f"docker://{reg.host}/team/app:1"]
    root.run(*inspect).ok()
    for program in ("skopeo", "podman"):
        root.run(program, "logout", "--authfile", path, reg.host).ok()
        assert entries(path) == {}
        root.run(*inspect).fails()
        root.run(program, "login", "--authfile", path, "--cert-dir", certs, "-u", reg.user,
                 "--password-stdin", reg.host, input=reg.password).ok()
        assert root.inro("login", "--get-login", "--authfile", path, reg.host).ok().out == \
            reg.user + "\n"
        again = root.inro("login", *reg.options, reg.host).ok()
        assert "Existing credentials are valid" in again.out


def test_docker_shares_the_file(root, registries):
    """The client of docker logs in through its daemon; what it reads and writes is config.json."""
    config = root.dir / "docker"
    config.mkdir()
    path = config / "config.json"
    path.write_text(json.dumps({"auths": {"a.example": {"auth": encoded("me", "x")},
                                          "b.example": {"auth": encoded("me", "x")}}}))
    root.inro("logout", "--authfile", path, "a.example").ok()
    root.run("docker", "logout", "b.example", env={"DOCKER_CONFIG": str(config)}).ok()
    assert entries(path) == {}
