"""Undertrained or not: what a method's members have learned, on a single network's scale."""

import dataclasses
import math

import numpy as np
import pytest

from be_jax.results import RunRecord, StudyResult
from be_jax.stats.convergence import convergence, copies_apart, undertrained

IGNORANT = math.log(10)


def curve(*nll, epochs=75):
    """Training NLL at evenly spaced epochs."""
    return {"epoch": [epochs * (i + 1) / len(nll) for i in range(len(nll))], "train_nll": nll}


SINGLE = [curve(0.5, 0.1, 0.1, 0.1), curve(0.5, 0.2, 0.1, 0.1)]


def test_a_method_that_ends_where_single_networks_do_is_trained():
    found = convergence(SINGLE[::-1], SINGLE, IGNORANT)
    assert found.learned == pytest.approx(1.0)
    assert found.rise == pytest.approx(0.0)
    assert found.undertrained == ""


def test_learned_is_a_part_of_what_a_single_network_has_learned():
    found = convergence([curve(2.0, 1.0, 1.0), curve(2.0, 1.4, 1.4)], SINGLE, IGNORANT)
    assert found.learned == pytest.approx((IGNORANT - 1.2) / (IGNORANT - 0.1))
    assert found.undertrained


def test_a_method_that_still_falls_is_undertrained():
    """Twelve epochs from 0.5 to 0.1 at the end of 48: the last 4.8 brought 0.16 nats."""
    found = convergence([curve(1.2, 0.8, 0.5, 0.1, epochs=48)], SINGLE, IGNORANT)
    assert found.rise == pytest.approx(0.4 * 4.8 / 12 / (IGNORANT - 0.1))
    assert found.undertrained


def test_a_loss_that_is_not_a_number_is_not_trained():
    assert convergence([curve(0.5, math.nan)], SINGLE, IGNORANT).undertrained


def test_members_of_a_mixture_need_not_be_good_alone():
    colluding = curve(2.0, 2.0, 2.0, 2.0)
    assert convergence([colluding], SINGLE, IGNORANT).undertrained
    assert not convergence([colluding | {"train_minimised": (0.5, 0.1, 0.1, 0.1)}], SINGLE, IGNORANT).undertrained


def test_no_curve_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        convergence([], SINGLE, IGNORANT)


def test_undertrained_methods_of_a_study_are_named():
    record = RunRecord("single", 0, "finished", 1, 1.0, 3, 2, None, {}, curve(1.0, 0.1, 0.1))
    slow = dataclasses.replace(record, method="slow", curve=curve(2.0, 1.9, 1.9))
    old = dataclasses.replace(record, method="old", curve={})
    result = StudyResult("x", "data", {"num_classes": 10}, {}, (record, slow, old))
    assert list(undertrained(result)) == ["slow"]
    assert undertrained(dataclasses.replace(result, runs=(slow,))) == {}, "nothing to compare with"


def test_where_single_networks_learn_nothing_there_is_no_scale():
    found = convergence([curve(2.4, 2.31, 2.31)], [curve(2.4, 2.4, 2.4)], IGNORANT)
    assert found.undertrained.startswith("single networks learned nothing")


def test_copies_that_train_otherwise_than_one_network_are_told():
    """Ends of 20 single networks and 5 copies, as dropout of the copies' own left them, and as it should be."""
    record = RunRecord("single", 0, "finished", 1, 1.0, 3, 2, None, {})

    def runs(method, mean, count):
        ends = mean + 0.001 * np.linspace(-1, 1, count)
        return [dataclasses.replace(record, method=method, seed=i, curve=curve(2.0, end)) for i, end in enumerate(ends)]

    single = runs("single", 0.009, 20)
    result = StudyResult("mnist", "data", {}, {}, tuple(single + runs("copies", 0.0054, 5)))
    assert copies_apart(result).startswith("they end at a training NLL of 0.0054 and single networks at 0.0090")
    for held in (runs("copies", 0.0092, 5), runs("copies", 0.0054, 1), []):
        assert copies_apart(dataclasses.replace(result, runs=tuple(single + held))) == ""
