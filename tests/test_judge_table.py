"""Verdicts as a table, as sentences and as JSON."""

import dataclasses
import json
import math

import pytest

from be_jax.stats import (
    JudgeConfig,
    Verdict,
    as_records,
    conditions,
    evidence_table,
    from_records,
    percent,
    sentence,
    verdict_table,
)
from be_jax.stats.evidence import Evidence

ROWS = (
    Evidence("test", "nll", 0.05, -0.1, 0.2, 0.01, 0.3, 0.25, 0.001, 1.0, 0.002, "supported"),
    Evidence("shift", "nll", 0.6, 0.5, 0.71, 0.3, 4.0, 0.25, 0.99, 1e-5, 2e-5, "contradicted"),
    Evidence("test", "ece", *[float("nan")] * 3, 0.01, 0.3, 0.25, 1.0, 1.0, 1.0, "not judged", "there is none"),
    Evidence("shift", "ece", *[float("nan")] * 3, 0.01, 0.3, 0.25, 1.0, 1.0, 1.0, "not judged", "there is none"),
)
VERDICTS = (
    Verdict("C2", "BatchEnsemble", "contradicted", ROWS, {"seeds": 5}),
    Verdict("C4", "BatchEnsemble", "not judged", (), {"seeds": 5}),
)


def test_a_sentence_has_the_verdict_its_figures_and_what_they_rest_on():
    assert sentence(VERDICTS[0]) == (
        "C2, BatchEnsemble tracks a single model in accuracy, calibration and OOD detection: contradicted (5 seeds; "
        "gain recovered, margin 25 %). Contradicted: shift nll 60 % [50, 71], p < 0.0001. "
        "Supported: test nll 5 % [−10, 20], p = 0.002. Not judged: test ece, shift ece (there is none)."
    )
    assert sentence(VERDICTS[1]).endswith("in parameter space: not judged (needs weights).")


def test_the_table_has_every_row_and_figure():
    table = evidence_table(VERDICTS)
    assert list(table.index) == [("BatchEnsemble", "C2", row.set_name, row.metric) for row in ROWS]
    row = table.loc["BatchEnsemble", "C2", "shift", "nll"]
    assert (row["estimate"], row["p"], row["adjusted_p"], row["decision"]) == (0.6, 1e-5, 2e-5, "contradicted")


def test_decisions_by_method_and_claim():
    table = verdict_table(VERDICTS)
    assert table.loc["BatchEnsemble"].to_dict() == {"C2": "contradicted", "C4": "not judged"}


def test_records_are_json_without_nan():
    (record, _) = json.loads(json.dumps(as_records(VERDICTS), allow_nan=False))
    assert record["claim"] == "C2"
    assert record["units"] == {"seeds": 5}
    assert record["evidence"][0]["estimate"] == pytest.approx(0.05)
    assert record["evidence"][2]["estimate"] is None


def test_records_give_the_verdicts_back():
    unbounded = dataclasses.replace(ROWS[0], lower=-math.inf, upper=math.inf)
    verdicts = (*VERDICTS, dataclasses.replace(VERDICTS[0], evidence=(unbounded,)))
    records = json.loads(json.dumps(as_records(verdicts), allow_nan=False))
    assert repr(from_records(records)) == repr(verdicts)  # NaN is not equal to itself


def test_an_interval_without_bounds_says_so():
    assert percent(dataclasses.replace(ROWS[0], lower=-math.inf)) == "5 % [−∞, 20]"
    assert percent(dataclasses.replace(ROWS[0], estimate=-0.001)) == "0 % [−10, 20]"


def test_the_conditions_name_margins_and_level():
    text = conditions(JudgeConfig(level=0.01, gain_margin=0.2, diversity_margin=0.1))
    assert all(part in text for part in ("at most 1 %", "within 20 %", "below 10 %"))
