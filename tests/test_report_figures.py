"""The figures, and the statistics of single examples that they draw."""

import dataclasses
import functools
import math

import numpy as np
import pytest
from report_fakes import METHODS, POSITIONS, cifar_study, predicted_study, predictions, run_record, study, study_at

from be_jax import metrics
from be_jax.report import draw_figures, summarise
from be_jax.report.columns import DETECTION_SCORES, DISAGREEMENT
from be_jax.report.digest import Digest, digest
from be_jax.report.figures.corruptions import corruption_dots
from be_jax.report.figures.detection import detection_dots
from be_jax.report.figures.histograms import epistemic_histograms
from be_jax.report.figures.learning import learning_curves
from be_jax.report.figures.position import positions
from be_jax.report.figures.reliability import half_widths
from be_jax.report.figures.severity import severity_curves
from be_jax.report.methods import label, styles
from be_jax.report.summary import look_up
from be_jax.report.words import table_title
from be_jax.stats import Control, Interval, judge_results
from be_jax.stats.means import estimate

NAMES = ["severity", "corruptions", "ood", "reliability", "epistemic", "disagreement"]


@functools.cache
def drawn(**kwargs):
    result, load = predicted_study(**kwargs)
    illustrations = draw_figures(result, load)
    for illustration in illustrations:
        illustration.figure.draw_without_rendering()
        assert illustration.alt
        assert illustration.caption.endswith(".")
    return {illustration.name: illustration for illustration in illustrations}


@pytest.mark.slow
def test_all_figures_in_order():
    assert list(drawn()) == NAMES


def test_no_bar_beyond_the_first_bin_is_cut():
    for axes in drawn()["epistemic"].figure.axes:
        assert axes.get_ylim()[1] > max(stairs.get_data().values[1:].max() for stairs in axes.patches)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kwargs", "names"),
    [
        ({"seeds": (42,)}, NAMES),
        ({"diverged": (("single", 42), ("deep_ensemble", 42), ("deep_ensemble", 69))}, NAMES),
        ({"ood": ()}, [name for name in NAMES if name != "ood"]),
        ({"corruptions": ()}, NAMES[2:]),
        ({"methods": ("single",)}, NAMES[:4]),
        ({"methods": ("batch_ensemble", "something_else")}, NAMES),
        ({"methods": ("single",), "diverged": (("single", 42), ("single", 69))}, []),
    ],
    ids=["one seed", "diverged", "no OOD", "no shift", "single only", "others", "all diverged"],
)
def test_figures_of_what_there_is(kwargs, names):
    assert list(drawn(**kwargs)) == names


def test_diverged_runs_are_not_loaded():
    result, load = predicted_study(diverged=(("single", 42),))
    loaded = []
    digest(result, lambda method, seed: loaded.append((method, seed)) or load(method, seed))
    assert loaded == [(r.method, r.seed) for r in result.runs if r.status != "diverged"]


def test_only_what_is_drawn_is_read():
    result, load = predicted_study(methods=("single",), seeds=(42,))
    read = []

    class Lazy(dict):
        def __getitem__(self, key):
            read.append(key)
            return super().__getitem__(key)

    digest(result, lambda method, seed: Lazy(load(method, seed)))
    assert "test/log_probs" in read
    assert not any(key.startswith("shift/") and "_3/" not in key for key in read)


@pytest.mark.slow
def test_digest_is_that_of_the_metrics():
    result, load = predicted_study(methods=("single", "batch_ensemble"))
    found = digest(result, load)
    arrays = [load("batch_ensemble", seed) for seed in (42, 69)]
    test, ood = ([a[f"{name}/log_probs"] for a in arrays] for name in ("test", "ood/letters"))

    expected = np.concatenate([metrics.decompose(x).epistemic for x in ood])
    np.testing.assert_allclose(found.epistemic["batch_ensemble", "ood/letters"], expected, rtol=1e-5, atol=1e-7)
    expected = np.mean([metrics.disagreement_matrix(x) for x in test], axis=0)
    np.testing.assert_allclose(found.disagreement["batch_ensemble", "test"], expected, rtol=1e-6)
    assert found.sets("bins") == ["test", "shift/severity_3"]

    log_probs = np.concatenate([metrics.mixture(a[f"shift/{c}_3/log_probs"]) for a in arrays for c in ("fog", "shear")])
    labels = np.concatenate([a[f"shift/{c}_3/labels"] for a in arrays for c in ("fog", "shear")])
    whole = metrics.calibration_bins(log_probs, labels)
    of_runs = found.bins["batch_ensemble", "shift/severity_3"]
    assert len(of_runs) == 2
    for summed, at_once in zip(of_runs[0] + of_runs[1], whole, strict=True):
        np.testing.assert_allclose(summed, at_once, rtol=1e-5)


def test_severity_curves_draw_the_scores_from_test_on():
    result, _ = predicted_study(methods=("single",), seeds=(42,))
    line = severity_curves(result).figure.axes[0].containers[0].lines[0]
    scores = result.runs[0].scores
    expected = [100 * scores[name]["accuracy"] for name in ("test", "shift/severity_1", "shift/severity_3")]
    np.testing.assert_allclose(line.get_xdata(orig=False), [0, 1, 3])
    np.testing.assert_allclose(line.get_ydata(orig=False), expected)
    assert "One seed" in severity_curves(result).caption


def test_learning_curves_are_means_over_the_runs_that_were_measured():
    def trained(seed, epochs, nll):
        curve = {"epoch": epochs, "train_nll": nll, "train_accuracy": (0.5,) * len(nll), "validation_nll": nll}
        return dataclasses.replace(run_record("single", seed, {}), curve=curve)

    result = study(
        [trained(0, (2, 4, 6), (1.0, 0.6, 0.1)), trained(1, (2, 4), (2.0, 0.8)), run_record("copies", 0, {})]
    )
    drawn = learning_curves(result)
    fits, accuracies, _ = (axes.get_lines() for axes in drawn.figure.axes)
    assert [line.get_label() for line in fits] == ["single network"]  # nothing was kept of the copies
    np.testing.assert_allclose(fits[0].get_xydata(), [(2, 1.5), (4, 0.7), (6, 0.1)])
    np.testing.assert_allclose(accuracies[0].get_ydata(), 50)
    (band,) = drawn.figure.axes[0].collections
    assert band.get_datalim(drawn.figure.axes[0].transData).intervaly.tolist() == [0.1, 2.0]
    assert learning_curves(study([run_record("single", 0, {})])) is None


def bars(errorbars):
    """The line through a method's means, and the lengths of its error bars (0 where there is no mean)."""
    means, _, (lines,) = errorbars.lines
    return means, [np.ptp(ends, axis=0).max() if len(ends) else 0.0 for ends in lines.get_segments()]


def test_corruption_dots_draw_the_scores_with_their_intervals_the_hardest_on_top():
    result = cifar_study()
    drawing, summary = corruption_dots(result), summarise(result)
    axes = drawing.figure.axes[1]
    names = [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
    hardness = [look_up(summary, "single", f"shift/generated_{name.replace(' ', '_')}", "accuracy") for name in names]
    assert [e.mean for e in hardness] == sorted((e.mean for e in hardness), reverse=True)
    assert len(axes.containers) == len(result.methods) == 5
    for method, errorbars in zip(result.methods, axes.containers, strict=True):
        nll = [look_up(summary, method, f"shift/generated_{name.replace(' ', '_')}", "nll") for name in names]
        means, lengths = bars(errorbars)
        np.testing.assert_allclose(means.get_xdata(orig=False), [e.mean for e in nll])
        np.testing.assert_allclose(lengths, [2 * e.half_width for e in nll])
    assert "not CIFAR-10-C" in drawing.caption
    assert "jackknife" in drawing.caption


def test_detection_dots_draw_every_score_but_the_single_network_s_mutual_information():
    result = cifar_study()
    figure, summary = detection_dots(result).figure, summarise(result)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["cifar100 (near)", "mnist in colour (far)"]
    for method, errorbars in zip(result.methods, figure.axes[0].containers, strict=True):
        means, lengths = bars(errorbars)
        none = [method == "single" and score == "epistemic" for score in DETECTION_SCORES]
        estimates = [look_up(summary, method, "ood/cifar100", f"auroc_{score}") for score in DETECTION_SCORES]
        np.testing.assert_allclose(means.get_ydata(orig=False), np.where(none, np.nan, [e.mean for e in estimates]))
        np.testing.assert_allclose(lengths, np.where(none, 0, [2 * e.half_width for e in estimates]))


def test_intervals_of_bins_with_equal_counts_are_those_of_the_mean():
    correct = np.array([[3.0, 6.0], [5.0, 7.0], [4.0, 9.0], [2.0, 7.0]])
    runs = [metrics.Bins(np.array([10, 10]), row, row) for row in correct]
    np.testing.assert_allclose(half_widths(runs), [estimate(column / 10).half_width for column in correct.T], rtol=1e-6)
    assert np.isnan(half_widths(runs[:2])).all()
    alone = metrics.Bins(np.array([10, 0]), np.zeros(2), np.zeros(2))
    assert np.isnan(half_widths([alone, alone, runs[0]])).tolist() == [False, True]


def test_captions_say_what_the_bars_are():
    assert "over seeds, of the deep ensemble the jackknife's" in corruption_dots(cifar_study()).caption
    assert "Bars are 95 % t-intervals over seeds." in drawn()["ood"].caption
    assert "One seed" in drawn(seeds=(42,))["corruptions"].caption


def test_histograms_count_every_example():
    result, load = predicted_study()
    figure = epistemic_histograms(result, digest(result, load)).figure
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert [round(sum(patch.get_data().values), 6) for patch in axes.patches] == [1.0, 1.0]


def test_histograms_count_what_lies_outside_in_the_outermost_bins():
    values = np.array([0.0, 1e-30, 1e-3, 5.0], np.float32)
    examples = Digest({}, {("batch_ensemble", "test"): values}, {})
    result, _ = predicted_study(methods=("batch_ensemble",))
    heights = epistemic_histograms(result, examples).figure.axes[0].patches[0].get_data().values
    assert (heights[0], heights.sum(), heights[-1]) == (0.5, 1.0, 0.25)


def test_reliability_leaves_nearly_empty_bins_out():
    result, load = predicted_study(methods=("single",))
    axes = drawn(methods=("single",))["reliability"].figure.axes[0]
    counts = sum(np.asarray(bins.count) for bins in digest(result, load).bins["single", "test"])
    assert len(axes.containers[0].lines[0].get_xdata()) == np.sum(counts >= 20) < np.sum(counts > 0)


def test_disagreement_numbers_are_percent():
    axes = drawn()["disagreement"].figure.axes[3]
    mean = look_up(summarise(predicted_study()[0]), "deep_ensemble", "test", "disagreement")
    assert axes.get_xlabel() == f"mean {DISAGREEMENT.shown(mean)} %"
    matrix = digest(*predicted_study()).disagreement["deep_ensemble", "test"]
    assert [text.get_text() for text in axes.texts] == [f"{100 * value:.1f}" for value in matrix.ravel()]


def test_captions_say_what_a_single_network_has_not():
    figures = drawn()
    assert "A single network has no members" in figures["epistemic"].caption
    assert "not MNIST-C" in figures["severity"].caption


def test_methods_are_told_apart_by_colour_and_marker():
    taken = styles((*METHODS, "a", "b", "c"))
    assert len({style.colour for style in taken.values()}) == len({style.marker for style in taken.values()}) == 8
    assert taken["single"] == styles(("single",))["single"]


def test_predictions_of_the_fakes_are_distributions():
    np.testing.assert_allclose(np.exp(predictions("single", 1, count=20)["test/log_probs"]).sum(-1), 1, rtol=1e-5)


def test_positions_have_a_line_for_each_method_and_endpoint_and_the_controls():
    result = study_at(POSITIONS)
    judgement = judge_results(result)
    control = Control("identical members", 0.0, Interval(0.1, ((-0.2, 0.3),)), True)
    unbounded = Interval(0.4, ((-math.inf, 0.2), (0.9, math.inf)))
    first, *others = judgement.methods
    rows = (dataclasses.replace(first.rows[0], position=unbounded, reason="open"), *first.rows[1:])
    judgement = dataclasses.replace(
        judgement, controls=(control,), methods=(dataclasses.replace(first, rows=rows), *others)
    )
    drawn = positions(result, judgement)
    (axes,) = drawn.figure.axes
    labels = [text.get_text() for text in drawn.figure.legends[0].get_texts()]
    assert labels == [*(label(result, each.name) for each in judgement.methods), "identical members (control)"]
    titles = [tick.get_text() for tick in axes.get_yticklabels()]
    assert titles == [*(table_title(endpoint) for endpoint in judgement.config.quality), "controls"]
    arrows = [line for line in axes.lines if line.get_marker() in ("<", ">")]
    assert [line.get_marker() for line in arrows] == ["<", ">"]
    whole = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.5]
    assert len(whole) == len(judgement.methods) * len(judgement.config.quality) + 1 + 1
    row = others[0].rows[0]
    assert any(np.allclose(ends, [row.position.lower, row.position.upper]) for ends in whole)
    assert "identical members: passed" in drawn.caption
