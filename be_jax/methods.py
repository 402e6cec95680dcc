"""Every method, as one row of one table: what it is called, how it is drawn, built and trained.

Studies, reports and audits take their methods from here; to add one is to add a row. Constructors are named through the
package, which imports them when a row is built: a report needs names and colours, and no flax.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import be_jax

if TYPE_CHECKING:
    import flax.linen as nn

    from be_jax.ensemble import Ensemble
    from be_jax.nn.fast_init import FastInit

Config = TypeVar("Config")

Training = Literal["pool", "joint", "samples", "cycles"]
"""How members come about: as independent networks, each trained alone ("pool"); together, in one program ("joint"); as
samples of one network ("samples"); or as one network at the ends of cycles of its learning rate ("cycles").
"""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a study may choose of its methods; each takes what concerns it.

    Attributes:
      members: m.
      rank: of fast weights and of low-rank sums.
      init_std: of r and s drawn from N(1, init_std^2).
      scale: of Masksembles, how little members' units overlap.
      last_layer: globs of the layers that members of `last_layer` have for themselves; None: the last that is called.
      shared: globs of layers, or parameters, that are knowingly shared as they are.
      input_shape: of one example; given, `single_wide` computes as much as m networks, and otherwise has a width of
        about sqrt(m) times theirs.
      dropout_rate: of the methods that live by dropout, where it is not the model's own: its field `dropout_rate`.
    """

    members: int = 4
    rank: int = 1
    init_std: float = 0.5
    scale: float = 2.0
    last_layer: tuple[str, ...] | None = None
    shared: tuple[str, ...] = ()
    input_shape: tuple[int, ...] | None = None
    dropout_rate: float | None = None


class Style(NamedTuple):
    """Colour, marker and line of a method: told apart in print and without colour vision too."""

    colour: str
    marker: str
    line: str


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of the table.

    Attributes:
      name: in folders, results and on the command line.
      label: in text; braces take fields of `Options`, such as `{init_std:g}`.
      style: in figures.
      build: from a model and the options to the ensemble.
      training: how members come about.
      protocol: fields of the training protocol that are the method's own, and no study's to choose.
      is_subject: whether this is what the study's claims are about: a BatchEnsemble whose members could differ.
      is_control: whether a claim about it is known beforehand, so that a study which finds another is broken.
      has_members: whether members can differ, so that mutual information and disagreement mean something.
    """

    name: str
    label: str
    style: Style
    build: Callable[[nn.Module, Options], Ensemble]
    training: Training = "joint"
    protocol: tuple[tuple[str, Any], ...] = ()
    is_subject: bool = False
    is_control: bool = False
    has_members: bool = True

    def label_of(self, options: Mapping[str, Any]) -> str:
        """The label in a study with these options; fields that it does not have are at their default."""
        return self.label.format(**(dataclasses.asdict(Options()) | dict(options)))

    def trained_with(self, config: Config) -> Config:
        """A training protocol (a frozen dataclass), with the method's own fields."""
        return dataclasses.replace(config, **dict(self.protocol)) if self.protocol else config  # type: ignore[type-var]


def find(name: str) -> Method:
    """The row of this name.

    Raises:
      ValueError: there is none.
    """
    if name not in TABLE:
        raise ValueError(f"unknown method {name!r}; choose from {', '.join(TABLE)}")
    return TABLE[name]


def _dropping(model: nn.Module, options: Options) -> nn.Module:
    """The model with the dropout rate of the options, if they have one."""
    rate = options.dropout_rate
    return model if rate is None else model.clone(dropout_rate=rate)


def _batch_ensemble(model: nn.Module, o: Options, init: str | FastInit) -> Ensemble:
    return be_jax.batch_ensemble(model, o.members, o.rank, init, shared=o.shared)


def _of_equal_cost(model: nn.Module, o: Options) -> nn.Module:
    """The same network, so wide that it computes about as much as m of them."""
    if o.input_shape is None:
        return be_jax.models.widen(model, math.sqrt(o.members))
    from be_jax.cost import as_costly

    return as_costly(lambda width: be_jax.models.widen(model, width / _STEPS), _STEPS, o.members, o.input_shape)


_STEPS = 64
"""Of widths between a network and one twice as wide."""


# Colours of Okabe and Ito (2008).
_BLACK, _ORANGE, _SKY, _GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
_BLUE, _VERMILION, _PURPLE, _GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"

_ROWS = (
    Method(
        "single",
        "single network",
        Style(_BLACK, "o", "-"),
        lambda model, o: be_jax.single(model),
        training="pool",
        has_members=False,
    ),
    Method(
        "mc_dropout",
        "MC dropout",
        Style(_PURPLE, "v", ":"),
        lambda model, o: be_jax.mc_dropout(_dropping(model, o), o.members),
        training="samples",
    ),
    Method(
        "batch_ensemble",
        "BatchEnsemble N(1, {init_std:g})",
        Style(_BLUE, "s", "--"),
        lambda model, o: _batch_ensemble(model, o, be_jax.fast_init.normal(o.init_std)),
        is_subject=True,
    ),
    Method(
        "batch_ensemble_sign",
        "BatchEnsemble ±1",
        Style(_ORANGE, "D", "-."),
        lambda model, o: _batch_ensemble(model, o, "random_sign"),
        is_subject=True,
    ),
    Method(
        "deep_ensemble",
        "deep ensemble",
        Style(_GREEN, "^", "-"),
        lambda model, o: be_jax.deep_ensemble(model, o.members),
        training="pool",
    ),
    Method(
        "copies",
        "{members} copies",
        Style(_GREY, "x", ":"),
        lambda model, o: dataclasses.replace(_batch_ensemble(model, o, "ones"), same_dropout=True),
        protocol=(("fast_learning_rate_multiplier", 0.0),),
        is_control=True,
    ),
    Method(
        "single_wide",
        "single network of equal cost",
        Style(_BLACK, "p", "--"),
        lambda model, o: be_jax.single(_of_equal_cost(model, o)),
        training="pool",
        has_members=False,
    ),
    Method(
        "norm_ensemble",
        "norm ensemble",
        Style(_VERMILION, "P", "--"),
        lambda model, o: be_jax.norm_ensemble(model, o.members, spread=o.init_std),
    ),
    Method(
        "lora_ensemble",
        "LoRA ensemble",
        Style(_SKY, "X", "-."),
        lambda model, o: be_jax.lora_ensemble(model, o.members, o.rank, shared=o.shared),
    ),
    Method(
        "last_layer",
        "last-layer ensemble",
        Style(_GREY, "*", "-."),
        lambda model, o: be_jax.last_layer(model, o.members, o.last_layer),
    ),
    Method(
        "masksembles",
        "Masksembles",
        Style(_PURPLE, "h", "--"),
        lambda model, o: be_jax.masksembles(_dropping(model, o), o.members, o.scale),
    ),
    Method(
        "full_rank",
        "full-rank masks",
        Style(_BLUE, "d", ":"),
        lambda model, o: be_jax.full_rank(model, o.members, be_jax.fast_init.normal(o.init_std), shared=o.shared),
    ),
    Method(
        "packed",
        "ensemble of narrow networks",
        Style(_GREEN, "<", ":"),
        lambda model, o: be_jax.deep_ensemble(be_jax.models.widen(model, 1 / math.sqrt(o.members)), o.members),
    ),
    Method(
        "snapshot",
        "snapshots of one training",
        Style(_GREEN, ">", "-."),
        lambda model, o: be_jax.snapshot(model, o.members),
        training="cycles",
    ),
)

TABLE: dict[str, Method] = {row.name: row for row in _ROWS}
"""The rows by name, in the order in which reports have them."""
