"""Claims of the literature: evidence by its interval, verdicts by their evidence, and a page of what is committed."""

import json
import math

import pytest

from be_jax.stats import Interval
from be_jax.stats.means import Estimate
from experiments import findings, literature
from experiments.literature import ABOVE_DEEP, BELOW_DEEP, BELOW_SINGLE, CLAIMS, Evidence, verdict


def evidence(low, high, region=ABOVE_DEEP, seeds=5):
    return Evidence("here", Interval((low + high) / 2, ((low, high),)), region, seeds, "so much")


FOR, AGAINST, OPEN = evidence(1.1, 1.5), evidence(0.2, 0.9), evidence(0.9, 1.5)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([], "not tested"),
        ([FOR, FOR], "supported"),
        ([AGAINST], "contradicted"),
        ([FOR, OPEN], "supported by 1 of 2"),
        ([OPEN, AGAINST, OPEN], "contradicted by 1 of 3"),
        ([FOR, AGAINST, FOR], "mixed: 2 of 3 for it, 1 against"),
        ([OPEN], "undecided: about 12 seeds would tell"),  # 5 (0.3 / 0.2)^2
        ([evidence(-math.inf, 2.0)], "undecided"),
        ([evidence(0.5, 1.5)], "undecided"),
    ],
)
def test_a_verdict_is_what_the_intervals_say(pieces, words):
    assert verdict(pieces) == words


def test_regions_are_read_either_way():
    assert [evidence(0.2, 0.9, region).direction for region in (ABOVE_DEEP, BELOW_DEEP, BELOW_SINGLE)] == [-1, 1, -1]


def step(width, **rows):
    of = {name: {"test nll_scaled": {"value": v, "pieces": [[v - 0.1, v + 0.1]]}} for name, v in rows.items()}
    epistemic = {
        name: {"value": 0.1, "of_narrowest": {"value": 0.5, "pieces": [[0.4, 0.6]]}} for name in ("test", "ood")
    }
    return {"width": width, "undertrained": {}, "methods": of, "epistemic": epistemic}


def test_claims_are_read_from_what_is_there(tmp_path):
    assert all(list(claim.evidence(tmp_path)) == [] for claim in CLAIMS)
    steps = [step(0.25, deep_mixture=1.4), step(1.0, deep_mixture=0.5), step(4.0, deep_mixture=0.5)]
    record = {"config": {"seeds": [1, 2, 3], "pool_size": 12}, "widths": steps}
    (tmp_path / "widths.json").write_text(json.dumps(record))
    zoo = {"against_batch_ensemble": {"lora_ensemble": Estimate(-0.02, 0.01, 10)._asdict()}}
    (tmp_path / "zoo.json").write_text(json.dumps(zoo))
    said = {claim.source: verdict(list(claim.evidence(tmp_path))) for claim in CLAIMS}
    assert said["2302.00704"] == "supported"
    assert said["2301.11323"] == "mixed: 2 of 3 for it, 1 against"
    assert said["2409.02628"] == "supported"
    assert said["2405.14438"] == "supported"
    assert said["2410.24210"] == "not tested"
    page = findings.to_markdown([("It is so.", "mnist_full")], tmp_path)
    assert "- It is so. ([mnist_full](mnist_full.md))" in page
    assert "| width 0.25: 140 % [130, 150]<br>width 1: 50 % [40, 60]<br>width 4: 50 % [40, 60] | mixed: 2 of 3" in page
    assert "−0.020 [−0.030, −0.010] nats" in page


def test_a_method_that_is_undertrained_is_no_evidence(tmp_path):
    steps = [step(width, deep_mixture=1.4) | {"undertrained": {"deep_mixture": "why"}} for width in (0.25, 1.0, 4.0)]
    (tmp_path / "widths.json").write_text(json.dumps({"config": {"seeds": [1, 2, 3]}, "widths": steps}))
    assert list(literature._at_widths("deep_mixture", {0: ABOVE_DEEP})(tmp_path)) == []
