"""A few seconds of `experiments.fuzz`, and that it finds what there is to find."""

import itertools

import numpy as np
import pytest

from experiments import fuzz

TRIES = 150


def faults(first_seed, count=TRIES):
    return [fault for _, fault in itertools.islice(fuzz.tries(first_seed), count) if fault]


def test_no_damage_is_accepted_or_ends_in_a_traceback():
    assert faults(10_000) == []


@pytest.mark.parametrize(
    ("name", "careless"),
    [
        ("be_jax.audit.arrays.read_npz", lambda path: dict(np.load(path))),
        ("be_jax.runs.checksum_of", lambda path: "00000000"),
        ("be_jax.runs._of_record", lambda record: None),
    ],
)
def test_careless_reading_is_found_out(monkeypatch, name, careless):
    monkeypatch.setattr(name, careless)
    found = []
    for seed in range(0, 1500, TRIES):
        found += faults(seed)
        if found:
            return
    pytest.fail("1500 damages, and none was seen")
