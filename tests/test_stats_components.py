"""Variance components: found again in studies drawn from them, and the simulation of judgements that uses them."""

import json
import sys

import numpy as np
import pytest
from stats_fakes import runs, sample, world

from be_jax.stats import Endpoint, Interval, JudgeConfig, Row, of_pool
from be_jax.stats.claims import judge_claim
from be_jax.stats.components import Components, draw, measure
from experiments import judge_simulation
from experiments.judge_simulation import components_of, false_statements, simulate

ENDPOINTS = (Endpoint("test", "nll"), Endpoint("test", "accuracy"))


def made(examples=True, scale=1.0):
    random = np.random.default_rng(0)
    roots = [scale * random.normal(size=(k, k)) for k in (4, 2, 6)]
    networks, seeds, blocks = (root @ root.T for root in roots)
    return Components(
        "made",
        ENDPOINTS,
        np.array([2.0, 1.0]),
        networks,
        seeds,
        blocks if examples else np.empty((0, 0)),
        50 if examples else 0,
        {"networks": 9, "seeds": 9},
    )


def test_a_drawn_study_has_its_means_and_variances():
    components, random = made(), np.random.default_rng(1)
    drawn = [draw(components, 6, 12, 0.25, random) for _ in range(1500)]
    for endpoint in range(2):
        pairs = [each.gains(endpoint) for each in drawn]
        for index, expected in ((0, 0.25), (1, 1.0)):
            values = np.array([pair[index].value for pair in pairs])
            errors = np.array([pair[index].uncertainty().standard_error for pair in pairs])
            assert values.mean() == pytest.approx(expected * components.gain[endpoint], abs=4 * values.std() / 38)
            assert np.mean(errors**2) == pytest.approx(values.var(), rel=0.15)


def test_measured_components_are_those_of_the_samples():
    """Of a pool: variances over networks, seeds and blocks are the jackknife's, which judges by them."""
    examples = world(600, sets=("test",))
    networks = runs(examples, 0.0, members=1, seeds=9)
    single, deep = of_pool(networks, 1), of_pool(networks, 3)
    method = sample(runs(examples, 0.5, seeds=6, members=3), "seeds of m")
    found = measure("x", single, deep, {"m": method}, ENDPOINTS, 3)
    assert found.endpoints == ENDPOINTS
    assert found.units == {"networks": 9, "seeds": 6}
    for index, endpoint in enumerate(ENDPOINTS):
        one, own = single.statistic(*endpoint), method.statistic(*endpoint)
        jackknife = 8 / 9 * ((one.without["networks"][:, 0] - one.value) ** 2).sum()
        assert found.networks[index, index] / 9 == pytest.approx(jackknife, rel=1e-6)
        values = np.array([scores[endpoint][0] for scores in method.scores])
        assert found.seeds[index, index] == pytest.approx(values.var(ddof=1), rel=1e-6)
        by_block = 49 / 50 * ((own.whole[1:] - own.value) ** 2).sum()
        assert found.examples[4 + index, 4 + index] / 50 == pytest.approx(by_block, rel=0.05)
        sign = (-1, 1)[index]
        assert found.gain[index] == pytest.approx(sign * (deep.statistic(*endpoint).value - one.value))


def test_components_are_kept(tmp_path):
    made().save(tmp_path / "c.json")
    loaded = Components.load(tmp_path / "c.json")
    assert loaded.endpoints == ENDPOINTS
    np.testing.assert_allclose(loaded.networks, made().networks, rtol=1e-5)
    np.testing.assert_allclose(loaded.examples, made().examples, rtol=1e-5)


@pytest.mark.parametrize("name", ["mnist_embedded"])
def test_committed_studies_have_components(name):
    found = components_of(name)
    assert found.gain[0] > 0
    assert np.linalg.eigvalsh(found.networks).min() > -1e-12
    assert len(found.seeds) == len(found.endpoints)


@pytest.mark.parametrize(
    ("interval", "position", "false", "without_a_gain"),
    [
        ((-0.1, 0.1), 0.0, set(), {"C1 apart", "C2 equivalent"}),
        ((-0.1, 0.1), 0.25, {"C2 equivalent"}, {"C1 apart", "C2 equivalent"}),
        ((-0.1, 0.1), 0.5, {"C2 equivalent"}, {"C1 apart", "C2 equivalent"}),
        ((-0.1, 0.4), 0.25, set(), {"C1 apart", "C2 nearer"}),
        ((-0.1, 0.4), 0.5, {"C2 nearer"}, {"C1 apart", "C2 nearer"}),
        ((-0.9, -0.4), 0.0, {"C2 outside"}, {"C1 apart", "C2 outside"}),
        ((-0.9, -0.4), 1.0, {"C1 apart", "C2 outside"}, {"C1 apart", "C2 outside"}),
        ((0.1, 0.9), 1.0, {"C1 apart"}, {"C1 apart"}),
        ((0.1, 1.9), 0.0, set(), set()),
    ],
)
def test_what_is_false(interval, position, false, without_a_gain):
    row = Row(ENDPOINTS[0], Interval(sum(interval) / 2, (interval,)))
    for gain, expected in ((1.0, false), (-1.0, without_a_gain)):
        found = set()
        for claim in ("C1", "C2"):
            verdict = judge_claim(claim, [row], JudgeConfig())
            found |= false_statements(verdict, np.array([position]), np.array([gain]), JudgeConfig().margin)
        assert found == expected


def test_far_below_is_false_of_what_is_not():
    """The sequence of "worse than" ends with the first endpoint, so that the second is told by the weakest family."""
    equivalent = Row(ENDPOINTS[0], Interval(0.0, ((-0.1, 0.1),)))
    far_below = Row(ENDPOINTS[1], Interval(-1.0, ((-1.5, -0.5),)), upper_corrected=-0.3)
    verdict = judge_claim("C2", [equivalent, far_below], JudgeConfig())
    assert [each.words for each in verdict.stated] == ["equivalent to a single model", "far below a single model"]
    for position, false in ((-0.24, {"C2 nearer"}), (-0.26, set())):
        assert false_statements(verdict, np.array([0.0, position]), np.ones(2), JudgeConfig().margin) == false


@pytest.mark.parametrize("examples", [True, False])
def test_a_study_of_little_noise_is_always_right(examples):
    rates = simulate(made(examples, scale=1e-3), 5, 10, 10, JudgeConfig())
    assert rates["power"] == {"nearer": {"0.0": 1.0, "1.0": 1.0}, "equivalent": {"0.0": 1.0, "1.0": 1.0}}
    for position in ("0.0", "1.0"):
        assert rates["positions"][position]["false"]["any"]["rate"] <= 0.3
        assert rates["positions"][position]["endpoints_decided"] == 2


def test_an_upper_bound_is_clopper_pearsons():
    assert judge_simulation._rate(4, 90) == {"rate": 0.0444, "at_most": pytest.approx(0.0991, abs=1e-3)}


def test_command(tmp_path, monkeypatch, capsys):
    out = tmp_path / "simulation.json"
    arguments = ["--studies", "mnist_embedded", "--seeds", "5", "--repetitions", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["judge_simulation", *arguments])
    judge_simulation.main()
    record = json.loads(out.read_text())
    assert list(record["simulated"]) == ["mnist_embedded, 5 seeds, 10 networks"]
    assert record["components"]["mnist_embedded"]["units"]["networks"] >= 5
