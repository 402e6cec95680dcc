"""The constructors: each lifts a flax module for one member into an `Ensemble`, as a row of the table there says.

A module is one of `flax.linen`; or one of `flax.nnx`, or a function `rngs -> module` that makes one (`be_jax.nn.nnx`).
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

import flax.linen as nn

from be_jax.ensemble import Ensemble
from be_jax.nn import fast_init
from be_jax.nn.checks import check_positive
from be_jax.nn.fast import ByPath, FullRank, LowRankSum, RankK
from be_jax.nn.globs import Globs, as_globs
from be_jax.nn.lift import Lift
from be_jax.nn.masks import Masks
from be_jax.nn.nnx import as_linen
from be_jax.nn.own import Own

Init = str | fast_init.FastInit | Mapping[str, str | fast_init.FastInit]
"""An initialiser or its name, for all layers; or one for each glob, of which the first that matches a layer counts."""

Paths = str | Iterable[str]
"""One glob or several over the paths of layers: `*` and `?` stay between two slashes, `**` does not."""


def single(model: nn.Module) -> Ensemble:
    """One network, as an ensemble of one: predictions are `[1, b, c]`."""
    return Ensemble(as_linen(model), members=1, norm_over_members=True)


def mc_dropout(model: nn.Module, members: int) -> Ensemble:
    """One network, of which `predict` draws `members` dropout samples (Gal and Ghahramani 2016, arXiv 1506.02142).

    `nn.Dropout` and the dropout of flax's attention are sampled.

    Raises:
      ValueError: `members` < 1; at `init`, a model without dropout, whose samples would all agree.
    """
    return Ensemble(as_linen(model), members, norm_over_members=True, samples_at_prediction=True)


def batch_ensemble(
    model: nn.Module,
    members: int,
    rank: int = 1,
    init: Init = "random_sign",
    *,
    init_s: Init | None = None,
    norm: Literal["shared", "per_member"] = "shared",
    only: Paths | None = None,
    shared: Paths = (),
) -> Ensemble:
    """`members` networks that share every kernel and differ by fast weights of this rank (arXiv 2002.06715).

    Lifted are `nn.Dense`, `nn.DenseGeneral` over the last axes, every `nn.Conv` and `nn.ConvTranspose`, `nn.Embed` (s
    only), and subclasses of these, wherever they stand in the model.

    Args:
      model: a flax module for one member.
      members: m.
      rank: k of the multiplicative mask; the output variance at initialisation does not depend on it.
      init: how r (and s, unless `init_s` says otherwise) starts: "random_sign", "normal" (N(1, 0.5), the study's),
        "ones" (copies, until members see examples or dropout masks of their own), or one of `be_jax.fast_init`; or a
        mapping of globs to these, which must cover every lifted layer.
      init_s: how s starts, where it differs from r.
      norm: batch-normalisation statistics over all `m * b` examples ("shared", as published implementations do), or
        over each member's own. Scale and offset are shared either way.
      only: globs of the layers that are lifted; the others are shared as they are.
      shared: globs of layers, or of parameters, that are knowingly shared as they are.

    Raises:
      ValueError: `members` or `rank` < 1, an unknown `init` or `norm`; at `init`, a glob that matches no layer, a layer
        that an `init` mapping leaves out, a model in which nothing was lifted.
    """
    check_positive("rank", rank)
    init_r = _by_path(init)
    lift = Lift(RankK(rank, init_r, init_r if init_s is None else _by_path(init_s)), _only(only), as_globs(shared))
    return _sharing(model, members, lift, norm)


def full_rank(
    model: nn.Module,
    members: int,
    init: Init = "random_sign",
    *,
    norm: Literal["shared", "per_member"] = "shared",
    only: Paths | None = None,
    shared: Paths = (),
) -> Ensemble:
    """`members` networks of dense layers that share every kernel up to a full multiplicative mask of their own.

    Args:
      model: a flax module for one member.
      members: m.
      init: how the entries of the masks start, as in `batch_ensemble`, as `norm`, `only` and `shared` are.
      norm: see there.
      only: see there.
      shared: see there.

    Raises:
      ValueError: as in `batch_ensemble`; at `init`, a model with convolutions that are not `shared`.
    """
    return _sharing(model, members, Lift(FullRank(_by_path(init)), _only(only), as_globs(shared)), norm)


def lora_ensemble(
    model: nn.Module,
    members: int,
    rank: int = 1,
    *,
    std: float = 0.5,
    only: Paths | None = None,
    shared: Paths = (),
) -> Ensemble:
    """`members` networks whose dense layers differ by a sum of this rank (LoRA-Ensemble, arXiv 2405.14438).

    Args:
      model: a flax module for one member.
      members: m.
      rank: k of the sum that each member adds to a kernel.
      std: scale of the second factor at the start, relative to unit inputs; 0 starts as copies, as LoRA does.
      only: globs of the layers that are lifted, such as those of attention alone.
      shared: globs of layers, or of parameters, that are knowingly shared as they are, such as convolutions.

    Raises:
      ValueError: `members` or `rank` < 1, `std` < 0; at `init`, a glob that matches no layer, nothing lifted.
    """
    check_positive("rank", rank)
    _check_spread("std", std)
    return _sharing(model, members, Lift(LowRankSum(rank, std), _only(only), as_globs(shared)), "shared")


def norm_ensemble(model: nn.Module, members: int, *, spread: float = 0.5) -> Ensemble:
    """`members` networks with scales and offsets of their own in every normalisation (FiLM-Ensemble, 2206.00050).

    Args:
      model: a flax module for one member, with normalisation layers that have a scale or an offset.
      members: m.
      spread: members' scales start at the model's times N(1, spread^2), offsets at the model's plus N(0, spread^2).

    Raises:
      ValueError: `members` < 1, `spread` < 0; at `init`, a model without such layers.
    """
    _check_spread("spread", spread)
    own = Own(norms=True, spread=spread)
    return Ensemble(as_linen(model), members, frozenset({"fast"}), own=own, norm_over_members=True)


def last_layer(model: nn.Module, members: int, only: Paths | None = None, *, spread: float = 0.1) -> Ensemble:
    """`members` heads of their own on one shared network, drawn independently.

    Args:
      model: a flax module for one member.
      members: m.
      only: globs of the layers that each member has for itself, such as "Dense_3" or "head/**"; None for the linear
        layer that is called last.
      spread: from a trained network, heads start at its own times N(1, spread^2).

    Raises:
      ValueError: `members` < 1, `spread` < 0; at `init`, a glob that matches nothing.
    """
    _check_spread("spread", spread)
    own = Own(() if only is None else as_globs(only), last=only is None, spread=spread)
    return Ensemble(as_linen(model), members, frozenset({"fast"}), own=own, norm_over_members=True)


def masksembles(model: nn.Module, members: int, scale: float = 2.0) -> Ensemble:
    """One network in which each member keeps units of its own, wherever the model has `nn.Dropout` (2012.08334).

    Args:
      model: a flax module for one member.
      members: m.
      scale: how little two members' units overlap: 1 keeps all units, m / (m - 1) or so about the mean of both ends,
        large values none in common.

    Raises:
      ValueError: `members` < 1, `scale` < 1; at `init`, a model without `nn.Dropout` of a rate above 0.
    """
    lift = Lift(masks=Masks(members, scale))
    return Ensemble(as_linen(model), members, frozenset({"masks"}), lift=lift, norm_over_members=True)


def deep_ensemble(model: nn.Module, members: int) -> Ensemble:
    """`members` independent networks (Lakshminarayanan et al. 2017, arXiv 1612.01474).

    Raises:
      ValueError: `members` < 1.
    """
    return Ensemble(as_linen(model, drawn=True), members, frozenset({"params", "batch_stats"}))


def snapshot(model: nn.Module, members: int) -> Ensemble:
    """One network at the ends of `members` cycles of its learning rate (Huang et al. 2017, arXiv 1704.00109).

    An epoch loop keeps them (`be_jax.train.make_trainer`): epochs are cut into m cycles, in each of which the learning
    rate falls from its start to 0 along half a cosine, and member k is the network at the end of cycle k. In a loop of
    your own, train `single(model)`, and stack what you keep for `deep_ensemble(model, m).predict`.

    Raises:
      ValueError: `members` < 1.
    """
    return dataclasses.replace(deep_ensemble(model, members), snapshots=True)


def _sharing(model: nn.Module, members: int, lift: Lift, norm: str) -> Ensemble:
    if norm not in ("shared", "per_member"):
        raise ValueError(f"unknown norm {norm!r}; choose 'shared' or 'per_member'")
    per_member = frozenset({"fast"} if norm == "shared" else {"fast", "batch_stats"})
    return Ensemble(as_linen(model), members, per_member, lift, norm_over_members=norm == "shared")


def _by_path(init: Init) -> ByPath:
    by_path = init if isinstance(init, Mapping) else {"**": init}
    return tuple((glob, fast_init.resolve(value)) for glob, value in by_path.items())


def _only(only: Paths | None) -> Globs | None:
    return None if only is None else as_globs(only)


def _check_spread(name: str, value: float) -> None:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number >= 0; got {value!r}")
