"""Reports of studies whose deep ensembles come from a pool of single networks."""

import dataclasses
import math

import numpy as np
import pytest
from report_fakes import NETWORKS, pooled_study, quality, run_record, study

from be_jax.report import answer, diversity_ratio, gain_recovered, markdown_table
from be_jax.report.figures.pool import pool_curves
from be_jax.report.ratios import paired_difference
from be_jax.report.summary import look_up, summarise
from be_jax.report.tables import tables
from be_jax.results import PoolRecord, PoolScore, StudyResult


def pooled(position, **kwargs):
    """A study with single networks, deep ensembles of 1, 2 and 4 of them, and a BatchEnsemble at `position`."""
    return pooled_study({"batch_ensemble_sign": position}, **kwargs)


def test_the_deep_ensemble_is_a_method_with_the_pool_s_estimate():
    result = pooled(0.5)
    assert result.methods == ("single", "batch_ensemble_sign", "deep_ensemble")
    score = result.pooled.scores["test"]["nll"]
    estimate = look_up(summarise(result), "deep_ensemble", "test", "nll")
    assert estimate.mean == score.mean
    assert estimate.half_width == pytest.approx(2.3646 * score.standard_error, rel=1e-4)
    single = look_up(summarise(result), "single", "test", "nll")  # the jackknife of a mean is its standard error
    assert estimate.half_width == pytest.approx(single.half_width, rel=1e-6)


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_gain_recovered_is_the_place_between_the_ends_of_the_pool(position):
    gain = gain_recovered(pooled(position), "batch_ensemble_sign", "test", "nll")
    assert not gain.undefined
    assert gain.lower < gain.value < gain.upper
    assert gain.value == pytest.approx(position, abs=0.15)
    assert gain.upper - gain.value == pytest.approx(gain.value - gain.lower)


def test_an_interval_needs_two_seeds_and_a_gain_to_recover():
    one = gain_recovered(pooled(0.5, seeds=(42,)), "batch_ensemble_sign", "test", "nll")
    assert "at least 2 seeds, here 1" in one.undefined
    result = pooled(0.5)
    flat = tuple(dataclasses.replace(record, scores=result.pool[0].scores) for record in result.pool)
    none = gain_recovered(dataclasses.replace(result, pool=flat), "batch_ensemble_sign", "test", "nll")
    assert "do not differ measurably" in none.undefined


def test_diversity_and_differences():
    result = pooled(0.5, noise=0.01)
    deep = result.pooled.scores["test"]["epistemic"].mean
    own = np.mean([run.scores["test"]["epistemic"] for run in result.runs if run.method == "batch_ensemble_sign"])
    assert diversity_ratio(result, "batch_ensemble_sign", "test", "epistemic").value == pytest.approx(own / deep)
    difference = paired_difference(result, "batch_ensemble_sign", "deep_ensemble", "test", "epistemic")
    assert difference.mean == pytest.approx(own - deep)
    assert difference.half_width > 0


def test_coverage_of_the_interval():
    """Gains of 300 made-up studies at 0.5: about 95 % of the intervals hold it."""
    covered, rng = 0, np.random.default_rng(0)
    for _ in range(300):
        singles, method = rng.normal(0.8, 0.02, 8), rng.normal(0.7, 0.02, 3)
        without = (singles.sum() - singles) / 7
        pool = tuple(
            PoolRecord(
                "single",
                NETWORKS,
                size,
                1,
                {"test": {"nll": PoolScore(singles.mean() - shift, tuple(without - shift))}},
            )
            for size, shift in ((1, 0.0), (4, 0.2))
        )
        runs = [run_record("batch_ensemble", i, {"test": {"nll": float(value)}}) for i, value in enumerate(method)]
        gain = gain_recovered(dataclasses.replace(study(runs), pool=pool), "batch_ensemble", "test", "nll")
        covered += gain.lower <= 0.5 <= gain.upper
    assert 0.9 <= covered / 300 <= 0.99


def test_tables_answer_and_figure():
    result = pooled(0.5)
    text = markdown_table(result)
    assert "| deep ensemble |" in text
    assert "212,072" in text
    assert "sets of 4 of the 8 single networks" in text
    assert "over 3 to 8 seeds" in text
    notes = " ".join(table.note for table in tables(result))
    assert "the networks of the pool" in notes
    assert "paired by seed" not in notes
    runs = tables(result)[-1]
    assert [column.cells[-1].text for column in runs.columns if column.title == "runs"] == ["from the pool"]
    assert any("of the deep ensemble's gain over a single network" in sentence for sentence in answer(result))
    drawn = pool_curves(result)
    assert len(drawn.figure.axes) == 4
    assert "How many independent networks" in drawn.title
    assert pool_curves(study([run_record("single", 1, quality(0.0, 1))])) is None


def test_saved_and_read_again(tmp_path):
    result = pooled(0.5)
    result.save(tmp_path / "results.json")
    read = StudyResult.load(tmp_path / "results.json")
    assert read.predicted[-2:] == [("deep_ensemble", 0), ("deep_ensemble", 1)]
    mine, theirs = (r.pooled.scores["test"]["nll"] for r in (result, read))
    assert math.isclose(mine.mean, theirs.mean, rel_tol=1e-5)
    assert theirs.without == pytest.approx(mine.without, rel=1e-5)
