"""Methods of the zoo beside those of the table: BatchEnsembles that are started, placed or counted otherwise."""

import dataclasses

import flax.linen as nn

from be_jax import batch_ensemble, lora_ensemble, models
from be_jax.ensemble import Ensemble
from be_jax.methods import TABLE, Method, Options, Style
from be_jax.nn.fast_init import expected_cosine, normal, std_of_cosine

LAYERS = {
    models.MLP: ("Dense_0", ("Dense_2", "Dense_3")),
    **dict.fromkeys((models.LeNet, models.ResNet, models.WideResNet), ("Conv_0", ("Dense_*",))),
}
"""Of each network that the zoo knows, the first layer and the last ones."""

MANY = 16


def _tabm(model: nn.Module, o: Options) -> Ensemble:
    init = {LAYERS[type(model)][0]: "random_sign", "**": "ones"}
    return batch_ensemble(model, o.members, o.rank, init, init_s="ones")


def _last_layers(model: nn.Module, o: Options) -> Ensemble:
    return batch_ensemble(model, o.members, o.rank, normal(o.init_std), only=LAYERS[type(model)][1])


def _same_dropout(model: nn.Module, o: Options) -> Ensemble:
    """Members drop the same units, as one network does; else what they share steps by the mean over m masks."""
    return dataclasses.replace(batch_ensemble(model, o.members, o.rank, normal(o.init_std)), same_dropout=True)


def _rank_4_held(model: nn.Module, o: Options) -> Ensemble:
    init = normal(o.init_std)
    held = std_of_cosine(expected_cosine(init, init), 4)
    return batch_ensemble(model, o.members, 4, normal(held, preserve_scale=True))


def _of_dense_layers(row: Method, marker: str) -> Method:
    """A method of dense layers, in a network whose convolutions all members share."""
    return dataclasses.replace(
        row,
        name=f"{row.name}_dense",
        label=f"{row.label}, dense layers",
        style=row.style._replace(marker=marker),
        build=lambda model, o: row.build(model, dataclasses.replace(o, shared=("Conv_*",))),
    )


HELD = (("trained", "shared"),)
"""The protocol of a control: members keep what tells them apart as it was drawn, and learn nothing of their own."""

FAST_ALONE = (("trained", "fast"),)
"""The protocol of methods that start from a trained network, whose weights stay as they are."""

NEARBY, NEARBY_LORA = 0.1, 0.15
"""Spreads around a trained network: drawn as far apart as for an untrained one, members would lose what it has learned.
The logits of an MLP move as far by either."""

_BLUE, _ORANGE, _SKY = (TABLE[name].style for name in ("batch_ensemble", "batch_ensemble_sign", "lora_ensemble"))
_TABM = Style("#D55E00", "8", "-.")
_ROWS = (
    Method("tabm", "BatchEnsemble, TabM's start", _TABM, _tabm),
    Method("tabm_held", "one network, TabM's start held", _TABM._replace(marker="p"), _tabm, protocol=HELD),
    Method("last_layers", "BatchEnsemble, last layers", _BLUE._replace(marker="v"), _last_layers),
    Method("same_dropout", "BatchEnsemble N(1, {init_std:g}), same dropout", _BLUE._replace(marker="D"), _same_dropout),
    Method("rank_4_held", "BatchEnsemble, rank 4", _BLUE._replace(marker="H"), _rank_4_held),
    Method(
        "batch_ensemble_16",
        "BatchEnsemble N(1, {init_std:g}), 16 members",
        _BLUE._replace(marker="8"),
        lambda model, o: batch_ensemble(model, MANY, o.rank, normal(o.init_std)),
    ),
    Method(
        "batch_ensemble_sign_16",
        "BatchEnsemble ±1, 16 members",
        _ORANGE._replace(marker="8"),
        lambda model, o: batch_ensemble(model, MANY, o.rank, "random_sign"),
    ),
    Method(
        "lora_16",
        "LoRA, 16 members",
        _SKY._replace(marker="8"),
        lambda model, o: lora_ensemble(model, MANY, o.rank),
    ),
    Method(
        "adapted",
        "BatchEnsemble of a trained network",
        _BLUE._replace(marker="*"),
        lambda model, o: batch_ensemble(model, o.members, o.rank, normal(NEARBY)),
        protocol=FAST_ALONE,
    ),
    Method(
        "adapted_lora",
        "LoRA of a trained network",
        _SKY._replace(marker="*"),
        lambda model, o: lora_ensemble(model, o.members, o.rank, std=NEARBY_LORA, shared=o.shared),
        protocol=FAST_ALONE,
    ),
)

DENSE_LAYERS = tuple(
    _of_dense_layers(row, marker)
    for row, marker in ((TABLE["lora_ensemble"], "d"), (TABLE["full_rank"], "p"), (_ROWS[-1], ">"))
)
"""For networks of convolutions."""

VARIANTS = {row.name: row for row in (*_ROWS, *DENSE_LAYERS)}

TABM = dataclasses.replace(
    VARIANTS["tabm"],
    name="tabm_32",
    label="BatchEnsemble, TabM's start, 32 members",
    build=lambda model, o: _tabm(model, dataclasses.replace(o, members=32)),
)
"""As its authors have it on tables (arXiv 2410.24210): 32 members, here of rank 1 with biases of their own."""
