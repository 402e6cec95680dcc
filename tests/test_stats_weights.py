"""Weights as samples: of two orders of hidden units the one that brings members nearer."""

from be_jax.stats import PARAMETERS, Weights
from be_jax.stats.weights import MATCHED


def test_the_nearer_order_of_units_is_judged():
    names = ("kernel_distance", f"{MATCHED}kernel_distance", "loss_barrier", f"{MATCHED}loss_barrier")
    scores = {(42,): dict(zip(names, (0.6, 0.7, 1.2, 0.4), strict=True))}
    own, _ = Weights({}, {"m": scores, "deep_ensemble": scores}).samples("m", [42], "s", pool=None, joint=[42])
    assert {k: float(v[0]) for k, v in own.scores[0].items()} == {
        (PARAMETERS, "kernel_distance"): 0.6,
        (PARAMETERS, "loss_barrier"): 0.4,
    }
