"""The ablation: one switch at a time, each setting against a deep ensemble of as many members, restarts, a figure."""

import dataclasses
import json

import numpy as np
import pytest

from be_jax import ensemble
from be_jax.config import ConfigError
from be_jax.data import Examples, StudyData
from be_jax.results import RunRecord
from be_jax.runs import RunError
from experiments import ablation, mnist
from experiments.ablation_figures import caption, draw, to_markdown
from experiments.recovery import save_record

SEEDS = (1, 2, 3, 4)
SMALL = ablation.Config(
    seeds=SEEDS,
    repulsions=(2.0,),
    init_stds=(0.0,),
    fast_learning_rates=(0.5,),
    fast_weight_decays=(1e-4,),
    ranks=(2,),
    other_members=(2,),
)
LENET = [
    ("single", "single", 1),
    ("deep_ensemble", "4", 4),
    ("batch statistics", "shared", 4),
    ("batch statistics", "per member", 4),
]
SETTINGS = [
    ("single", "single", 1),
    ("deep_ensemble", "4", 4),
    ("deep_ensemble", "2", 2),
    ("start of r, s", "N(1, 0.5)", 4),
    ("start of r, s", "N(1, 0)", 4),
    ("start of r, s", "random signs", 4),
    ("start of r, s", "N(1, 0.5) for r, s = 1", 4),
    ("start of r, s", "N(1, 0.5) for s, r = 1", 4),
    ("batches of members", "split", 4),
    ("batches of members", "independent", 4),
    ("loss over members", "mean", 4),
    ("repulsive term x", "2.0", 4),
    ("fast learning rate x", "0.5", 4),
    ("decay of r, s", "0.0001", 4),
    ("rank", "2", 4),
    ("rank", "full", 4),
    ("members", "2", 2),
    ("deep ensemble with", "mean loss", 4),
    ("deep ensemble with", "same batches", 4),
    *LENET,
]


def quality(trained):
    """Of the fakes: a deep ensemble gains 0.1 for each member, a BatchEnsemble half of that, a single one nothing."""
    if trained.members == 1:
        return 0.0
    return 0.1 * trained.members * (1.0 if "params" in trained.per_member else 0.5)


@pytest.fixture
def trained(monkeypatch):
    """`ablation.run` on tiny data with trainings that are noted and not done."""
    noted = []

    def train_and_score(ensembles, train, seeds, images, evaluation, on_epoch):
        on_epoch()
        noted.append(list(ensembles))
        return [
            RunRecord(name, seed, "stopped", 10, 1.0, 5, 2, None, scores(quality(built), seed))
            for name, built in ensembles.items()
            for seed in seeds
        ]

    def scores(gain, seed):
        common = 0.01 * seed
        test = {"nll": 1 - gain + common, "accuracy": 0.4 + gain + common, "epistemic": gain}
        return {"test": test, "ood/noise": {"epistemic": gain, "auroc_max_probability": 0.5 + gain}}

    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4, 1)).astype(np.uint8)
    examples = Examples(images, np.arange(12, dtype=np.int32) % 2)
    study = StudyData("tiny", examples, examples, examples, {"noise": images}, num_classes=2)
    monkeypatch.setattr(mnist, "load_data", lambda config: study)
    monkeypatch.setattr(ablation, "train_and_score", train_and_score)
    return noted


def test_settings_are_those_of_the_protocol():
    plan = ablation.programs(SMALL)
    assert [(p.switch, value, p.members) for p in plan for value in p.ensembles] == SETTINGS
    assert len({p.file_name for p in plan}) == len(plan)


def test_a_protocol_differs_in_one_field_at_most():
    default = dataclasses.asdict(SMALL.train)
    for program in ablation.of_mlp(SMALL):
        changed = {k: v for k, v in dataclasses.asdict(program.train).items() if v != default[k]}
        if program.switch.startswith("deep"):
            assert ("batch_mode", "independent") in changed.items() or program.ensembles.keys() == {"same batches"}
            changed.pop("batch_mode", None)
        assert len(changed) <= 1


def test_only_the_named_side_varies_at_the_start():
    starts = ablation.starts(SMALL)
    moments = {}
    for name, built in starts.items():
        fast = built.lift.fast
        moments[name] = tuple(init.second_moment for by_path in (fast.init_r, fast.init_s) for _, init in by_path)
    assert list(moments.values()) == [(1.25, 1.25), (1.0, 1.0), (1.0, 1.0), (1.25, 1.0), (1.0, 1.25)]
    assert all(isinstance(built, ensemble.Ensemble) and built.members == 4 for built in starts.values())


def test_each_setting_is_compared_with_a_deep_ensemble_of_as_many_members(trained, tmp_path):
    record = ablation.run(dataclasses.replace(SMALL, folder=tmp_path))
    rows = record["settings"]
    assert [(row["switch"], row["value"], row["members"]) for row in rows] == SETTINGS
    for row in rows:
        expected = 0.0 if row["switch"] == "single" else 1.0 if row["switch"].startswith("deep") else 0.5
        values = {name: ratio["value"] for name, ratio in row["recovered"].items()}
        assert values == pytest.approx(dict.fromkeys(values, expected))
        assert len(row["scores"]["nll"]) == len(SEEDS)


def test_a_finished_program_is_not_trained_again(trained, tmp_path):
    config = dataclasses.replace(SMALL, folder=tmp_path)
    record = ablation.run(config)
    before = len(trained)
    of_lenet = len(LENET) * (len(SEEDS) - 1)  # whose seeds train one by one
    assert before == len(ablation.programs(SMALL)) + of_lenet
    (tmp_path / "MLP_rank_full.json").unlink()
    assert ablation.run(config)["settings"] == record["settings"]
    assert trained[before:] == [["full"]]
    with pytest.raises(
        RunError, match=r"MLP_single_single\.json was made by another configuration: dropout_rate: 0\.05"
    ):
        ablation.run(dataclasses.replace(config, dropout_rate=0.2))


def test_results_are_written_and_drawn(trained, tmp_path):
    record = ablation.run(dataclasses.replace(SMALL, folder=tmp_path))
    save_record(record, "settings", tmp_path / "out", draw(record), to_markdown(record))
    saved = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [row["value"] for row in saved["settings"]] == [value for _, value, _ in SETTINGS]
    assert (tmp_path / "out" / "ablation.png").stat().st_size > 10_000
    text = (tmp_path / "out" / "ablation.md").read_text()
    assert "| rank: full | 0.50 [0.50, 0.50] |" in text
    assert text.count("\n| ") == 1 + 1 + len(SETTINGS)


def test_the_figure_has_a_dot_for_each_setting_that_is_defined(trained, tmp_path):
    record = ablation.run(dataclasses.replace(SMALL, folder=tmp_path))
    drawn = [row for row in record["settings"] if row["switch"] not in ("single", "deep_ensemble")]
    drawn[0]["recovered"]["nll"] = {"undefined": "no difference"}
    panels = draw(record).axes
    dots = [sum(line.get_marker() == "o" for line in axes.lines) for axes in panels]
    assert dots == [len(drawn) - 1, len(drawn), len(drawn), len(drawn)]
    names = [label.get_text() for label in panels[0].get_yticklabels()]
    assert names[0] == "start of r, s: N(1, 0.5)"
    assert len(names) == len(drawn)
    assert "undefined" in to_markdown(record)


def test_the_caption_says_what_is_not_shown(trained, tmp_path):
    words = caption(ablation.run(dataclasses.replace(SMALL, folder=tmp_path)))
    assert "over 4 seeds" in words
    for left_out in ("interactions", "test set"):
        assert left_out in words[words.index("does not show") :]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": (1, 2)}, r"seeds must be at least 3 different integers >= 0.*got \(1, 2\)"),
        ({"init_stds": (0.1, 0.5)}, r"init_stds must be others than 0\.5; got \(0\.1, 0\.5\)"),
        ({"other_members": (4, 8)}, r"other_members must be integers >= 2 other than members=4; got \(4, 8\)"),
        ({"other_members": (1,)}, "other_members must be"),
    ],
)
def test_bad_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(SMALL, **change)
