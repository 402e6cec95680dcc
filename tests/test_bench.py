"""Benchmarks against another library: its process, and what is made of the seconds."""

import json
import sys

import pytest

import be_jax
from be_jax import models
from experiments.bench import step
from experiments.bench.peer import Peer

ANSWERS = """
import sys
for line in sys.stdin:
    if line.strip() == "end": sys.exit()
    print(float(sys.argv[1]) * len(line.split()), flush=True)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "answers.py"
    path.write_text(ANSWERS)
    return path


def test_a_peer_answers_every_request_and_its_end_is_an_error(script):
    with Peer(sys.executable, script, "0.5") as peer:
        assert [peer.seconds("single 2"), peer.seconds("epoch")] == [1.0, 0.5]
        with pytest.raises(RuntimeError, match=r"answers\.py ended early"):
            peer.seconds("end")


def test_a_peer_that_never_began_is_an_error_too(tmp_path):
    (tmp_path / "ends.py").write_text("import no_such_module")
    with Peer(sys.executable, tmp_path / "ends.py") as peer:
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"ends\.py ended early"):
                peer.seconds("single 2")


@pytest.mark.slow
@pytest.mark.parametrize("peer", [False, True])
def test_steps_are_timed_beside_a_peer_and_without(peer, script, tmp_path, monkeypatch, capsys):
    small = models.cifar_resnet(8, width=2)
    monkeypatch.setattr(
        step, "ENSEMBLES", {"single": be_jax.single(small), "batch_ensemble": be_jax.batch_ensemble(small, 4)}
    )
    monkeypatch.setattr(step, "BATCH", {"single": 8, "batch_ensemble": 2})
    script.write_text(ANSWERS.replace("sys.argv[1]", "0.5"))
    monkeypatch.setattr(step, "SCRIPT", script)
    out = tmp_path / "step.json"
    asked = ["--peer-python", sys.executable] if peer else []
    monkeypatch.setattr(sys, "argv", ["step", "--rounds", "2", "--save", str(out), *asked])
    step.main()
    told = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == told
    seconds = told["seconds_per_step"]
    assert set(seconds) == {"single", "batch_ensemble", *(("peer_single", "peer_batch_ensemble") if peer else ())}
    assert all(0 < each["least"] <= each["median"] <= each["most"] for each in seconds.values())
    assert ("over_peer" in told) == peer
    if peer:
        assert seconds["peer_single"] == {"median": 1.0, "least": 1.0, "most": 1.0}
        assert told["over_peer"]["single"] == seconds["single"]
    assert told["gflops_per_step"]["batch_ensemble"] >= told["gflops_per_step"]["single"] > 0
