# SPDX-License-Identifier: Apache-2.0
"""inro's listings and inspect beside docker's and podman's, for the same image."""

import json

import pytest

import layers

BASE = layers.tar(layers.entry("etc/"), layers.entry("etc/base", "x" * 1000))
TOP = layers.tar(layers.entry("etc/"), layers.entry("etc/top", "y" * 500))
HISTORY = [{"created": "2024-05-06T07:08:09Z", "created_by": "ADD base " + "long " * 20},
           {"created": "2024-05-06T07:08:10Z", "created_by": "ENV A=b", "empty_layer": True},
           {"created": "2024-05-06T07:08:11Z", "created_by": "COPY top <&\" ü", "comment": "made"}]
CONFIG = {"Cmd": ["sh", "-c", "echo \"$A\""], "Env": ["PATH=/bin", "A=b c"], "User": "7:8",
          "Labels": {"k": "v", "tier": "web"}, "ExposedPorts": {"80/tcp": {}},
          "Entrypoint": ["/init"], "WorkingDir": "/etc", "StopSignal": "SIGUSR1"}
NAMES = ("example.com/team/made:1", "made:2")

# What both know, of the image alone.
IMAGES = ["{{.Repository}} {{.Tag}} {{.ID}}", "{{.Repository | upper}}|{{len .ID}}",
          "{{printf \"%-30s|\" .Repository}}{{truncate .ID 5}}", "{{.CreatedAt}}",
          "{{if eq .Tag \"1\"}}one{{else}}{{pad .Tag 2 3}}|{{end}}",
          "table {{.Tag}}\\t{{.Repository}}", "{{split .Repository \"/\"}}",
          "{{json .Tag}} {{title .Tag}} {{lower \"X\"}}", "{{.Size}} {{.VirtualSize}}"]
INSPECT = ["{{.Id}} {{.Os}}/{{.Architecture}} {{.Created}}", "{{json .RepoTags}}",
           "{{json .RootFS}}", "{{.RootFS.Type}} {{len .RootFS.Layers}} {{index .RootFS.Layers 1}}",
           "{{json .Config.Env}} {{json .Config.Cmd}}", "{{.Config.Env}} {{.Config.Cmd}}",
           "{{range .Config.Env}}{{.}};{{end}}", "{{.Config.User}} {{.Config.StopSignal}}",
           "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}",
           "{{index .Config.Labels \"tier\"}}|{{.Config.Labels.nothing}}",
           "{{json .Config.Labels}} {{json .Config.ExposedPorts}} {{.Config.ExposedPorts}}",
           "{{.Config.WorkingDir}} {{.Config.Entrypoint}} {{.Size}}", "{{.Author}}|{{.Comment}}|",
           "{{with .Config}}{{.User}}{{end}}{{if .Config.Healthcheck}}h{{else}}n{{end}}",
           "{{join .Config.Env \"+\"}} {{printf \"%q\" .Config.Env}}"]
HISTORIES = ["{{.CreatedBy}}|{{.Comment}}|{{.Size}}", "{{.CreatedAt}} {{.ID}}"]


@pytest.fixture
def image(root):
    path = root.dir / "made.tar"
    conf = layers.config([BASE, TOP], config=CONFIG, history=HISTORY, author="me",
                         created="2024-05-06T07:08:11Z")
    path.write_bytes(layers.docker_archive([BASE, TOP], NAMES, conf))
    root.inro("load", "-i", path).ok()
    return path


def same(root, peer, *args):
    ours, theirs = root.inro(*args).ok().out, peer(*args).ok().out
    assert ours == theirs, f"{args}\nours:   {ours}\ntheirs: {theirs}"


def test_docker(root, docker, image):
    docker("load", "-i", image).ok()
    try:
        for text in IMAGES:
            # docker has images of its own, and an order within an image that is by name here
            ours = root.inro("images", "--format", text).ok().out.splitlines()
            theirs = docker("images", "--format", text).ok().out.splitlines()
            missing = [row.rstrip() for row in ours if row.rstrip() not in
                       [other.rstrip() for other in theirs]]
            assert not missing, f"{text}: {missing} are not in {theirs}"
        for text in INSPECT:
            same(root, docker, "image", "inspect", "--format", text, NAMES[0])
        for text in HISTORIES:
            same(root, docker, "history", "--format", text, NAMES[0])
        same(root, docker, "history", "--no-trunc", "--human=false", NAMES[0])
        for words in (["reference=made"], ["reference=*/team/*"], ["reference=made:1"],
                      ["label=tier=web"], ["label=tier=db"], ["dangling=true"]):
            options = [word for one in words for word in ("--filter", one)]
            lists = [sorted(engine("images", *options, "--format", "{{.Repository}}:{{.Tag}}")
                            .ok().out.splitlines()) for engine in (root.inro, docker)]
            assert lists[0] == lists[1], words
        row = json.loads(root.inro("images", "--format", "json").ok().out.splitlines()[0])
        theirs = docker("images", "--format", "{{json .}}").ok().out.splitlines()[0]
        assert set(row) == set(json.loads(theirs))
    finally:
        docker("rmi", "-f", *NAMES).ok()


def test_podman(root, podman, image):
    podman("load", "-i", image).ok()
    try:
        for text in ("{{.Id}} {{.Os}} {{.Architecture}} {{.Author}}", "{{.RootFS.Layers}}",
                     "{{.Config.Env}} {{.Config.Cmd}} {{.Config.WorkingDir}} {{.User}}",
                     "{{json .Labels}}",
                     "{{index .Config.Labels \"k\"}} {{len .NamesHistory}}"):
            ours = root.inro("image", "inspect", "--format", text, NAMES[0]).ok().out
            theirs = podman("image", "inspect", "--format", text, NAMES[0]).ok().out
            assert ours.replace("sha256:", "") == theirs.replace("sha256:", ""), text
    finally:
        podman("rmi", "-f", *NAMES)
