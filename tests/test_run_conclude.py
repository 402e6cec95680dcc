"""What a study tells before it trains anything."""

import pytest

import be_jax.run
from be_jax.config import TrainConfig
from experiments import mnist

SMALL = {"methods": ("single", "batch_ensemble"), "seeds": (1000,), "corruptions": ("shot_noise",), "severities": (1,)}


def told_before_training(config, monkeypatch, capsys):
    def stop(*_):
        raise InterruptedError

    monkeypatch.setattr(be_jax.run, "run_study", stop)
    with pytest.raises(InterruptedError):
        be_jax.run.conclude(mnist.make_study(config), "tests")
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("pool", "told"), [(4, True), (5, False)])
def test_a_pool_that_is_too_small_to_judge_by(pool, told, tmp_path, monkeypatch, capsys):
    wanted = "No judgement will follow: it takes more than 4 runs of single, and 4 are planned."
    config = mnist.Config(pool_size=pool, members=4, out=tmp_path, **SMALL)
    assert (wanted in told_before_training(config, monkeypatch, capsys)) == told


@pytest.mark.parametrize(("epochs", "told"), [(20, "Milestones 25, 50"), (30, "Milestones 50"), (75, "")])
def test_milestones_that_cut_nothing(epochs, told, tmp_path, monkeypatch, capsys):
    config = mnist.Config(train=TrainConfig(epochs=epochs), out=tmp_path, **SMALL)
    wanted = f"{told} come after the last of {epochs} epochs, and cut nothing." if told else ""
    assert wanted in (said := told_before_training(config, monkeypatch, capsys))
    assert ("Milestones" in said) == bool(told)


def test_a_host_that_writes_nothing_waits_for_the_one_that_does(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(be_jax.run, "run_study", lambda *_: "result")
    monkeypatch.setattr(be_jax.run, "is_first_host", lambda: False)
    monkeypatch.setattr(be_jax.run, "wait_for_hosts", waited.append)
    study = mnist.make_study(mnist.Config(out=tmp_path, **SMALL))
    assert be_jax.run.conclude(study, "tests") == ("result", None)
    assert waited == ["the study is concluded"]
