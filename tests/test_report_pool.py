"""Reports of studies whose deep ensembles come from a pool of single networks."""

import dataclasses
import math

import pytest
from report_fakes import pooled_study, quality, run_record, study

from be_jax.report import answer, markdown_table
from be_jax.report.figures.pool import pool_curves
from be_jax.report.summary import look_up, summarise
from be_jax.report.tables import tables
from be_jax.results import StudyResult
from be_jax.stats import gain_recovered, judge_results


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


def test_an_interval_needs_seeds_and_a_gain_to_recover():
    few = gain_recovered(pooled(0.5, seeds=(42,)), "batch_ensemble_sign", "test", "nll")
    assert few.reason == "needs at least 3 of each, got 1 seeds of batch ensemble sign"
    result = pooled(0.5)
    flat = tuple(dataclasses.replace(record, scores=result.pool[0].scores) for record in result.pool)
    none = gain_recovered(dataclasses.replace(result, pool=flat), "batch_ensemble_sign", "test", "nll")
    assert "not measurably better" in none.reason


def test_tables_answer_and_figure():
    result = pooled(0.5)
    text = markdown_table(result)
    assert "| deep ensemble |" in text
    assert "212,072" in text
    assert "sets of 4 of the 8 single networks" in text
    assert "over 3 to 8 seeds" in text
    runs = tables(result, judge_results(result))[-1]
    assert [column.cells[-1].text for column in runs.columns if column.title == "runs"] == ["from the pool"]
    assert any("of the deep ensemble's gain in test NLL" in sentence for sentence in answer(result))
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
