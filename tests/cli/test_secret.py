# SPDX-License-Identifier: Apache-2.0
"""inro secret, and run --secret."""

import base64
import json
import re

import engine

TURNS = True


def create(who, name, text, *options):
    return who.inro("secret", "create", *options, name, "-", input=text).ok().out.strip()


def test_file_in_the_container(anyone):
    cid = create(anyone, "db", "hunter2\n")
    assert re.fullmatch("[0-9a-f]{25}", cid)
    (anyone.dir / "key").write_bytes(b"\x00\xff")
    anyone.inro("secret", "create", "key", anyone.dir / "key").ok()
    out = anyone.inro(
        "run", "--rm", "--secret", "db", "--secret", "source=key,target=/etc/app.key,mode=0400",
        "--secret", f"{cid[:10]},target=sub/again", engine.box(anyone), "sh", "-c",
        "cat /run/secrets/db /run/secrets/sub/again; od -An -tx1 /etc/app.key; "
        "stat -c '%a %u %g' /run/secrets/db /etc/app.key; echo x > /run/secrets/db").fails("db: Read-only file system", code=1).out
    assert out == "hunter2\nhunter2\n 00 ff\n444 0 0\n400 0 0\n"


def test_it_stays_what_it_was(anyone):
    """A container has it from when it was created."""
    create(anyone, "db", "old")
    anyone.inro("create", "--name", "one", "--secret", "db", engine.box(anyone), "cat",
                "/run/secrets/db").ok()
    create(anyone, "db", "new", "--replace")
    assert anyone.inro("start", "-a", "one").ok().out == "old"
    anyone.inro("secret", "rm", "db").ok()
    assert anyone.inro("start", "-a", "one").ok().out == "old"
    anyone.inro("run", "--rm", "--secret", "db", "box", "true").fails(
        'no secret with name or id "db"', code=125)
    assert len(engine.containers(anyone)) == 1


def test_it_is_shown_nowhere(anyone):
    create(anyone, "db", "hunter2")
    anyone.inro("run", "--name", "one", "--secret", "db", engine.box(anyone), "true").ok()
    shown = [anyone.inro(*words).ok().out for words in (
        ("inspect", "one"), ("secret", "inspect", "db"), ("secret", "ls"))]
    assert "hunter2" not in "".join(shown)
    anyone.inro("commit", "one", "committed").ok()
    assert anyone.inro("run", "--rm", "committed", "sh", "-c",
                       "cat /run/secrets/db 2>/dev/null; true").ok().out == ""
    cid = engine.containers(anyone)[0]
    bundle = anyone.state / "inro/containers" / cid
    assert bundle.stat().st_mode & 0o77 == 0 and (bundle / "secrets").stat().st_mode & 0o77 == 0


def test_variable(anyone):
    """There for all that runs in the container, and for nobody who looks at it from outside."""
    box = engine.box(anyone, "box", "ENV APP=image")
    create(anyone, "db", "hunter2")
    create(anyone, "APP", "from the secret\n")
    anyone.inro("run", "-d", "--name", "one", "-e", "PASS=x", "--secret", "db,type=env,target=PASS",
                "--secret", "APP,type=env", "--secret", "db", "--env-merge", "SEEN=${PASS}", box,
                "sh", "-c", 'echo "$PASS $APP"; sleep 1000').ok()
    show = ["sh", "-c", "echo $PASS; echo $APP; echo $SEEN; cat /run/secrets/db"]
    assert anyone.inro("exec", "one", *show).ok().out == "hunter2\nfrom the secret\n\nhunter2"
    create(anyone, "db", "hunter3", "--replace")
    anyone.inro("restart", "-t", "0", "one").ok()
    assert anyone.inro("exec", "one", *show).ok().out.startswith("hunter2\n")
    # Whoever may read the container's files is who may read the secret.
    cid = engine.containers(anyone)[0]
    holders = [path for path in anyone.dir.rglob("config.json") if cid in str(path)]
    assert len(holders) == 2
    for path in holders:
        assert "hunter2" in path.read_text() and path.stat().st_mode & 0o777 == 0o600
    shown = "".join(anyone.inro(*words).ok().out for words in (
        ("inspect", "one"), ("ps", "-a", "--format", "json"), ("secret", "inspect", "db"),
        ("container", "inspect", "--format", "{{json .Config.Env}}", "one"),
        ("events", "--since", "1h", "--until", "0s")))
    assert "hunter2" not in shown and "from the secret" not in shown and "SEEN=" in shown
    # No image has it, nor a copy that is made later.
    anyone.inro("commit", "one", "next").ok()
    env = json.loads(anyone.inro("image", "inspect", "next").ok().out)[0]["Config"]["Env"]
    assert "APP=image" in env and not any(word.startswith("PASS") for word in env)
    anyone.inro("container", "clone", "one", "two").ok()
    anyone.inro("start", "two").ok()
    assert anyone.inro("exec", "two", "sh", "-c", "echo $PASS").ok().out == "hunter3\n"
    anyone.inro("rm", "-fa", "-t", "0").ok()
    (anyone.dir / "zero").write_bytes(b"a\0b")
    anyone.inro("secret", "create", "zero", anyone.dir / "zero").ok()
    for word, message in (("zero,type=env", "NUL byte"), ("db,type=env,uid=1", "uid, gid and mode"),
                          ("none,type=env", 'no secret with name or id "none"')):
        anyone.inro("run", "--rm", "--secret", word, box, "true").fails(message, code=125)
    assert not engine.containers(anyone)


def test_listing(anyone):
    cid = create(anyone, "db", "x", "--label", "app=web")
    lines = anyone.inro("secret", "ls").ok().out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "DRIVER", "CREATED", "UPDATED"]
    assert lines[1].split()[:3] == [cid, "db", "file"]
    assert anyone.inro("secret", "list", "-q").ok().out == cid + "\n"
    (shown,) = json.loads(anyone.inro("secret", "inspect", "db").ok().out)
    assert shown["ID"] == cid and shown["Spec"] == {
        "Name": "db", "Driver": {"Name": "file"}, "Labels": {"app": "web"}}
    assert "SecretData" not in shown
    assert anyone.inro("secret", "inspect", "--showsecret", "--format", "{{.SecretData}}",
                       cid[:8]).ok().out == "x\n"
    assert anyone.inro("secret", "exists", "db").code == 0
    assert anyone.inro("secret", "exists", "other").code == 1


def test_create_and_remove(anyone):
    create(anyone, "db", "x")
    anyone.inro("secret", "create", "db", "-", input="y").fails("secret name in use", "--replace")
    anyone.inro("secret", "create", "--env", "var", "VALUE", env={"VALUE": "z"}).ok()
    assert anyone.inro("secret", "inspect", "--showsecret", "--format", "{{.SecretData}}",
                       "var").ok().out == "z\n"
    anyone.inro("secret", "create", "--env", "b", "NOT_SET").fails("NOT_SET is not set")
    anyone.inro("secret", "create", "empty", "-", input="").fails("larger than 0")
    anyone.inro("secret", "create", "big", "-", input="x" * 512000).fails()
    (anyone.dir / "zero").write_bytes(b"a\0b")
    anyone.inro("secret", "create", "zero", anyone.dir / "zero").ok()
    anyone.inro("secret", "inspect", "--showsecret", "zero").fails("zero is no text", code=1)
    for name in ("a/b", "a=b", "a,b", "", ".", "a b", "a\udcff"):
        anyone.inro("secret", "create", name, "-", input="x").fails("invalid secret name")
    done = anyone.inro("secret", "rm", "nothing", "db")
    done.fails('no secret with name or id "nothing"', code=1)
    assert len(done.out) == 26
    anyone.inro("secret", "rm", "--ignore", "db").ok()
    anyone.inro("secret", "rm", "--all").ok()
    assert anyone.inro("secret", "ls", "-q").ok().out == ""
    anyone.inro("secret", "rm").fails("--all")


def test_its_bytes_go_with_it(anyone):
    """What was removed or replaced is not left in the database, or in its log."""
    def kept(text):
        return any(base64.b64encode(text.encode()) in path.read_bytes()
                   for path in (anyone.state / "inro").glob("inro.db*"))

    create(anyone, "db", "hunter2 the first")
    create(anyone, "other", "hunter2 the other")
    assert kept("hunter2 the first") and kept("hunter2 the other")
    create(anyone, "db", "hunter2 the second", "--replace")
    assert kept("hunter2 the second") and not kept("hunter2 the first")
    anyone.inro("secret", "rm", "db").ok()
    assert not kept("hunter2 the second") and kept("hunter2 the other")


def test_owner(root):
    create(root, "db", "x")
    show = ["sh", "-c", "stat -c '%u %g %a' /run/secrets/db; cat /run/secrets/db"]
    for userns in ([], ["--userns", "auto"]):
        out = root.inro("run", "--rm", *userns, "-u", "1000", "--secret",
                        "db,uid=1000,gid=50,mode=0400", engine.box(root), *show).ok().out
        assert out == "1000 50 400\nx"


def test_owner_without_root(user):
    create(user, "db", "x")
    user.inro("run", "--rm", "--secret", "db,uid=1000", engine.box(user), "true").fails(
        "without root", code=125)
    assert not engine.containers(user)
