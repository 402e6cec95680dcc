"""A method that nobody here thought of: one row of the table, and it is in a study, its report and its audit."""

import dataclasses

import pytest

import be_jax
from be_jax import methods
from be_jax.audit import References, audit, read_predictions, write_audit
from be_jax.config import TrainConfig
from be_jax.report.methods import styles
from be_jax.stats import Judgement
from experiments import mnist

pytestmark = pytest.mark.slow

TWINS = methods.Method(
    name="twins",
    label="twins, at the start {init_std:g} apart",
    style=methods.Style("#123456", "d", "-."),
    build=lambda model, o: be_jax.batch_ensemble(model, members=2, init=be_jax.fast_init.normal(o.init_std)),
    is_subject=True,
)
LABEL = "twins, at the start 0.75 apart"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a finished study with a row more in the table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "TABLE", methods.TABLE)
        patch.setitem(methods.TABLE, TWINS.name, TWINS)
        config = mnist.Config(
            methods=("single", "twins", "copies"),
            seeds=(1000, 1001),
            pool_size=6,
            members=2,
            init_std=0.75,
            train=TrainConfig(epochs=1),
            corruptions=("rotate",),
            severities=(3,),
            out=tmp_path_factory.mktemp("made_up") / "mnist",
        )
        mnist.run(config)
        yield config.folder


def test_the_study_trains_and_judges_it(folder):
    judged = Judgement.load(folder / "verdicts.json").method("twins")
    assert (folder / "twins" / "seed_1001" / "predictions.npz").exists()
    assert {"test nll_scaled", "test accuracy"} <= {str(row.endpoint) for row in judged.rows}


def test_the_report_calls_and_draws_it_as_the_row_says(folder):
    assert LABEL in (folder / "report.html").read_text()
    assert styles(("single", "twins"))["twins"] == TWINS.style


def test_the_audit_does_so_too(folder, tmp_path):
    runs = [read_predictions(folder / "twins" / f"seed_{seed}" / "predictions.npz") for seed in (1000, 1001)]
    networks = [read_predictions(folder / "single" / f"seed_{seed}" / "predictions.npz") for seed in range(6)]
    references = References(pool=networks)
    found = audit(runs, references, "twins")
    assert found.judgement.method("twins").rows
    assert "twins" in write_audit(found, runs, references, tmp_path, {}).read_text()


def test_a_name_that_is_no_row_is_refused():
    with pytest.raises(be_jax.config.ConfigError, match="methods must be different ones of single"):
        dataclasses.replace(mnist.Config(), methods=("single", "triplets"))
