"""What every metric promises: jit == no jit in one trace, and bad arguments raise with their value in the message."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from be_jax import metrics
from be_jax.metrics import Mean

RNG = np.random.default_rng(0)
MEMBERS = np.asarray(jax.nn.log_softmax(3 * RNG.normal(size=(3, 24, 5)).astype(np.float32)))
LABELS = RNG.integers(0, 5, 24)
MASK = np.arange(24) % 3 > 0
SCORES = RNG.integers(0, 9, 24).astype(np.float32)
CORRECT = RNG.random(24) > 0.4

LABELLED = ["accuracy", "nll", "brier"]
CALIBRATION = [
    "calibration_bins",
    "ece",
    "adaptive_ece",
    "classwise_ece",
    "debiased_ece",
    "brier_decomposition",
]
ENSEMBLE = [
    "mixture",
    "decompose",
    "decompose_brier",
    "decompose_zero_one",
    "variation_ratio",
    "max_probability_uncertainty",
    "disagreement",
    "disagreement_matrix",
    "pairwise_kl",
    "pairwise_js",
]
LOGITS = ["energy", "max_logit"]
ERRORS = ["same_error", "error_kappa", "yules_q"]
RANKING = ["auroc", "aupr", "fpr_at_tpr"]
SELECTIVE = ["aurc", "augrc", "coverage_at_risk", "risk_at_coverage"]
ARGUMENTS = {
    **dict.fromkeys([*LABELLED, *CALIBRATION, "smooth_ece"], (MEMBERS[0], LABELS)),
    **dict.fromkeys(ENSEMBLE, (MEMBERS,)),
    **dict.fromkeys(LOGITS, (3 * MEMBERS + 1,)),
    **dict.fromkeys(RANKING, (SCORES[:10], SCORES[10:])),
    **dict.fromkeys(SELECTIVE, (SCORES, CORRECT)),
    **dict.fromkeys(ERRORS, (MEMBERS, LABELS)),
    "temper": (MEMBERS, 2.0),
    "fit_temperature": (MEMBERS, LABELS),
    "fit_member_temperatures": (MEMBERS, LABELS),
    "is_impossible": (MEMBERS, LABELS),
    "detection": (MEMBERS[:, :10], MEMBERS[:, 10:]),
    "detection_by": ({"total": SCORES[:10], "margin": SCORES[1:11]}, {"total": SCORES[10:], "margin": SCORES[9:23]}),
    "detection_by_logits": (MEMBERS[:, :10], 2 * MEMBERS[:, 10:]),
    "disentanglement_error": tuple(SCORES.reshape(6, 4)),
}


def test_every_public_function_is_covered_here() -> None:
    functions = {name for name in metrics.__all__ if inspect.isfunction(getattr(metrics, name))}
    assert functions == ARGUMENTS.keys()
    assert sorted(metrics.__all__) == metrics.__all__


@pytest.mark.slow
@pytest.mark.parametrize("name", ARGUMENTS)
def test_jit_is_no_jit_in_one_trace(name: str) -> None:
    metric, arguments = getattr(metrics, name), ARGUMENTS[name]
    traced = jax.jit(chex.assert_max_traces(metric, n=1))
    expected = metric(*arguments)
    chex.assert_trees_all_close(traced(*arguments), expected, atol=1e-6)
    chex.assert_trees_all_close(traced(*jax.tree.map(jnp.asarray, arguments)), expected, atol=1e-6)
    assert all(leaf.dtype in (jnp.float32, jnp.int32, jnp.bool) for leaf in jax.tree.leaves(expected))


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_is_defined_passes_through_no_nan(name: str, wrap) -> None:
    with jax.debug_nans(True):
        wrap(lambda *arguments: getattr(metrics, name)(*arguments))(*ARGUMENTS[name])


@pytest.mark.parametrize("num_bins", [1, 15, 40])
def test_empty_bins_stop_no_debugging_of_nan(num_bins: int) -> None:
    with jax.debug_nans(True):
        diagram = metrics.calibration_bins(*ARGUMENTS["ece"], num_bins=num_bins).reliability
    empty = np.asarray(diagram.fraction) == 0
    np.testing.assert_array_equal(np.isnan(diagram.confidence), empty)
    np.testing.assert_array_equal(np.isnan(diagram.accuracy), empty)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [*CALIBRATION[1:], "smooth_ece", "disagreement_matrix", "error_kappa", "yules_q", *SELECTIVE]
)
def test_a_mask_of_the_same_shape_is_not_a_new_trace(name: str) -> None:
    metric, arguments = getattr(metrics, name), ARGUMENTS[name]
    traced = jax.jit(chex.assert_max_traces(metric, n=1))
    assert np.isfinite(jax.tree.leaves(traced(*arguments, mask=MASK))).all()
    assert np.isnan(jax.tree.leaves(traced(*arguments, mask=np.zeros(24, bool)))).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LABELLED, "ece", "adaptive_ece", "classwise_ece", "smooth_ece"])
def test_vmap_over_members_is_a_loop_over_members(name: str) -> None:
    metric = jax.jit(getattr(metrics, name))
    looped = np.stack([metric(member, LABELS) for member in MEMBERS])
    np.testing.assert_allclose(jax.vmap(metric, in_axes=(0, None))(MEMBERS, LABELS), looped, atol=1e-6)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", [*LABELLED, *CALIBRATION, "smooth_ece"])
def test_bad_predictions_and_labels(name: str, wrap) -> None:
    metric, log_probs = wrap(getattr(metrics, name)), MEMBERS[0]
    with pytest.raises(TypeError, match=r"labels must be integers, got float32.*astype"):
        metric(log_probs, LABELS.astype(np.float32))
    with pytest.raises(TypeError, match=r"labels must be integers, got bool"):
        metric(log_probs, LABELS > 2)
    with pytest.raises(ValueError, match=r"b = 24 .* got shape \(23,\)"):
        metric(log_probs, LABELS[:23])
    with pytest.raises(ValueError, match=r"got shape \(24, 5\)"):
        metric(log_probs, np.eye(5, dtype=int)[LABELS])
    with pytest.raises(ValueError, match=r"\[b, c\], got shape \(3, 24, 5\).*mixture"):
        metric(MEMBERS, LABELS)
    with pytest.raises(ValueError, match=r"\[b, c\], got shape \(5,\)"):
        metric(log_probs[0], LABELS)
    with pytest.raises(ValueError, match=r"along `c`, got shape \(24, 0\)"):
        metric(log_probs[:, :0], LABELS)
    with pytest.raises(TypeError, match=r"floating log-probabilities in nats, got int32.*log_softmax"):
        metric(log_probs.astype(np.int32), LABELS)


@pytest.mark.parametrize("name", CALIBRATION)
def test_bad_bins(name: str) -> None:
    metric = getattr(metrics, name)
    for bad in (0, -3):
        with pytest.raises(ValueError, match=f"num_bins must be at least 1, got {bad}"):
            metric(MEMBERS[0], LABELS, num_bins=bad)
    with pytest.raises(TypeError, match=r"num_bins must be an int .* got 1\.5"):
        metric(MEMBERS[0], LABELS, num_bins=1.5)
    with pytest.raises(TypeError, match=r"num_bins must be an int .* got True"):
        metric(MEMBERS[0], LABELS, num_bins=True)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("name", ENSEMBLE + LOGITS)
def test_bad_members(name: str, wrap) -> None:
    metric = wrap(getattr(metrics, name))
    with pytest.raises(ValueError, match=r"\[m, b, c\], got shape \(24, 5\).*\[None\]"):
        metric(MEMBERS[0])
    with pytest.raises(ValueError, match=r"at least one entry along `m`, got shape \(0, 24, 5\)"):
        metric(MEMBERS[:0])
    with pytest.raises(TypeError, match="got int32"):
        metric(MEMBERS.astype(np.int32))


@pytest.mark.parametrize("name", ERRORS)
def test_bad_members_and_labels(name: str) -> None:
    metric = getattr(metrics, name)
    with pytest.raises(ValueError, match=r"\[m, b, c\], got shape \(24, 5\).*log_probs\[None\]"):
        metric(MEMBERS[0], LABELS)
    with pytest.raises(TypeError, match="got int32"):
        metric(MEMBERS.astype(np.int32), LABELS)
    with pytest.raises(TypeError, match=r"labels must be integers, got float32.*astype"):
        metric(MEMBERS, LABELS.astype(np.float32))
    with pytest.raises(ValueError, match=r"b = 24 .* got shape \(23,\)"):
        metric(MEMBERS, LABELS[:23])


@pytest.mark.parametrize(
    "name", [*CALIBRATION, "smooth_ece", "disagreement_matrix", "error_kappa", "yules_q", *SELECTIVE]
)
def test_bad_mask(name: str) -> None:
    metric, arguments = getattr(metrics, name), ARGUMENTS[name]
    with pytest.raises(TypeError, match=r"mask must be boolean .*got int32.*astype\(bool\)"):
        metric(*arguments, mask=MASK.astype(np.int32))
    with pytest.raises(ValueError, match=r"mask must have shape \(24,\) .*got \(23,\)"):
        metric(*arguments, mask=MASK[:23])


@pytest.mark.parametrize("name", RANKING)
def test_bad_populations(name: str) -> None:
    metric, (in_scores, out_scores) = getattr(metrics, name), ARGUMENTS[name]
    with pytest.raises(TypeError, match="out_mask must be boolean"):
        metric(in_scores, out_scores, None, np.ones(14))
    with pytest.raises(ValueError, match=r"in_mask must have shape \(10,\) .*got \(14,\)"):
        metric(in_scores, out_scores, np.ones(14, bool))
    with pytest.raises(ValueError, match=r"out_scores must be \[b\].*got shape \(14, 1\)"):
        metric(in_scores, out_scores[:, None])
    with pytest.raises(TypeError, match="in_scores must be real numbers, got complex64"):
        metric(in_scores.astype(np.complex64), out_scores)


@pytest.mark.parametrize("name", SELECTIVE)
def test_bad_scores_and_correctness(name: str) -> None:
    metric = getattr(metrics, name)
    with pytest.raises(ValueError, match=r"shapes \(24,\) and \(23,\)"):
        metric(SCORES, CORRECT[:23])
    with pytest.raises(ValueError, match=r"correct must be \[b\].*got shape \(1, 24\)"):
        metric(SCORES, CORRECT[None])


@pytest.mark.parametrize(
    ("name", "argument", "bad"),
    [
        ("fpr_at_tpr", "tpr", (0, -0.1, 1.5, 95, np.nan)),
        ("risk_at_coverage", "coverage", (0, -0.1, 1.5, 80, np.nan)),
        ("coverage_at_risk", "risk", (-0.1, 1.5, 5, np.nan)),
    ],
)
def test_bad_fractions(name: str, argument: str, bad: tuple[float, ...]) -> None:
    metric = getattr(metrics, name)
    for value in bad:
        with pytest.raises(ValueError, match=rf"{argument} must be in .*got {float(value)}"):
            metric(*ARGUMENTS[name], **{argument: value})
    with pytest.raises(TypeError, match=f"{argument} must be a number fixed before tracing"):
        jax.jit(lambda value: metric(*ARGUMENTS[name], **{argument: value}))(0.5)


def test_bad_mean() -> None:
    with pytest.raises(TypeError, match="values must be real numbers, got complex64"):
        Mean.of(np.ones(2, np.complex64))
    with pytest.raises(ValueError, match=r"mask must have shape \(2,\) .*got \(3,\)"):
        Mean.of(np.ones(2), np.ones(3, bool))
