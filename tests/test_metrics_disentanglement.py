"""Disentanglement error: by hand, against numpy's correlations, and where nothing varies."""

import jax
import numpy as np
import pytest

from be_jax.metrics import disentanglement_error

RISING = np.array([0.1, 0.2, 0.4, 0.5])
FLAT = np.full(4, 0.3)


def test_a_perfect_split_and_its_reverse():
    perfect = disentanglement_error(RISING, 2 * RISING, FLAT, RISING, FLAT, RISING + 1)
    np.testing.assert_allclose(perfect, 0, atol=1e-6)
    exchanged = disentanglement_error(RISING, FLAT, RISING, RISING, RISING, FLAT)
    np.testing.assert_allclose(exchanged, 1, atol=1e-6)
    against = disentanglement_error(RISING, -RISING, FLAT, RISING, FLAT, RISING)
    assert against.aleatoric_follows_noise == pytest.approx(2, abs=1e-6)


def test_against_numpy():
    levels = np.random.default_rng(0).normal(size=(6, 7))
    found = jax.jit(disentanglement_error)(*levels)
    of_noise, of_size = np.corrcoef(levels[:3])[0], np.corrcoef(levels[3:])[0]
    parts = [1 - of_noise[1], abs(of_noise[2]), 1 - of_size[2], abs(of_size[1])]
    np.testing.assert_allclose(found, [np.mean(parts), *parts], atol=1e-5)


def test_an_error_that_never_changes_tells_nothing():
    assert np.isnan(disentanglement_error(FLAT, RISING, RISING, RISING, FLAT, RISING).error)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"of size must agree in at least 2 levels"):
        disentanglement_error(RISING, RISING, RISING, RISING, RISING[:3], RISING)
    with pytest.raises(ValueError, match=r"of noise must agree in at least 2 levels"):
        disentanglement_error(*[RISING[:1]] * 3, RISING, RISING, RISING)
    with pytest.raises(ValueError, match=r"size_aleatoric must be \[b\]"):
        disentanglement_error(RISING, RISING, RISING, RISING, RISING[None], RISING)
