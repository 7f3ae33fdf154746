# SPDX-License-Identifier: Apache-2.0
"""The man pages, the completions and --help say the same."""

import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("INRO_BUILD") or TOP / "build")

# A program with one option and one command, which is in a group, too, as far as check-man looks.
PROGRAM = """#!/bin/sh
option='options:\\n  -d, --depth N   how deep\\n'
case "$*" in
__complete*) echo "complete --depth go" ;;
*go*) printf "usage\\n\\n$option" ;;
group*) printf 'usage\\n\\ncommands:\\n  go   does it\\n' ;;
*) printf "usage\\n\\ncommands:\\n  go   does it\\n\\ngroups of commands:\\n  group   of one\\n\\n$option" ;;
esac
"""
PAGE = '.TH "inro" "1"\n.SH NAME\ninro - test\n.SH OPTIONS\n.P\n\\fB--depth\\fR N\n'


def check(build):
    done = subprocess.run([TOP / "scripts/check-man", build], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def test_pages_and_completions_agree_with_help():
    assert check(BUILD) == (0, "\n")


@pytest.fixture
def fake(tmp_path):
    (tmp_path / "man").mkdir()
    (tmp_path / "inro").write_text(PROGRAM)
    (tmp_path / "inro").chmod(0o755)
    for page in ("inro", "inro-go", "inro-group"):
        (tmp_path / f"man/{page}.1").write_text(PAGE)
    (tmp_path / "man/inro-group-go.1").write_text(".so man1/inro-go.1\n")
    return tmp_path


def test_agreement_is_accepted(fake):
    assert check(fake) == (0, "\n")


def test_command_without_page_is_found(fake):
    (fake / "man/inro-go.1").unlink()
    code, out = check(fake)
    assert code == 1 and "inro-go.1 is missing" in out


def test_command_of_a_group_without_page_is_found(fake):
    (fake / "man/inro-group-go.1").unlink()
    code, out = check(fake)
    assert code == 1 and "inro-group-go.1 is missing" in out


def test_option_missing_in_page_is_found(fake):
    (fake / "man/inro-go.1").write_text(PAGE.replace("--depth", "--width"))
    code, out = check(fake)
    assert code == 1 and "inro-go.1 lacks --depth" in out


def test_option_missing_in_completion_is_found(fake):
    (fake / "inro").write_text(PROGRAM.replace("complete --depth", "complete"))
    code, out = check(fake)
    assert code == 1 and "the completion for zsh lacks --depth" in out
