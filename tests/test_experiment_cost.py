"""The table of costs: known parameters and ratios, its file, and what it says where something does not fit."""

import dataclasses

import flax.linen as nn
import pytest
from command_line import answer
from rich.console import Console

from be_jax import methods, models
from be_jax.config import ConfigError
from experiments.cost import __main__ as command
from experiments.cost import measure, shown, subjects
from experiments.cost.figure import draw
from experiments.cost.result import Result
from experiments.cost.shown import markdown, tables

pytestmark = pytest.mark.slow

PARAMETERS, FAST = 53_018, 784 + 64 + 64 + 32 + 32 + 16 + 16 + 10
"""Of the MLP; and of each member r and s."""

MEASURED = ("single", "mc_dropout", "batch_ensemble", "deep_ensemble")


class Users(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(3)(x)


@pytest.fixture(scope="module")
def counted():
    return command.measure(command.Config(networks=("mlp",), methods=MEASURED, batch=256, times=False))


@pytest.fixture(scope="module")
def timed():
    config = command.Config(networks=("mlp",), methods=("single", "batch_ensemble"), batch=4, rounds=2)
    return command.measure(config)


@pytest.mark.slow
def test_parameters_and_bytes_by_hand(counted):
    single, dropout, batch, deep = (counted.groups()["mlp", "float32"][name] for name in MEASURED)
    assert single.parameters == dropout.parameters == PARAMETERS
    assert deep.parameters == 4 * PARAMETERS
    own_bias = 64 + 32 + 16 + 10
    assert batch.parameters == PARAMETERS + 4 * (FAST + own_bias)
    for costs in (single, batch, deep):
        assert costs.variable_bytes == 4 * costs.parameters
        assert costs.checkpoint_bytes == pytest.approx(3 * costs.variable_bytes, rel=0.01)  # beside momentum, and kept


def test_four_members_compute_four_times(counted):
    single, dropout, batch, deep = (counted.groups()["mlp", "float32"][name] for name in MEASURED)
    assert single.prediction.flops == pytest.approx(256 * 2 * (PARAMETERS - 122), rel=0.02)
    assert deep.prediction.flops == pytest.approx(4 * single.prediction.flops, rel=0.01)
    assert batch.prediction.flops == pytest.approx(4 * single.prediction.flops, rel=0.03)
    assert single.step.flops < batch.step.flops
    assert dropout.step.flops == pytest.approx(single.step.flops, rel=0.1)  # trains as one member
    assert all(each.step.seconds is each.latency is each.prediction.compile_s is None for each in counted.costs)


@pytest.mark.slow
def test_seconds_and_their_share_of_the_rate(timed):
    for costs in timed.costs:
        assert costs.latency.rounds == costs.step.seconds.rounds == 2
        assert 0 < costs.prediction.seconds.fastest <= costs.prediction.seconds.median
        assert costs.step.compile_s > 0
    (table,) = tables(timed)
    share = dict(zip(table.rows, table.columns[0].cells, strict=True))["prediction of 4: ms"]
    assert float(share.text) == pytest.approx(1e3 * timed.costs[0].prediction.seconds.median, rel=0.01)


def test_what_is_saved_is_loaded(timed, counted, tmp_path):
    for result in (timed, dataclasses.replace(counted, skipped=(command.Skipped("mlp", "x", "float32", "why"),))):
        result.save(tmp_path / "cost.json")
        assert Result.load(tmp_path / "cost.json") == result


def test_the_page_and_the_figure(counted, tmp_path):
    (table,) = tables(counted)
    assert [column.title for column in table.columns] == [methods.TABLE[name].label_of({}) for name in MEASURED]
    assert table.columns[-1].cells[0].text == f"{4 * PARAMETERS:,} (4.00 x)"
    assert f"| parameters | {PARAMETERS:,} | {PARAMETERS:,} (1.00 x) |" in markdown(counted)
    command.show(counted, tmp_path / "cost.json", Console(quiet=True))
    assert {path.name for path in tmp_path.iterdir()} == {"cost.json", "cost.md", "cost.png"}
    (axes,) = (axes for axes in draw(counted).axes if axes.axison)
    drawn = {line.get_label(): line.get_xdata()[0] for line in axes.lines}
    assert drawn["deep ensemble"] == 4


def test_a_terminal_has_few_methods_at_once(counted, monkeypatch):
    monkeypatch.setattr(shown, "BESIDE_SINGLE", 2)
    first, second = tables(counted, compact=True)
    assert [column.title for column in first.columns] == ["single network", "MC dropout", "BatchEnsemble N(1, 0.5)"]
    assert [column.title for column in second.columns] == ["single network", "deep ensemble"]
    assert (first.columns[0].cells[0].text, second.columns[1].cells[0].text) == (f"{PARAMETERS:,}", "4.00 x")
    assert (first.note, second.note[:5]) == ("", "m = 4")


def test_a_model_of_ones_own(monkeypatch):
    monkeypatch.setattr(subjects.importlib, "import_module", lambda name: type("my", (), {"build": Users}))
    config = command.Config(model="my:build", input_shape=(7,), methods=("single",), times=False)
    (costs,) = command.measure(config).costs
    assert (costs.network, costs.parameters) == ("my:build", 7 * 3 + 3)


def test_what_does_not_fit_is_skipped_by_name(monkeypatch):
    config = command.Config(networks=("mlp",), methods=("single",), dtypes=("bfloat16",), times=False)
    (skipped,) = command.measure(config).skipped
    assert skipped[:3] == ("mlp", "single", "bfloat16")
    assert "no field dtype" in skipped.why
    (skipped,) = command.measure(dataclasses.replace(config, dtypes=("float32",)), has_time=lambda: False).skipped
    assert skipped.why == "no time was left"
    monkeypatch.setattr(measure, "free_memory", lambda device: 1000)
    found = command.measure(command.Config(networks=("mlp",), methods=("single",), batch=4)).costs[0]
    assert found.latency is found.step.seconds is None
    assert "0.0 are free" in found.note
    assert found.parameters == PARAMETERS


def test_bfloat16_where_there_is_a_dtype():
    assert subjects.built(subjects.NETWORKS["resnet18"], "bfloat16").dtype == "bfloat16"


def test_methods_are_those_of_the_one_list_but_controls():
    assert set(methods.TABLE) - set(subjects.METHODS) == {"copies"}
    dropout = subjects.ensemble_of(subjects.METHODS["mc_dropout"], models.MLP(), 3, (28, 28, 1))
    assert (dropout.members, dropout.model.dropout_rate) == (3, subjects.DROPOUT_RATE)


def test_the_single_network_of_equal_cost_computes_as_much_as_the_ensemble():
    config = command.Config(networks=("mlp",), methods=("deep_ensemble", "single_wide"), times=False)
    deep, wide = command.measure(config).costs
    assert wide.prediction.flops == pytest.approx(deep.prediction.flops, rel=0.03)


def test_a_method_that_does_not_fit_the_network_is_skipped():
    config = command.Config(networks=("mlp",), methods=("norm_ensemble",), times=False)
    (skipped,) = command.measure(config).skipped
    assert "the model has none" in skipped.why


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"networks": ("mpl",)}, r"networks must be different ones of mlp.*got \('mpl',\)"),
        ({"methods": ("single", "single")}, "methods must be different"),
        ({"members": 0}, "members must be an integer >= 1; got 0"),
        ({"model": "my:build"}, "input_shape must be"),
        ({"input_shape": (3,)}, "input_shape must be"),
        ({"out": command.Path("cost")}, r"named \*\.json; got"),
    ],
)
def test_bad_settings(fields, message):
    with pytest.raises(ConfigError, match=message):
        command.Config(**fields)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("my_module", "must be module:function"),
        ("no_such_module:build", "cannot be built.*no_such_module"),
        ("math:no_such", "cannot be built.*no_such"),
        ("math:sqrt", "cannot be built, called without arguments"),
        ("builtins:dict", "must build a flax.linen module; got dict"),
    ],
)
def test_a_model_that_is_none(where, message):
    with pytest.raises(ConfigError, match=message):
        subjects.users_network(where, (3,))


def test_the_command_line_says_what_is_wrong(monkeypatch, capsys):
    told = answer("experiments.cost.__main__", ["--model", "my_module", "--input-shape", "3"], monkeypatch, capsys)
    assert "error: model must be module:function" in told
