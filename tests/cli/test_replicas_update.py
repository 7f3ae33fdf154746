# SPDX-License-Identifier: Apache-2.0
"""The replicas of a service are replaced by those of another image."""

import signal
import time

import pytest

import engine
import harness
import replicas
from replicas import hammer, inspect, kill, points

TURNS = True
SERVER = "exec busybox nc -ll -p 80 -e sh -c 'echo $V'"
QUICK = ("--update-monitor", "100ms")


@pytest.fixture(name="m")
def _m(machine):
    m = replicas.prepare(machine)
    engine.box(m.who, "one", "ENV V=one")
    m.image = "one"
    engine.box(m.who, "two", "ENV V=two")
    return m


def run(m, n, *args, command=SERVER):
    return replicas.run(m, n, *args, command=command)


def images(m):
    """{name: image} of all that there is."""
    lines = m.inro("ps", "-a", "--format", "{{.Names}} {{.Image}} {{.State}}").ok().out.splitlines()
    assert all(line.endswith(" running") for line in lines), lines
    return {line.split()[0]: line.split()[1] for line in lines}


def test_nobody_is_lost(m):
    """In both orders; settings stay, and what has the image is left alone."""
    run(m, 2, "--label", "a=b", "--stop-signal", "TERM")
    for image, order in (("two", "stop-first"), ("one", "start-first")):
        with hammer(m) as (answers, lost):
            time.sleep(0.05)
            said = m.inro("update", "--image", image, "--update-order", order, *QUICK, "web").ok().out
            time.sleep(0.05)
        assert said.split() == ["web-1", "web-2"]
        assert not lost and answers[0] != image and answers[-1] == image
        assert images(m) == {"web-1": image, "web-2": image}
    assert inspect(m, "web-2")["Config"]["Labels"] == {"a": "b"}
    ids = m.inro("ps", "-q").ok().out
    assert m.inro("update", "--image", "one", "web").ok().out == ""
    assert m.inro("ps", "-q").ok().out == ids
    said = m.inro("update", "--force", "--update-parallelism", "0", *QUICK, "web").ok().out
    assert said.split() == ["web-1", "web-2"] and not set(m.inro("ps", "-q").ok().out.split()) & set(ids.split())


def test_one_that_does_not_work(m):
    """Each answer to it: what has failed goes back to what it was, and nobody notices."""
    run(m, 2)
    ids = set(m.inro("ps", "-q").ok().out.split())
    engine.box(m.who, "ill", "ENV V=ill", "ENTRYPOINT [\"sh\",\"-c\",\"echo I am ill; exit 3\"]")
    with hammer(m) as (answers, lost):
        # each order, as the two differ in what there is to be undone
        for order in ("stop-first", "start-first"):
            said = m.inro("update", "--image", "ill", "--update-order", order, *QUICK, "web").fails(
                "service web: update paused: replaced: none; as before: web-1 web-2", code=1)
            assert "replica web-1: web-1 exited" in said.err and "with status 3" in said.err
            assert "its last line: I am ill" in said.err and said.out == ""
        said = m.inro("update", "--image", "ill", "--update-failure-action", "continue", *QUICK, "web").fails(
            "service web: update not whole: replaced: none", code=1)
        assert said.err.count("its last line: I am ill") == 2
    assert not lost and set(answers) == {"one"}
    assert images(m) == {"web-1": "one", "web-2": "one"}
    assert set(m.inro("ps", "-aq").ok().out.split()) == ids
    # nor does one run then that did not
    m.inro("stop", "-t", "0", "web-1").ok()
    m.inro("update", "--image", "ill", *QUICK, "web").fails("as before: web-1 web-2", code=1)
    assert not inspect(m, "web-1")["State"]["Running"]


def test_one_that_can_not_be_started(m):
    """It is not in the way of what goes back."""
    engine.box(m.who, "dumb", "ENTRYPOINT [\"nosuch\"]")
    m.inro("run", "-d", "--name", "web", "--replicas", "2", "dumb").fails("nosuch", code=127)
    assert m.inro("ps", "-aq").ok().out == ""
    run(m, 2)
    ids = m.inro("ps", "-q").ok().out
    for action, kept in (("rollback", "all its replicas are as before"), ("continue", "as before: web-1 web-2")):
        said = m.inro("update", "--image", "dumb", "--update-failure-action", action, *QUICK, "web").fails(kept, code=1)
        assert "replica web-1: starting container web-1: exec: \"nosuch\"" in said.err and "warning" not in said.err
        assert images(m) == {"web-1": "one", "web-2": "one"} and m.inro("ps", "-q").ok().out == ids


def test_ctrl_c_while_one_stops(m):
    """The signal ends the whole, whoever takes it."""
    m.inro("run", "-d", "--name", "web", "--replicas", "2", "--stop-timeout", "1", "one", "sleep", "60").ok()
    client = m.popen(*m.who.inro_argv("update", "--image", "two", "--update-failure-action", "continue", *QUICK, "web"),
                     stderr=-1, text=True)
    harness.wait_for(lambda: "_web-1" in m.inro("ps", "--format", "{{.Names}}").ok().out, what="one on its way")
    client.send_signal(signal.SIGINT)
    said = client.communicate(timeout=20 * harness.PATIENCE)[1]
    assert "replica web-1: starting container web-1: interrupted" in said and "as before: web-1 web-2" in said
    assert images(m) == {"web-1": "one", "web-2": "one"}


def test_the_second_does_not_work(m):
    """What has been replaced stays, or goes back with the others."""
    flag = m.who.dir / "flag"
    flag.mkdir()
    m.who.own(flag)
    flag.chmod(0o777)
    # the first container of the image two works, the others of it don't
    run(m, 2, "-v", f"{flag}:/flag", command="""
        test $V = one || mkdir /flag/$V || exit 3; exec busybox nc -ll -p 80 -e sh -c 'echo $V'""")
    with hammer(m) as (answers, lost):
        said = m.inro("update", "--image", "two", "--update-failure-action", "rollback", *QUICK, "web")
        assert said.fails("service web: update rolled back: all its replicas are as before", code=1).out == ""
        assert images(m) == {"web-1": "one", "web-2": "one"}
        (flag / "two").rmdir()
        m.inro("update", "--image", "two", *QUICK, "web").fails(
            "update paused: replaced: web-1; as before: web-2", code=1)
        assert images(m) == {"web-1": "two", "web-2": "one"}
        (flag / "two").rmdir()
        # goes on where it was
        assert m.inro("update", "--image", "two", *QUICK, "web").ok().out == "web-2\n"
    assert not lost and set(answers) == {"one", "two"}


def test_names_and_what_is_not_as_before(m):
    """A replica that somebody has renamed keeps that name; one that can't start again is said to be so."""
    shelf = m.who.dir / "shelf"
    (shelf / "sub").mkdir(parents=True)
    for path in (shelf, shelf / "sub"):
        m.who.own(path)
        path.chmod(0o777)
    run(m, 2, "-v", f"{shelf}:/shelf", "-v", f"{shelf}/sub:/sub", command="""
        test $V != ill || { rmdir /shelf/sub; exit 3; }; exec busybox nc -ll -p 80 -e sh -c 'echo $V'""")
    m.inro("rename", "web-2", "mine").ok()
    m.inro("run", "-d", "--name", "web-2", "--network", "none", "one", "sleep", "60").ok()
    assert m.inro("update", "--image", "two", *QUICK, "web").ok().out.split() == ["web-1", "mine"]
    assert images(m) == {"web-1": "two", "mine": "two", "web-2": "one"}
    engine.box(m.who, "ill", "ENV V=ill")
    how = ["update", "--image", "ill", "--update-failure-action", "rollback", *QUICK, "web"]
    said = m.inro(*how).fails("update rolled back: replaced: none; as before: mine; not brought back: web-1", code=1)
    assert f"{shelf}/sub" in said.err
    # its name it has
    lines = m.inro("ps", "-a", "--format", "{{.Names}} {{.State}}").ok().out.splitlines()
    assert set(lines) == {"web-1 exited", "mine running", "web-2 running"}
    (shelf / "sub").mkdir()
    m.inro("scale", "web=2").ok()
    assert images(m) == {"web-1": "two", "mine": "two", "web-2": "one"}


def test_health_counts(m):
    """One that becomes unhealthy doesn't count, one that becomes healthy does; Ctrl-C takes back."""
    run(m, 2, "--health-cmd", "test $V != two", "--health-interval", "50ms", "--health-retries", "2")
    said = m.inro("update", "--image", "two", *QUICK, "web").fails("update paused: replaced: none", code=1)
    assert "unhealthy" in said.err
    assert images(m) == {"web-1": "one", "web-2": "one"}
    engine.box(m.who, "three", "ENV V=three")
    m.inro("update", "--image", "three", *QUICK, "web").ok()
    assert images(m) == {"web-1": "three", "web-2": "three"}
    client = m.popen(*m.who.inro_argv("update", "--image", "one", "--update-monitor", "1m", "web"),
                     stderr=-1, text=True)
    harness.wait_for(lambda: "one" in m.inro("ps", "--format", "{{.Image}}").ok().out, what="a new one")
    m.inro("scale", "web=3").fails("service web is being changed by another command", code=125)
    client.send_signal(signal.SIGINT)
    said = client.communicate(timeout=20 * harness.PATIENCE)[1]
    assert "update paused" in said and client.returncode in (1, -signal.SIGINT), said
    assert images(m) == {"web-1": "three", "web-2": "three"}


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_killed_on_the_way(m, order):
    """At any system call: the next update, or scale, makes it whole, and nothing is there twice."""
    run(m, 1)
    how = ["--update-order", order, "--update-monitor", "20ms", "web"]
    count = kill(m, 0, "update", "--image", "two", *how)
    for n in points(count):
        image = "one" if images(m) == {"web-1": "two"} else "two"
        kill(m, n, "update", "--image", image, *how)
        if n % 2:
            m.inro("update", "--image", image, *how).ok()
            assert images(m) == {"web-1": image}
        else:
            m.inro("scale", "web=1").ok()
            assert set(images(m)) == {"web-1"}
        assert set(replicas.answers(m, 3)) == set(images(m).values())
    m.inro("system", "check").ok()


def test_killed_over_one_that_was_stopped(m):
    """It stays so."""
    run(m, 1)
    m.inro("stop", "web-1").ok()
    client = m.popen(*m.who.inro_argv("update", "--image", "two", "--update-monitor", "1h", "web"))
    harness.wait_for(lambda: "web-1 running" in m.inro("ps", "--format", "{{.Names}} {{.State}}").ok().out,
                     what="the new one")
    client.kill()
    client.wait()
    said = m.inro("update", "--image", "one", "web").ok().out
    assert said == "" and m.inro("ps", "-a", "--format", "{{.Names}} {{.Image}} {{.State}}").ok().out == "web-1 one exited\n"


def test_words(m):
    m.inro("run", "-d", "--name", "alone", "--network", "bridge", "one", "sleep", "60").ok()
    run(m, 1)
    m.inro("update", "--image", "two", "alone").fails("container alone is no service", "run --replace", code=1)
    m.inro("update", "--image", "two", "web-1").fails("is a replica of service web", "update --image IMAGE web", code=1)
    m.inro("update", "--image", "two", "nobody").fails("No such container: nobody", code=1)
    m.inro("update", "--image", "127.0.0.1:1/none", "--quiet", "web").fails("127.0.0.1:1/none", code=1)
    for words, message in ((["--image", "two", "--memory", "1g", "web"], "--image and --force go with no others"),
                           (["--update-delay", "1s", "web"], "say how --image does it"),
                           (["--image", "two"], "need a service's name"),
                           (["--image", "two", "--update-order", "first", "web"], "update-order"),
                           (["--rollback", "web"], "use --image")):
        m.inro("update", *words).fails(message, code=125)
    m.inro("update", "--image", "two", "--update-delay", "x", "web").fails("expected a time", code=1)
    assert images(m)["web-1"] == "one"
