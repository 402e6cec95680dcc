"""The table of methods: one row each, values that pickle nothing and names that are told apart."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import be_jax
from be_jax import methods
from be_jax.config import TrainConfig
from be_jax.report.methods import SPARE_STYLES
from experiments.zoo_methods import VARIANTS

KEY, X = jax.random.key(0), jnp.ones((2, 28, 28, 1))
MLP = be_jax.models.MLP(dropout_rate=0.1)


def test_names_labels_and_styles_are_told_apart():
    rows = list(methods.TABLE.values())
    assert [row.name for row in rows] == list(methods.TABLE)
    assert len({row.label for row in rows}) == len({row.style for row in rows}) == len(rows)
    assert {row.name for row in rows if row.is_subject} == {"batch_ensemble", "batch_ensemble_sign"}


def test_marks_of_one_figure_are_told_apart():
    drawn = [row.style for row in (methods.TABLE | VARIANTS).values()] + list(SPARE_STYLES)
    assert len({(style.colour, style.marker) for style in drawn}) == len(drawn)


def test_labels_take_the_options_of_a_study():
    row = methods.find("batch_ensemble")
    assert row.label_of({}) == "BatchEnsemble N(1, 0.5)"
    assert row.label_of({"init_std": 0.25, "something": "else"}) == "BatchEnsemble N(1, 0.25)"


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="unknown method 'swag'; choose from single, mc_dropout, batch_ensemble"):
        methods.find("swag")


@pytest.mark.parametrize("name", methods.TABLE)
def test_members_of_every_method(name):
    row = methods.find(name)
    model = be_jax.models.LeNet() if name == "norm_ensemble" else MLP
    ensemble = row.build(model, methods.Options(members=3))
    shapes = jax.eval_shape(ensemble.init, KEY, X)
    predictions = jax.eval_shape(lambda v: ensemble.predict(v, X, KEY), shapes)
    assert predictions.shape == (3 if row.has_members else 1, 2, 10)
    assert (ensemble.members > 1) == row.has_members


def test_protocols():
    config = TrainConfig()
    assert methods.find("single").trained_with(config) is config
    copies = methods.find("copies").trained_with(config)
    assert copies == dataclasses.replace(config, fast_learning_rate_multiplier=0.0)


def size(name, **options):
    ensemble = methods.find(name).build(MLP, methods.Options(**options))
    return be_jax.count_parameters(jax.eval_shape(ensemble.init, KEY, X))


def test_a_packed_ensemble_costs_one_network_and_a_wide_one_an_ensemble():
    """By kernels between hidden layers, as FLOPs go; the first layer's inputs have the width that they have."""
    models = [methods.find(name).build(MLP, methods.Options(members=4)).model for name in ("packed", "single_wide")]
    assert [model.features for model in models] == [(32, 16, 8), (128, 64, 32)]


def test_options_reach_their_methods():
    assert size("batch_ensemble", members=2, rank=3) - size("batch_ensemble", members=2) == 2 * 2 * (
        784 + 64 + 64 + 32 + 32 + 16 + 16 + 10
    )
    assert size("last_layer", members=3) - size("single") == 2 * (16 * 10 + 10)
    assert size("last_layer", members=3, last_layer=("Dense_0",)) - size("single") == 2 * (784 * 64 + 64)
    dropping = methods.find("mc_dropout").build(be_jax.models.MLP(), methods.Options(dropout_rate=0.3))
    assert dropping.model.dropout_rate == 0.3


def test_adding_a_method_is_adding_a_row(monkeypatch):
    row = methods.Method(
        "twins", "twins", methods.Style("#000000", "1", "-"), lambda model, o: be_jax.deep_ensemble(model, 2)
    )
    monkeypatch.setitem(methods.TABLE, row.name, row)
    assert methods.find("twins").build(MLP, methods.Options()).members == 2
