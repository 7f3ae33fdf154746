# SPDX-License-Identifier: Apache-2.0
"""The checks of `make lint` that are this project's own: each must be able to fail."""

import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """Writes files into a source tree; returns a function that runs a check on it."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/allowed-calls").write_text("# none\n")

    def run(check, **files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_c", ".c")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([TOP / "scripts" / check, tmp_path], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    run.dir = tmp_path
    return run


def test_layers_accepts_what_stands_below(tree):
    code, out = tree("check-layers", src__runtime__a_c='#include "oci/spec.h"\n'
                     '#include "base/fd.h"\n/* open("x") and #include "cli/a.h" in words */\n')
    assert (code, out) == (0, "")


@pytest.mark.parametrize("file, include", [
    ("src__base__a_c", "sys/cap.h"), ("src__sys__a_c", "oci/spec.h"),
    ("src__oci__a_c", "sys/cap.h"), ("src__runtime__a_c", "engine/run.h"),
    ("src__image__a_c", "runtime/container.h"), ("src__monitor__a_c", "engine/run.h"),
    ("src__engine__a_c", "cli/run.h"),
])
def test_layers_refuses_what_stands_above(tree, file, include):
    code, out = tree("check-layers", **{file: f'\n#include "{include}"\n'})
    assert code == 1
    assert ":2: " in out and f"must not include {include.split('/', maxsplit=1)[0]}/" in out


@pytest.mark.parametrize("statement, name", [
    ('fd = open("/x", 0);', "open"), ("mkdir (p, 0755);", "mkdir"), ("execve(a, b, c);", "execve"),
    ("fstatat(AT_FDCWD, p, &st, 0);", "AT_FDCWD"), ("pid = fork();", "fork"),
    ("syscall(SYS_openat2, a);", "openat2"), ("syscall(SYS_clone3, a);", "clone3"),
    ("f(statat(AT_FDCWD, p));", "AT_FDCWD"), ("f(fork());", "fork"),
])
def test_layers_refuses_calls_by_path(tree, statement, name):
    code, out = tree("check-layers", src__engine__a_c=f"void f(void)\n{{\n\t{statement}\n}}\n")
    assert code == 1
    assert f"src/engine/a.c:3: {name} is not allowed here" in out


def test_layers_keeps_the_list_of_exceptions_short(tree):
    allowed = tree.dir / "scripts/allowed-calls"
    source = {"src__sys__a_c": 'void f(void)\n{\n\topen("/dev/null", 0);\n}\n'}
    allowed.write_text("src/sys/a.c open # a constant\n")
    assert tree("check-layers", **source) == (0, "")

    allowed.write_text("src/sys/a.c open mount # a constant\n")
    code, out = tree("check-layers", **source)
    assert code == 1 and "src/sys/a.c has no mount" in out

    allowed.write_text("src/sys/a.c open\n")
    code, out = tree("check-layers", **source)
    assert code != 0 and "needs a reason" in out


def function(lines):
    return "static int f(int a)\n{\n" + "\ta++;\n" * lines + "}\n"


def test_size_of_functions(tree):
    assert tree("check-size", src__base__a_c=function(50)) == (0, "")
    code, out = tree("check-size", src__base__a_c=function(51))
    assert code == 0 and "note: src/base/a.c:2: f(): 51 lines" in out
    code, out = tree("check-size", src__base__a_c=function(101))
    assert code == 1 and "src/base/a.c:2: f(): 101 lines, the limit is 100" in out


def test_size_of_files(tree):
    assert tree("check-size", src__base__a_c="int a;\n" * 800)[0] == 0
    code, out = tree("check-size", src__base__a_c="int a;\n" * 801)
    assert code == 1 and "src/base/a.c: 801 lines, the limit is 800" in out


def test_count_adds_up_and_fails_without_tests(tmp_path):
    def count(*cases, report=tmp_path / "r.xml"):
        if cases:
            report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        done = subprocess.run([TOP / "scripts/test-count", report, report], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout

    good, bad = "<testcase/>", "<testcase><failure/></testcase>"
    skipped = "<testcase><skipped/></testcase>"
    assert count(good, skipped) == (0, "2 passed, 0 failed, 2 skipped\n")
    assert count(good, bad) == (1, "2 passed, 2 failed, 0 skipped\n")
    assert count("") == (1, "0 passed, 0 failed, 0 skipped\n")
    assert count(report=tmp_path / "missing") == (1, "0 passed, 2 failed, 0 skipped\n")


def test_failed_tests_run_once_more(tmp_path):
    report = tmp_path / "r.xml"

    def failed(*cases):
        report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        return subprocess.run([TOP / "scripts/test-failed", tmp_path / "missing", report],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.split()

    def bad(name, how="failure"):
        return f'<testcase classname="tests.scripts.test_checks" name="{name}"><{how}/></testcase>'

    names = [f"tests/scripts/test_checks.py::{name}" for name in ("a[x]", "b")]
    assert failed(bad("a[x]"), bad("a[x]", "error"), "<testcase/>", bad("b", "error")) == names
    assert report.read_text().count("<testcase") == 1
    for case in ([bad(f"t{i}") for i in range(11)], ["<testcase><failure/></testcase>", bad("b")]):
        assert failed(*case) == [] and report.read_text().count("<testcase") == len(case)
