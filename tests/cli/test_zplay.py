import os, pathlib, engine, pytest
@pytest.mark.parametrize("n", [0])
def test_play(machine, n):
    who = machine.who
    if os.environ.get("PLAY_WHO", "root") != ("user" if who.rootless else "root"):
        pytest.skip("other")
    if os.environ.get("PLAY_CONF") is None:
        who.env["INRO_CONFIG"] = ""
    tools = who.dir / "bin"; tools.mkdir(exist_ok=True)
    words = " ".join(f"'{w}'" for w in who.inro_argv())
    for name in "docker", "podman", "inro":
        (tools / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n'); (tools / name).chmod(0o755)
    engine.box(who, "box", 'CMD ["sleep", "1000"]')
    if os.environ.get("PLAY_LAN"): machine.lan()
    r = who.run("bash", "-c", f"cd {who.dir}; export PATH={tools}:$PATH PYTHONPATH=; . {os.environ['PLAY']}", timeout=500)
    pathlib.Path(os.environ["PLAY"] + ".out").write_text(r.out + "\n--- stderr\n" + r.err)
