"""The phase diagram: comparable sizes, known answers at both ends, restarts, a figure that shows what is undefined."""

import dataclasses
import json

import numpy as np
import pytest

from be_jax import batch_ensemble, fast_init, models
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import Examples, StudyData
from be_jax.results import RunRecord, StudyResult
from be_jax.runs import RunError
from experiments import mnist, phase, recovery
from experiments.phase_figures import caption, draw, to_markdown
from experiments.recovery import (
    bound_text,
    draw_data,
    make_evaluation,
    recovered,
    save_record,
    summary_of,
    to_json,
    train_and_score,
)

SEEDS = (1, 2, 3, 4)
SMALL = phase.Config(sizes=(20, 40), init_stds=(0.0, 0.5), seeds=SEEDS)


def examples(count, seed):
    """4 x 4 images of two classes, one dark and one bright."""
    labels = np.arange(count, dtype=np.int32) % 2
    noise = np.random.default_rng(seed).integers(0, 100, (count, 4, 4, 1))
    return Examples((noise + 120 * labels[:, None, None, None]).astype(np.uint8), labels)


@pytest.fixture(scope="module")
def study():
    ood = np.random.default_rng(9).integers(0, 256, (30, 4, 4, 1)).astype(np.uint8)
    return StudyData("tiny", examples(40, 0), examples(20, 1), examples(24, 2), {"noise": ood}, num_classes=2)


def record_of(method, seed, quality, epistemic):
    """A run whose every measure is `quality` above that of a single network, plus what is common to its seed."""
    seed_effect = 0.01 * seed
    test = {"nll": 1 - quality + seed_effect, "accuracy": 0.5 + quality / 2 + seed_effect, "epistemic": epistemic}
    ood = {"epistemic": 2 * epistemic, "auroc_max_probability": 0.5 + quality}
    return RunRecord(method, seed, "stopped", 100, 1.0, 9, 5, None, {"test": test, "ood/noise": ood})


def fake_result(config, size, qualities):
    """A result in which each method recovers its `quality`, in units of the deep ensemble's 0.2 and its own 0.1."""
    runs = [
        record_of(method, seed, 0.2 * quality + 1e-4 * (seed % 2) * (quality != 0), 0.1 * quality)
        for method, quality in qualities.items()
        for seed in config.seeds
    ]
    made = {"seconds": 3}
    return StudyResult("phase", "tiny", config.identity | {"size": size}, made, tuple(runs))


def ends(config, **others):
    starts = dict.fromkeys(phase.starts(config), 0.5)
    return {"single": 0.0, "deep_ensemble": 1.0, **starts, **others}


def test_every_size_has_epochs_of_one_length_and_images_of_its_own(study):
    of_sizes = {size: draw_data(study, size, 40, SEEDS) for size in (10, 16, 40)}
    for size, data in of_sizes.items():
        assert data.x.shape == (4, 40, 4, 4, 1)
        assert data.y.shape == (4, 40)
        for images, labels in zip(data.x, data.y, strict=True):
            kept, counts = np.unique(images.reshape(40, -1), axis=0, return_counts=True)
            assert len(kept) == size
            assert counts.max() - counts.min() <= 1
            assert np.bincount(labels[:size]).tolist() == [size // 2, size // 2]
        np.testing.assert_array_equal(data.validation_x, of_sizes[10].validation_x)
    first, second = (set(map(bytes, of_sizes[10].x[i])) for i in (0, 1))
    assert first != second
    assert draw_data(study, 40, 20, SEEDS).x.shape == (4, 40, 4, 4, 1)  # an epoch sees half of it


def test_an_epoch_takes_as_many_images_as_asked_for():
    assert SMALL.identity["epoch_images"] == 40
    assert dataclasses.replace(SMALL, epoch_images=128).identity["epoch_images"] == 128
    with pytest.raises(ConfigError, match=r"epoch_images must be an integer >= train\.batch_size=128; got 100"):
        dataclasses.replace(SMALL, epoch_images=100)


def mean_log_probs(predictions):
    """In place of all scores, whose programs take long to compile: the members' mean log-probabilities."""
    of_sets = {name.removesuffix("/log_probs"): array for name, array in predictions.items() if "log_probs" in name}
    assert of_sets.keys() == {"test", "ood/noise"}
    assert len(predictions["test/labels"]) == of_sets["test"].shape[1] == 24
    return {name: dict(enumerate(array.mean((1, 2)))) for name, array in of_sets.items()}


def test_a_start_trains_beside_others_as_it_does_alone(study, monkeypatch):
    monkeypatch.setattr(recovery, "score_predictions", mean_log_probs)
    model = models.MLP(features=(4,), num_classes=2)
    starts = {f"{std}": batch_ensemble(model, 2, init=fast_init.normal(std)) for std in (0.1, 0.5)}
    train = TrainConfig(epochs=3, batch_size=20, learning_rate=0.05)
    data, evaluation, epochs = draw_data(study, 20, 40, (7, 8)), make_evaluation(study), []
    both = train_and_score(starts, train, (7, 8), data, evaluation, lambda: epochs.append(1))
    alone = train_and_score({"0.5": starts["0.5"]}, train, (7, 8), data, evaluation, lambda: None)
    assert len(epochs) == 3
    assert [(r.method, r.seed) for r in both] == [("0.1", 7), ("0.1", 8), ("0.5", 7), ("0.5", 8)]
    for beside, by_itself in zip(both[2:], alone, strict=True):
        assert beside.kept_epoch == by_itself.kept_epoch
        shared, own = 16 * 4 + 4 * 2 + (4 + 2), (16 + 4 + 4 + 2) + (4 + 2)
        assert beside.parameters == by_itself.parameters == shared + 2 * own
        for name, of_members in by_itself.scores.items():
            assert beside.scores[name] == pytest.approx(of_members, abs=1e-4)
    assert len({run.scores["test"][member] for run in both for member in (0, 1)}) == 8


def test_a_single_network_recovers_nothing_and_a_deep_ensemble_all():
    result = fake_result(SMALL, 20, ends(SMALL))
    for method, expected in (("single", 0.0), ("random_sign", 0.5), ("deep_ensemble", 1.0)):
        for row in recovered(result, method).values():
            assert row.position.value == pytest.approx(expected, abs=2e-3)
            assert row.position.holds(row.position.value)


def test_what_does_not_differ_is_undefined_and_never_nan():
    result = fake_result(SMALL, 20, {**ends(SMALL), "deep_ensemble": 0.0})
    kept = summary_of(result, "random_sign")["recovered"]
    assert kept.keys() == {"nll", "accuracy", "epistemic", "ood_auroc"}
    assert all("measurably" in each["undefined"] for each in kept.values())


def test_a_diverged_run_is_left_out_and_named():
    result = fake_result(SMALL, 20, ends(SMALL))
    gone = [
        dataclasses.replace(run, status="diverged", scores={}) if run.method == "random_sign" else run
        for run in result.runs
    ]
    kept = summary_of(dataclasses.replace(result, runs=tuple(gone)), "random_sign")
    assert kept["diverged"] == list(SEEDS)
    assert "no finished run" in kept["recovered"]["nll"]["undefined"]
    text = to_json({"experiment": "phase", "points": [kept]}, "points")
    assert "NaN" not in text
    assert json.loads(text)["points"][0]["means"]["nll"] == [None, None]


@pytest.fixture
def faked(monkeypatch, study):
    """`phase.run` on the tiny study, with trainings that are counted and not done."""
    trained = []

    def run_size(config, data, size, advance):
        trained.append(size)
        advance(1)
        return fake_result(config, size, ends(config, **{"normal(0)": -0.4, "random_sign": 1.4 if size > 20 else 0.7}))

    monkeypatch.setattr(mnist, "load_data", lambda config: study)
    monkeypatch.setattr(phase, "run_size", run_size)
    return trained


def test_a_finished_size_is_not_trained_again(faked, tmp_path):
    config = dataclasses.replace(SMALL, folder=tmp_path)
    record = phase.run(config)
    assert faked == [20, 40]
    (tmp_path / "size_20.json").unlink()
    again = phase.run(config)
    assert faked == [20, 40, 20]
    assert again == record
    with pytest.raises(RunError, match=r"size_20\.json was made by another configuration: members: 4 there, 3 here"):
        phase.run(dataclasses.replace(config, members=3))


def test_results_are_written_and_hold_every_point(faked, tmp_path):
    record = phase.run(dataclasses.replace(SMALL, folder=tmp_path))
    save_record(record, "points", tmp_path / "out", draw(record), to_markdown(record))
    saved = json.loads((tmp_path / "out" / "phase.json").read_text())
    methods = ["single", "deep_ensemble", "normal(0)", "normal(0.5)", "random_sign"]
    assert [(p["size"], p["method"]) for p in saved["points"]] == [(s, m) for s in (20, 40) for m in methods]
    assert saved["provenance"]["seconds"] == 6
    assert saved["config"]["sizes"] == [20, 40]
    assert (tmp_path / "out" / "phase.png").stat().st_size > 10_000
    text = (tmp_path / "out" / "phase.md").read_text()
    assert text.count("\n| ") == 1 + 1 + len(saved["points"])


def test_the_figure_writes_values_and_draws_the_contours(faked, tmp_path):
    figure = draw(phase.run(dataclasses.replace(SMALL, folder=tmp_path)))
    maps = figure.axes[:4]
    for axes in maps:
        texts = [text.get_text() for text in axes.texts]
        assert "0.50" in texts
        assert len(axes.images) == 3
        assert len(axes.collections) == 1  # the contour of 0: none of the N(1, std) reaches 1
    assert [label.get_text() for label in maps[0].get_yticklabels()] == ["0", "0.5", "±1"]
    assert {text.get_text() for text in maps[0].texts} >= {"-0.40", "0.70", "1.40"}


def test_undefined_cells_have_a_dash_and_no_contour(faked, tmp_path):
    undefined = {name: {"undefined": "no difference"} for name in ("nll", "accuracy", "epistemic", "ood_auroc")}
    record = phase.run(dataclasses.replace(SMALL, folder=tmp_path))
    for point in record["points"]:
        point["recovered"] = undefined
    for axes in draw(record).axes[:4]:
        assert {text.get_text() for text in axes.texts} == {"–"}
        assert not axes.collections


def test_the_caption_says_what_is_not_shown(faked, tmp_path):
    record = phase.run(dataclasses.replace(SMALL, folder=tmp_path))
    words = caption(record)
    assert "over 4 seeds" in words
    assert "It does not show" in words
    assert words in to_markdown(record)


def test_huge_bounds_are_shown_as_infinite():
    assert [bound_text(bound) for bound in (0.125, -2.0, 1e300, -1e300)] == ["0.12", "-2.00", "∞", "−∞"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sizes": (40, 20)}, r"sizes must be ascending integers >= 1, at least one; got \(40, 20\)"),
        ({"sizes": ()}, "sizes must be"),
        ({"init_stds": (0.5, 0.1)}, "init_stds must be ascending"),
        ({"init_stds": (-0.5, 0.1)}, "init_stds must be ascending numbers >= 0"),
        ({"seeds": (1, 2)}, r"seeds must be at least 3 different integers >= 0.*got \(1, 2\)"),
        ({"members": 1}, "members must be an integer >= 2; got 1"),
    ],
)
def test_bad_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(SMALL, **change)


def test_more_images_than_there_are_is_refused(faked, tmp_path):
    with pytest.raises(ConfigError, match="at most 40, the training images there are"):
        phase.run(dataclasses.replace(SMALL, sizes=(20, 41), folder=tmp_path))
    assert faked == []
