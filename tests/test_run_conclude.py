"""What a study tells before it trains anything."""

import pytest

import be_jax.run
from experiments import mnist

SMALL = {"methods": ("single", "batch_ensemble"), "seeds": (1000,), "corruptions": ("shot_noise",), "severities": (1,)}


@pytest.mark.parametrize(("pool", "told"), [(4, True), (5, False)])
def test_a_pool_that_is_too_small_to_judge_by(pool, told, tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise InterruptedError

    monkeypatch.setattr(be_jax.run, "run_study", stop)
    study = mnist.make_study(mnist.Config(pool_size=pool, members=4, out=tmp_path, **SMALL))
    with pytest.raises(InterruptedError):
        be_jax.run.conclude(study, "tests")
    wanted = "No judgement will follow: it takes more than 4 runs of single, and 4 are planned."
    assert (wanted in " ".join(capsys.readouterr().out.split())) == told
