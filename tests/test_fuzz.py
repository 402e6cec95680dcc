"""A few seconds of `experiments.fuzz`, and that it finds what there is to find."""

import itertools

import numpy as np
import pytest

from experiments import fuzz

TRIES = 150


def faults(first_seed, count=TRIES):
    return [fault for _, fault in itertools.islice(fuzz.tries(first_seed), count) if fault]


@pytest.mark.slow
def test_no_damage_is_accepted_or_ends_in_a_traceback():
    assert faults(10_000) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "name", "careless"),
    [
        (0, "be_jax.audit.arrays.read_npz", lambda path: dict(np.load(path))),
        (260, "be_jax.runs.checksum_of", lambda path: "00000000"),
        (390, "be_jax.runs._of_record", lambda record: None),
    ],
)
def test_careless_reading_is_found_out(monkeypatch, seed, name, careless):
    """From a seed near one that shows it, which saves minutes."""
    monkeypatch.setattr(name, careless)
    assert faults(seed, 60)
