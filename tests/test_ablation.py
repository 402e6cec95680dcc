"""The ablation: settings that differ in what they say, start distances that are held, its figure, and the line."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from be_jax import models, stats
from be_jax.config import ConfigError
from be_jax.results import StudyResult
from be_jax.stats import Interval, Judgement, MethodJudgement, Row
from be_jax.stats.claims import Verdict
from be_jax.stats.controls import Control
from experiments import ablation, ablation_report, ablation_settings, small, start_distance, start_distance_report
from experiments.ablation_settings import SETTINGS


def test_a_setting_differs_in_its_start_or_in_its_training():
    default = dataclasses.asdict(ablation.Config().train)
    reference = ablation.setting(ablation.Config(), "reference")
    for name, row in SETTINGS.items():
        planned = ablation.setting(ablation.Config(), name)
        changed = {k for k, v in dataclasses.asdict(planned.train).items() if v != default[k]}
        assert changed <= {key for key, _ in row.changes}
        if changed and not name.startswith("deep"):
            assert planned.ensemble == reference.ensemble
        assert planned.ensemble.members == 4
    names = [row.label for row in SETTINGS.values()]
    assert len(set(names)) == len(names)


def test_the_start_distance_is_held_where_only_the_rank_varies():
    held = [name for name in SETTINGS if name.endswith("_held")]
    assert len(held) == 3
    for name in (*held, "scale_0.5"):
        assert SETTINGS[name].cosine == pytest.approx(ablation_settings.COSINE) == 0.64
    closer = [SETTINGS[name].cosine for name in ("reference", "rank_2", "rank_4")]
    assert closer == sorted(closer)
    assert closer[-1] > closer[0]


def test_the_full_mask_starts_as_far_apart_as_its_cosine_says():
    ensemble = SETTINGS["full_rank_held"].build(models.MLP(features=(200,), num_classes=10), 2)
    images = np.zeros((1, 200), np.float32)
    masks = ensemble.init(jax.random.key(0), images)["fast"]["Dense_0"]["mask"]
    one, other = np.asarray(masks)
    cosine = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
    assert cosine == pytest.approx(0.64, abs=0.02)
    assert (one**2).mean() == pytest.approx(1, abs=0.05), "the scale of a plain layer"


def judged(positions, failed=False):
    """A judgement in which each setting's primary gain and diversity are at these positions."""

    def rows(value):
        endpoints = ("test", "nll_scaled"), ("test", "root_epistemic")
        return tuple(Row(stats.Endpoint(*e), Interval(value, ((value - 0.1, value + 0.1),))) for e in endpoints)

    methods = tuple(
        MethodJudgement(
            name,
            "method",
            rows(value),
            tuple(Verdict(c, "undecided", (), "") for c in ("C1", "C2", "C3", "C4")),
            {},
            {},
        )
        for name, value in positions.items()
    )
    negative = Control("identical members", 0.0, Interval(0.02, ((-0.1, 0.2),)), not failed)
    return Judgement({}, small.JUDGE, (negative,), methods)


RESULT = StudyResult("ablation", "tiny", {"members": 4}, {}, ())


@pytest.mark.parametrize("failed", [False, True])
def test_the_figure_has_a_mark_for_what_was_judged_and_the_control(failed):
    (figure,) = ablation_report.draw(RESULT, judged({"reference": 0.4, "sign": 0.9}, failed)).values()
    marks = [
        sum(line.get_linestyle() == "None" for line in axes.lines) for axes in figure.axes
    ]  # gain, accuracy, diversity
    assert marks == ([1, 0, 0] if failed else [3, 0, 2])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["4 copies (control)", "N(1, 0.5)", "random signs"]


def test_the_line_is_found_and_what_lies_off_it_is_told(tmp_path):
    starts = ("reference", "std_0.1", "std_0.25", "std_1", "r_only")
    roots = {name: float(np.sqrt(0.5 * (1 - SETTINGS[name].cosine))) for name in starts}
    not_fitted = {"sign": 0.3, "rank_4": 0.9, "same_dropout": 0.9, "fast_rate_0": 0.9}
    judged(roots | not_fitted).save(tmp_path / "verdicts_ablation.json")
    points = start_distance.points(tmp_path)
    line = start_distance.fitted(points)
    assert line.slope == pytest.approx(0.5, abs=1e-4)
    assert (line.points, line.held) == (len(starts), len(starts))
    assert "| ablation: random signs | 1.000 | 0.09 [0.04, 0.16] | 0.18 |" in start_distance_report.to_markdown(points)
    phase = {"size": 50, "undertrained": {}, "methods": {}}
    phase["methods"]["std_1"] = {"test root_epistemic": {"value": 0.5, "pieces": [[0.4, 0.6]]}}
    (tmp_path / "phase.json").write_text(json.dumps({"sizes": [phase]}))
    assert start_distance.points(tmp_path)[-1].source == "50 images"
    assert len(start_distance_report.draw(start_distance.points(tmp_path))["start_distance"].axes) == 2


def test_nothing_is_fitted_to_a_judgement_whose_control_failed(tmp_path):
    judged({"reference": 0.4, "std_1": 0.9, "std_0.1": 0.1}, failed=True).save(tmp_path / "verdicts_ablation.json")
    assert start_distance.points(tmp_path) == []


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match=r"settings must be different ones of reference, .*got \('rank_99',\)"):
        ablation.Config(settings=("rank_99",))
