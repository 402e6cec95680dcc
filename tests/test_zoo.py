"""The zoo, small: every method has its worth and its cost, a user's own beside ours, and a page says who is cheap."""

import json
import re
import sys
import types

import numpy as np
import pytest
from matplotlib.colors import to_hex

import be_jax
from be_jax import methods
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import Examples, StudyData
from be_jax.run import conclude
from experiments import cifar10, cifar10_config, small, zoo, zoo_config, zoo_figures, zoo_report, zoo_worth
from experiments.zoo_methods import VARIANTS

pytestmark = pytest.mark.slow

PAIR = methods.Method(
    "pair",
    "a pair of {members}",
    methods.Style("#123456", "d", "-"),
    lambda model, o: be_jax.batch_ensemble(model, o.members, init=be_jax.fast_init.normal(1.0)),
)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "users_own", types.SimpleNamespace(PAIR=PAIR))
        config = zoo_config.Config(
            methods=("single", "copies", "mc_dropout"),
            variants=("tabm", "batch_ensemble_sign_16", "adapted"),
            method=("users_own:PAIR",),
            rounds=1,
            seeds=(1000, 1001, 1002),
            pool_size=6,
            members=2,
            train=TrainConfig(epochs=1, milestones=()),
            corruptions=("rotate",),
            severities=(3,),
            out=tmp_path_factory.mktemp("zoo"),
        )
        study = zoo.make_study(config)
        result, judgement = conclude(study, "experiments.zoo", weights=False, shift_equivalents=True)
        return json.loads(small.to_json(zoo.record_of(config, study, judgement, result)))


def test_where_members_stand_alone_is_told(record):
    """A single network is its own member; dropout samples are worse than what they make together."""
    assert record["alone"].keys() == {"copies", *record["equivalents"]}
    assert record["alone"]["mc_dropout"]["method"] > record["methods"]["mc_dropout"]["test nll_scaled"]["method"]
    together, alone = record["controls"]["identical members"], record["alone"]["copies"]
    assert alone["value"] == pytest.approx(together["value"], rel=1e-2, abs=1e-2)
    assert "a member alone, scaled test NLL" in zoo_report.to_markdown(record)
    without = {name: value for name, value in record.items() if name != "alone"}
    assert "a member alone" not in zoo_report.to_markdown(without)


def test_what_is_learned_apart_is_told_where_the_control_is():
    def row(value):
        return {"value": value, "pieces": [[value - 0.1, value + 0.1]]}

    ends = ("test nll_scaled", "shift nll_scaled")
    told = {"tabm": dict(zip(ends, map(row, (0.8, 0.6)), strict=True)), "tabm_held": dict.fromkeys(ends, row(0.5))}
    record = {"data": "cifar10 (32x32x3)", "methods": told, "undertrained": {}}
    undertrained, without = record | {"undertrained": {"tabm_held": "why"}}, {"methods": {"tabm": told["tabm"]}}
    zoos = {"here": record, "there": record, "nowhere": undertrained, "never": without, "not": {}}
    (said,) = zoo_report.learned_apart(zoos)
    here, there = (f"50 % [40, 60] (80 % [70, 90]) {where}" for where in ("here", "there"))
    assert said.endswith(f"recovers (and TabM's start) in scaled test NLL {here} and {there}.")
    told["tabm_held"]["shift nll_scaled"] = row(0.3)
    (said,) = zoo_report.learned_apart({"here": record})
    assert said.endswith("; in scaled shift NLL 30 % [20, 40] (60 % [50, 70]) here.")
    assert zoo_report.learned_apart(dict(list(zoos.items())[2:])) == []


def test_every_method_has_its_worth_and_its_cost(record):
    compared = {"mc_dropout", "tabm", "batch_ensemble_sign_16", "adapted", "pair"}
    assert record["equivalents"].keys() == compared
    assert record["costs"].keys() == compared | {"single", "copies", *(f"deep_ensemble_{m}" for m in (2, 4, 8))}
    for name in compared:
        assert set(zoo_report.ENDPOINTS) <= record["equivalents"][name].keys()
        assert 1 <= record["equivalents"][name]["test nll_scaled"]["value"] <= 4
    assert record["labels"]["pair"] == "a pair of 2"


def test_costs_are_multiples_of_a_single_networks(record):
    parameters, predicted, *_ = zoo_report.COSTS.values()
    for size in (2, 4, 8):
        for cost in (parameters, predicted):
            assert zoo_report.relative(record, f"deep_ensemble_{size}", cost) == pytest.approx(size, rel=0.02)
    assert zoo_report.relative(record, "mc_dropout", parameters) == 1
    assert 1 < zoo_report.relative(record, "pair", parameters) < 1.1
    assert zoo_report.relative(record, "batch_ensemble_sign_16", predicted) > 15


def test_the_page_has_every_method_the_best_first(record):
    told = record | {"failed": "", "undertrained": {"pair": "why"}}
    page = zoo_report.to_markdown(told)
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    worths = [float(row.split("|")[2].strip("<> ").split(" ")[0]) for row in rows[1:]]
    assert len(worths) == 5
    assert worths == sorted(worths, reverse=True)
    assert [row for row in rows if row.endswith("| yes |")] == [row for row in rows if "a pair of 2" in row]


def test_seeds_of_methods_that_have_more_are_told(record):
    assert ", 3 seeds, a pool" in zoo_report.words_of(record)
    told = record | {"config": record["config"] | {"more_seeds": {"tabm": 2, "absent": 1}}}
    assert ", 3 seeds (5 of BatchEnsemble, TabM's start), a pool" in zoo_report.words_of(told)


def test_methods_above_the_line_are_named(record):
    told = json.loads(json.dumps(record | {"failed": "", "undertrained": {"tabm": "why"}}))
    for name, lower in {"tabm": 3.8, "pair": 1.5, "mc_dropout": 1.0, "adapted": 1.0}.items():
        worth = {"value": 3.9, "lower": lower, "upper": 4.0, "beyond": ""}
        told["equivalents"][name]["test nll_scaled"] |= worth
    told["equivalents"]["batch_ensemble_sign_16"]["test nll_scaled"] |= {
        "value": 3.9,
        "lower": 3.8,
        "upper": 4.0,
        "beyond": "",
    }
    first, *_ = zoo_report.sentences(told)
    signs = next(label for name, label in told["labels"].items() if name == "batch_ensemble_sign_16")
    assert first == (
        "Of 4 methods these are worth more, by scaled test NLL, than a deep ensemble with as many parameters: "
        f"{signs} (3.9 [3.8, > 4]), a pair of 2 (3.9 [1.5, > 4]); as many FLOPs of a prediction: none."
    )
    assert zoo_report.sentences(told | {"failed": "copies"}) == []


def test_the_table_to_sort_has_the_same_rows(record):
    source = zoo_report.to_html(record | {"failed": ""})
    assert source.count("<tr>") == 1 + 5
    assert source.count("<th>") == len(zoo_report.heads(record))
    assert "<td>a pair of 2</td>" in source


def test_the_method_that_the_page_shows_is_one(tmp_path, monkeypatch):
    (tmp_path / "shown_method.py").write_text(re.search("```python\n(.*?)```", zoo_report.TAKE_PART, re.DOTALL)[1])
    monkeypatch.syspath_prepend(tmp_path)
    row = zoo_config.users_method("shown_method:my_method")
    ensemble = row.build(be_jax.models.MLP(), methods.Options(members=3))
    assert (row.name, ensemble.members) == ("far_start", 3)


def test_a_failed_control_leaves_no_worth(record):
    failed = record | {"failed": "identical members: by test nll_scaled, not 0"}
    assert zoo_report.worth(failed, "pair", "test nll_scaled") is None
    assert "No verdict: a control failed" in zoo_report.to_markdown(failed)


def test_the_figure_has_the_line_and_every_method(record):
    timed = json.loads(json.dumps(record | {"failed": "", "undertrained": {"pair": "why"}}))
    for cost in timed["costs"].values():
        cost["latency"]["median"] += zoo_worth.SHORTEST
    panels = zoo_report.draw(timed)["zoo"].axes
    assert len(panels) == 4
    for axes in panels:
        line, *marks = [each for each in axes.lines if each.get_label()[0] != "_"]
        assert list(line.get_ydata()) == [1, 2, 4, 8]
        hollow = {each.get_label(): to_hex(each.get_markerfacecolor()) == "#ffffff" for each in marks}
        assert hollow == {record["labels"][name]: name == "pair" for name in record["equivalents"]}
    assert zoo_report.heads(timed)[-2:] == ("latency of one example", "undertrained")


def test_latency_is_not_told_where_it_is_that_of_starting_a_program(record):
    short, untimed = json.loads(json.dumps(record)), json.loads(json.dumps(record))
    short["costs"]["single"]["latency"]["median"] = 0.9 * zoo_worth.SHORTEST
    for cost in untimed["costs"].values():
        cost["latency"] = None
    for told, words in ((short, "the start of a program"), (untimed, "")):
        assert [bool(axes.lines) for axes in zoo_report.draw(told)["zoo"].axes] == [True] * 3 + [False]
        assert "latency of one example" not in zoo_report.heads(told)
        assert ("start of a program" in zoo_report.of_costs(told)) == bool(words)


def test_methods_that_are_all_worse_than_one_network_stand_in_the_order_of_their_gains(record):
    told = json.loads(json.dumps(record | {"failed": ""}))
    gains = {"pair": -0.5, "mc_dropout": -0.1, "adapted": -0.9}
    for name, gain in gains.items():
        told["equivalents"][name]["test nll_scaled"] |= {"value": 1.0, "lower": 1.0, "upper": 1.0, "beyond": "<"}
        told["methods"][name]["test nll_scaled"]["value"] = gain
    labels = [row[0] for row in zoo_report._rows(told)]
    assert [label for label in labels if label in {told["labels"][name] for name in gains}] == [
        told["labels"][name] for name in sorted(gains, key=gains.get, reverse=True)
    ]


def test_a_row_is_blue_where_its_worth_is_above_its_operations(record):
    told = json.loads(json.dumps(record | {"failed": "", "undertrained": {}}))
    worths = {"pair": (3.9, 3.0, 4.0), "mc_dropout": (0.5, 0.1, 0.9), "adapted": (3.0, 1.0, 4.0)}
    for name, (value, lower, upper) in worths.items():
        of = {"value": value, "lower": lower, "upper": upper, "beyond": ""}
        told["equivalents"][name]["test nll_scaled"] |= of
    axes, *_ = zoo_report.draw(told)["zoo_rows"].axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[-1] == "deep ensemble of 2 (by definition)"
    bars = {
        labels[int(line.get_ydata()[0])]: line.get_color()
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"
    }
    colours = [bars[told["labels"][name]] for name in worths]
    assert colours == [zoo_figures.ABOVE, zoo_figures.BELOW, zoo_figures.OPEN]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("no_such_module_here:M", "No module named"),
        ("be_jax:nothing", "has no attribute 'nothing'"),
        ("be_jax.methods:TABLE", "must be a be_jax.methods.Method; got dict"),
        ("", "must be module:name"),
    ],
)
def test_a_method_that_is_none_is_refused(where, message):
    with pytest.raises(ConfigError, match=message):
        zoo_config.users_method(where)


def test_names_are_told_apart():
    assert not VARIANTS.keys() & methods.TABLE.keys()
    assert len({row.label for row in VARIANTS.values()}) == len(VARIANTS)
    with pytest.raises(ConfigError, match="with 'single' and 'copies'"):
        zoo_config.Config(methods=("single",))


def test_a_pool_that_gives_no_scale_is_refused_before_it_is_trained():
    with pytest.raises(ConfigError, match=r"pool_size must be at least 5.*; got 4"):
        zoo_config.Config(pool_size=4)


def test_costs_are_those_of_what_is_trained():
    own = {"methods": ("single", "copies", "batch_ensemble"), "variants": (), "rounds": 0, "members": 2}
    configs = [zoo_config.Config(rank=rank, **own) for rank in (1, 3)]
    first, third = (zoo.costs_of(config, zoo.make_study(config)) for config in configs)
    assert first["single"]["parameters"] == third["single"]["parameters"]
    per_term = sum(i + o for i, o in ((784, 64), (64, 32), (32, 16), (16, 10)))
    assert third["batch_ensemble"]["parameters"] - first["batch_ensemble"]["parameters"] == 2 * 2 * per_term


def test_the_zoo_of_cifar10_goes_on_in_the_folder_of_its_study(monkeypatch):
    shape = (10, 32, 32, 3)
    examples = Examples(np.zeros(shape, np.uint8), np.arange(10))
    data = StudyData("tiny", examples, examples, examples, {}, 10)
    monkeypatch.setattr(cifar10, "load_data", lambda config: data)
    config, own = zoo_config.PRESETS["cifar10"], cifar10_config.CPU
    study, of_study = zoo.make_study(config), cifar10.make_study(own)
    assert study.identity == of_study.identity
    theirs = {method.name: method for method in of_study.methods}
    ours = {method.name: method for method in study.methods}
    assert ours.keys() >= theirs.keys() | {"snapshot", "norm_ensemble"}
    assert all(ours[name].train == method.train for name, method in theirs.items())
    assert zoo_config.Config(model="lenet").name == "zoo_lenet"
