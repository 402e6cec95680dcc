"""Claims of the literature: evidence by its interval, verdicts by their evidence, and a page of what is committed."""

import json
import math

import pytest

from be_jax.stats import Interval
from be_jax.stats.fieller import UNDEFINED
from be_jax.stats.means import Estimate
from experiments import findings, headlines
from experiments.evidence import ABOVE_0, BELOW_0, OOD, PRIMARY, Evidence, splits_best
from experiments.literature import CLAIMS, verdict


def evidence(low, high, region=ABOVE_0, units=5, part=""):
    return Evidence("here", Interval((low + high) / 2, ((low, high),)), region, units, "so much", part)


FOR, AGAINST, OPEN = evidence(0.1, 0.5), evidence(-0.8, -0.1), evidence(-0.1, 0.5)
NOTHING = FOR._replace(found=UNDEFINED)


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([], "not tested"),
        ([NOTHING, NOTHING], "not judged"),
        ([FOR, FOR], "supported"),
        ([AGAINST], "contradicted"),
        ([FOR, NOTHING], "supported by 1 of 2"),
        ([OPEN, AGAINST, OPEN], "contradicted: none of 3 for it, 1 against"),
        ([FOR, AGAINST, FOR], "mixed: 2 of 3 for it, 1 against"),
        ([FOR, OPEN._replace(part="b")], "half open: 1 of 2 for it, none against"),
        ([FOR, AGAINST._replace(part="b")], "contradicted: 1 of 2 for it, 1 against"),
        ([FOR, FOR._replace(part="b"), OPEN._replace(part="b")], "supported by 2 of 3"),
        ([OPEN], "undecided: about 23 seeds would tell, with 5 times as many networks and test examples"),
        ([evidence(-math.inf, 2.0)], "undecided"),
        ([evidence(-0.5, 0.5)], "undecided"),
    ],
)
def test_a_verdict_is_what_the_intervals_say(pieces, words):
    assert verdict(pieces) == words


def test_it_never_takes_fewer_seeds_than_there_were():
    skewed = OPEN._replace(found=Interval(0.4, ((-0.01, 0.5),)))
    assert skewed.needed >= 6
    assert FOR.needed is None


def test_regions_are_read_either_way():
    assert [evidence(0.2, 0.9, region).direction for region in (ABOVE_0, BELOW_0)] == [1, -1]


CONTROLS = {"identical members": {"value": 0.0, "pieces": [[-0.1, 0.1]]}}


def step(width, failed="", undertrained=(), **gains):
    over = {method: {e: Estimate(gain, 0.1, 5)._asdict() for e in (PRIMARY, OOD)} for method, gain in gains.items()}
    epistemic = {
        name: {"value": 0.1, "of_narrowest": {"value": 0.5, "pieces": [[0.4, 0.6]]}} for name in ("test", "ood")
    }
    reasons = dict.fromkeys(undertrained, "why")
    return {
        "width": width,
        "failed": failed,
        "controls": CONTROLS,
        "undertrained": reasons,
        "over_same_batches": over,
        "epistemic": epistemic,
    }


def table(dataset, alone, together):
    rows = [{"value": v, "pieces": [[v - 0.1, v + 0.1]]} for v in (alone, together)]
    methods = {"tabm_32": {PRIMARY: rows[1]}}
    told = {"dataset": dataset, "failed": "", "controls": CONTROLS, "undertrained": {}, "methods": methods}
    return told | {"alone": {"tabm_32": rows[0]}, "units": {"tabm_32": {"splits": 3}}}


def committed(folder, widths=(), tables=(), **zoo):
    config = {"seeds": [1, 2, 3], "pool_size": 12}
    (folder / "widths.json").write_text(json.dumps({"config": config, "widths": list(widths)}))
    (folder / "tabular.json").write_text(json.dumps({"config": config, "tables": list(tables)}))
    (folder / "zoo.json").write_text(json.dumps({"failed": "", "controls": CONTROLS, "undertrained": {}} | zoo))
    return {claim.source: verdict(list(claim.evidence(folder))) for claim in reversed(CLAIMS)}


def test_nothing_is_said_where_nothing_is(tmp_path):
    assert all(list(claim.evidence(tmp_path)) == [] for claim in CLAIMS)


def test_claims_are_read_from_what_is_there(tmp_path):
    steps = [step(0.25, deep_mixture=0.4), step(1.0, deep_mixture=-0.5), step(4.0, deep_mixture=-0.5)]
    less = {"lora_ensemble": -0.02, "norm_ensemble": 0.02}
    less = {name: Estimate(mean, 0.01, 10)._asdict() for name, mean in less.items()}
    tables = [table("wine", -0.5, 0.5), table("digits", -0.5, 0.02)]
    said = committed(tmp_path, steps, tables, against_batch_ensemble=less)
    assert said["2302.00704"] == "supported"
    assert said["2301.11323"] == "mixed: 2 of 3 for it, 1 against"
    assert said["2409.02628"] == "supported"
    assert said["2405.14438"] == "supported"
    assert said["2410.24210"] == "supported by 3 of 4"
    assert said["2206.00050"] == "contradicted"
    page = findings.to_markdown({"[All of MNIST](mnist_full.md)": ["It is so."]}, tmp_path)
    assert "[All of MNIST](mnist_full.md):\n\n- It is so.\n" in page
    assert (
        "| loss of the mixture, gain in scaled test NLL, width 0.25 | +0.400 [+0.300, +0.500] nats | for | small |"
        in page
    )
    assert "([2405.14438](https://arxiv.org/abs/2405.14438)) | supported |" in page
    assert "**supported**. From [zoo](zoo.md). What would overturn it: ranks" in page


def test_members_of_tabm_stand_in_zoos_too(tmp_path):
    row = {"value": 0.4, "pieces": [[0.3, 0.5]]}
    of = {"alone": {"tabm": row}, "methods": {"tabm": {PRIMARY: row}}, "units": {"tabm": {"seeds of tabm": 3}}}
    assert committed(tmp_path, **of)["2410.24210"] == "contradicted: 1 of 2 for it, 1 against"
    assert committed(tmp_path, **of, failed="copies")["2410.24210"] == "not judged"


def test_nothing_is_said_of_what_is_undertrained_or_where_a_control_failed(tmp_path):
    steps = [step(0.25, undertrained=["deep_mixture"], deep_mixture=0.4), step(4.0, failed="copies", deep_mixture=-0.5)]
    lora = {"lora_ensemble": Estimate(-0.02, 0.01, 10)._asdict()}
    tables = [table("wine", -0.5, 0.5) | {"failed": "copies"}]
    said = committed(tmp_path, steps, tables, against_batch_ensemble=lora, undertrained={"batch_ensemble": "why"})
    for source in ("2302.00704", "2301.11323", "2409.02628", "2405.14438", "2410.24210"):
        assert said[source] == "not judged", source
    page = findings.to_markdown({}, tmp_path)
    assert "gain in scaled test NLL, width 0.25 | undertrained | not judged |" in page
    assert "gain in scaled test NLL, width 4 | a control failed | not judged |" in page


def test_a_control_that_checks_nothing_withholds_what_rests_on_it(tmp_path):
    wide = {"identical members": {"value": 0.5, "pieces": [[-1.0, 2.0]]}}
    said = committed(tmp_path, tables=[table("wine", -0.5, 0.5) | {"controls": wide}])
    assert said["2410.24210"] == "not judged"


def test_a_split_is_set_against_deep_ensembles(tmp_path):
    errors = {"copies": [0.9, 0.91], "mc_dropout": [0.1, 0.2, 0.1], "batch_ensemble": [0.8, 0.7, 0.8]}
    rows = [{"method": name, "disentanglement_error": of} for name, of in errors.items()]
    rows.append({"method": "deep_ensemble", "disentanglement_error": [0.5, 0.5, 0.4]})
    (tmp_path / "disentanglement.json").write_text(json.dumps({"methods": rows}))
    dropout, ours = splits_best(tmp_path)
    assert "MC dropout" in dropout.where
    assert [each.direction for each in (dropout, ours)] == [-1, 1]
    assert ours.shown == "+0.300 [+0.169, +0.431]", "as Welch's test has it"
    rows[0]["disentanglement_error"] = [0.5, 0.51]
    (tmp_path / "disentanglement.json").write_text(json.dumps({"methods": rows}))
    assert {each.shown.partition(":")[0] for each in splits_best(tmp_path)} == {"copies of one network split as well"}


def test_the_best_start_is_of_a_batch_ensemble_that_was_trained_to_the_end():
    def of(value):
        return {"test nll_scaled": {"value": value, "lower": 1.0, "upper": 4.0, "largest": 8, "beyond": ""}}

    worths = {"batch_ensemble": 1.4, "tabm": 2.6, "last_layers": 1.1, "tabm_held": 3.0}
    record = {
        "failed": "",
        "undertrained": {},
        "labels": {
            "batch_ensemble": "BatchEnsemble N(1, 0.5)",
            "tabm": "BatchEnsemble, TabM's start",
            "last_layers": "BatchEnsemble, last layers",
            "tabm_held": "one network, TabM's start held",
        },
        "equivalents": {name: of(value) for name, value in worths.items()},
        "costs": {
            name: {"parameters": 100 + 2 * (name in worths), "prediction": {"flops": 10 if name == "single" else 41}}
            for name in ("single", *worths)
        },
        "config": {"seeds": [1, 2, 3]},
    }
    (said,) = headlines.best_start({"zoo_full": record, "zoo_cifar10": record | {"failed": "copies"}})
    assert said == (
        "Of the zoo's BatchEnsembles TabM's start is worth most, in networks, by scaled test NLL: 2.6 [< 1, 4.0] "
        "[on all of MNIST](experiments/results/zoo_full.md), at 4.1 times one's FLOPs."
    )
    costly = record | {"costs": record["costs"] | {"tabm": {"parameters": 109, "prediction": {"flops": 32}}}}
    (said,) = headlines.best_start({"zoo_full": record, "zoo_cifar10": costly})
    assert said.endswith(", at 3.2 to 4.1 times one's FLOPs.")
    untrained = record | {"undertrained": {"tabm": "why"}}
    both = headlines.best_start({"zoo_full": record, "zoo_cifar10": untrained})
    assert len(both) == 2
    assert "N(1, 0.5) is worth most, in networks, by scaled test NLL: 1.4 [< 1, 4.0] [on CIFAR-10]" in both[1]
    assert headlines.best_start({"zoo_full": {}}) == headlines.best_start({"zoo_full": record | {"failed": "x"}}) == []
