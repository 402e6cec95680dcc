"""The rows of the ablation: a BatchEnsemble with one switch turned, or a deep ensemble trained in another way."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from be_jax import batch_ensemble, deep_ensemble, models
from be_jax.construct import full_rank
from be_jax.ensemble import Ensemble
from be_jax.nn.fast_init import FastInit, expected_cosine, normal, ones, random_sign, std_of_cosine

REFERENCE = normal(0.5)
COSINE = expected_cosine(REFERENCE, REFERENCE)
"""Of the masks of two of its members at the start: what is held where only the rank is to vary."""


class Setting(NamedTuple):
    """A row of the ablation.

    Attributes:
      label: in tables and figures.
      build: from a model and m to the ensemble.
      changes: fields of the training protocol that differ.
      cosine: expected, of the masks of two members at the start; None where members share no kernel.
      start_alone: whether it differs from the reference in nothing but the normal distribution that r and s start from.
    """

    label: str
    build: Callable[[models.MLP, int], Ensemble]
    changes: tuple[tuple[str, object], ...] = ()
    cosine: float | None = None
    start_alone: bool = False


def _start(label: str, r: FastInit, s: FastInit | None = None, rank: int = 1) -> Setting:
    s = r if s is None else s
    build = lambda model, m: batch_ensemble(model, m, rank, r, init_s=s)  # noqa: E731
    return Setting(label, build, (), expected_cosine(r, s, rank), start_alone=rank == 1)


def _reference(label: str, **changes: object) -> Setting:
    return _start(label, REFERENCE)._replace(changes=tuple(changes.items()), start_alone=not changes)


def _full(label: str, init: FastInit) -> Setting:
    return Setting(label, lambda model, m: full_rank(model, m, init), (), expected_cosine(init, ones()))


def _held(rank: int) -> Setting:
    init = normal(std_of_cosine(COSINE, rank), preserve_scale=True)
    return _start(f"rank {rank}, distance and scale kept", init, rank=rank)


def _deep(label: str, **changes: object) -> Setting:
    return Setting(label, deep_ensemble, tuple(changes.items()))


SETTINGS: dict[str, Setting] = {
    "reference": _reference("N(1, 0.5)"),
    "std_0": _start("N(1, 0)", normal(0.0)),
    "std_0.1": _start("N(1, 0.1)", normal(0.1)),
    "std_0.25": _start("N(1, 0.25)", normal(0.25)),
    "std_1": _start("N(1, 1)", normal(1.0)),
    "scale_0.5": _start("N(1, 0.5), scale kept", normal(0.5, preserve_scale=True)),
    "scale_1": _start("N(1, 1), scale kept", normal(1.0, preserve_scale=True)),
    "sign": _start("random signs", random_sign())._replace(start_alone=False),
    "r_only": _start("N(1, 0.5) for r, s = 1", REFERENCE, ones()),
    "s_only": _start("N(1, 0.5) for s, r = 1", ones(), REFERENCE),
    "rank_2": _start("rank 2", REFERENCE, rank=2),
    "rank_4": _start("rank 4", REFERENCE, rank=4),
    "full_rank": _full("full rank", REFERENCE),
    "rank_2_held": _held(2),
    "rank_4_held": _held(4),
    "full_rank_held": _full("full rank, distance and scale kept", normal((1 / COSINE - 1) ** 0.5, preserve_scale=True)),
    "rank_4_sign": _start("rank 4, random signs", random_sign(), rank=4),
    "fast_rate_0": _reference("fast learning rate x 0", fast_learning_rate_multiplier=0.0),
    "fast_rate_0.1": _reference("fast learning rate x 0.1", fast_learning_rate_multiplier=0.1),
    "fast_rate_10": _reference("fast learning rate x 10", fast_learning_rate_multiplier=10.0),
    "fast_decay": _reference("decay of r, s 1e-4", fast_weight_decay=1e-4),
    "split": _reference("one batch split over members", batch_mode="split"),
    "independent": _reference("batches of their own", batch_mode="independent"),
    "mean_rule": _reference("own weights step 1/m", gradient_rule="mean"),
    "repulsion_1": _reference("repulsive term x 1", repulsion=1.0),
    "repulsion_10": _reference("repulsive term x 10", repulsion=10.0),
    "same_dropout": _reference("members drop the same units")._replace(
        build=lambda model, m: dataclasses.replace(batch_ensemble(model, m, 1, REFERENCE), same_dropout=True),
        start_alone=False,
    ),
    "deep_mean_rule": _deep("deep ensemble, own batches, steps 1/m", gradient_rule="mean", batch_mode="independent"),
    "deep_same_batches": _deep("deep ensemble, same batches"),
    "deep_mixture": _deep("deep ensemble, same batches, loss of the mixture", loss="mixture"),
    "deep_repelled": _deep("deep ensemble, same batches, repelled at images", repulsion=1.0),
    "deep_repelled_between": _deep(
        "deep ensemble, same batches, repelled between", repulsion=1.0, repulsion_at="midpoints"
    ),
}
