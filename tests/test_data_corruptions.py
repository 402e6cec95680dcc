"""Corruptions (be_jax/data/corruptions): identities for all of them, and each against its definition."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from be_jax.data import CORRUPTIONS, as_float, corrupt, embedded_mnist, shifted_sets

KEY = jax.random.key(7)
UNKEYED = {"gaussian_blur", "scale", "brightness", "contrast", "stripe"}
NAMES = pytest.mark.parametrize("name", CORRUPTIONS)
RANDOM = pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name not in UNKEYED])


@pytest.fixture(scope="module")
def digits():
    return embedded_mnist().test.images[:200]


@pytest.fixture(scope="module")
def images(digits):
    return np.asarray(as_float(digits))


def random_image(shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def dot(side=29):
    return np.zeros((1, side, side, 1), np.float32) + (np.arange(side**2) == side**2 // 2).reshape(side, side, 1)


def apply(name, image, severity, key=KEY):
    """One image as an array ``[h, w, ch]``."""
    return np.asarray(corrupt(name, key, jnp.asarray(image, jnp.float32)[None], severity)[0])


def scipy_affine(image, matrix, shift=(0, 0)):
    centre = (np.array(image.shape[:2]) - 1) / 2
    offset = centre - matrix @ centre + np.asarray(shift)
    channels = [
        scipy.ndimage.affine_transform(image[..., c].astype(float), matrix, offset, order=1, mode="grid-constant")
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=2)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def slant(slope):
    return np.array([[1, 0], [slope, 1]])


def scipy_affines(images, matrix):
    return np.stack([scipy_affine(image, matrix) for image in images])


def test_there_are_at_least_fifteen():
    assert len(CORRUPTIONS) >= 15


@pytest.mark.slow
@NAMES
def test_severity_zero_is_the_identity(name, images):
    np.testing.assert_array_equal(corrupt(name, KEY, images, 0), images)


@pytest.mark.slow
@NAMES
def test_distance_grows_with_severity(name, images):
    results = [np.asarray(corrupt(name, KEY, images, severity)) for severity in range(1, 6)]
    distances = [np.sqrt(((result - images) ** 2).mean((1, 2, 3))).mean() for result in results]
    assert distances[0] > 0.02
    assert np.diff(distances).min() > 0.002
    for result in results:
        assert result.shape == images.shape
        assert result.dtype == np.float32
        assert result.min() >= 0  # False for NaN
        assert result.max() <= 1


@pytest.mark.slow
@NAMES
def test_an_image_depends_on_its_key_and_place_only(name, images):
    """Image i is the function of one image, here without jit, under the key folded with the name and i."""
    batch = np.asarray(corrupt(name, KEY, images, 3))
    key = jax.random.fold_in(KEY, zlib.crc32(name.encode()))
    with jax.disable_jit():
        alone = CORRUPTIONS[name](jax.random.fold_in(key, 2), jnp.asarray(images[2]), jnp.int32(3))
    np.testing.assert_allclose(batch[2], np.clip(alone, 0, 1), atol=2e-5)


@RANDOM
def test_keys_and_places_differ(name, images):
    same = np.repeat(images[:1], len(images), axis=0)
    batch = np.asarray(corrupt(name, KEY, same, 3))
    assert any(not np.array_equal(batch[0], other) for other in batch[1:])
    np.testing.assert_array_equal(batch, corrupt(name, KEY, same, 3))
    assert not np.array_equal(batch, corrupt(name, jax.random.key(8), same, 3))


@pytest.mark.parametrize("name", sorted(UNKEYED))
def test_unkeyed_ones_ignore_the_key(name, images):
    np.testing.assert_array_equal(corrupt(name, KEY, images, 3), corrupt(name, jax.random.key(8), images, 3))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["impulse_noise", "rotate"])
def test_a_prefix_gets_the_same(name, images):
    """The images are corrupted in chunks of 250."""
    many = np.concatenate([images] * 3)
    whole = np.asarray(corrupt(name, KEY, many, 2))
    for count in (1, 260):
        np.testing.assert_allclose(corrupt(name, KEY, many[:count], 2), whole[:count], atol=1e-5)


def test_names_draw_independently(images):
    """Under one key, the side to which an image turns says nothing about the side to which it slants."""
    turned, slanted = (np.asarray(corrupt(name, KEY, images, 1)) for name in ("rotate", "shear"))
    turned_left = np.abs(turned - scipy_affines(images, rotation(0.2))).mean((1, 2, 3)) < 1e-4
    slanted_left = np.abs(slanted - scipy_affines(images, slant(0.2))).mean((1, 2, 3)) < 1e-4
    assert 0.35 < (turned_left == slanted_left).mean() < 0.65


@NAMES
def test_traced_and_in_colour(name):
    """Any size, three channels, a traced severity: shape and dtype, without compiling."""
    batch = jax.ShapeDtypeStruct((4, 32, 30, 3), jnp.float32)
    out = jax.eval_shape(
        lambda x, severity: corrupt(name, KEY, x, severity), batch, jax.ShapeDtypeStruct((), jnp.int32)
    )
    assert (out.shape, out.dtype) == (batch.shape, batch.dtype)


def test_severity_may_be_traced(images):
    traced = jax.jit(lambda x, severity: corrupt("shot_noise", KEY, x, severity))
    for severity in (0, 4):
        np.testing.assert_allclose(traced(images, severity), corrupt("shot_noise", KEY, images, severity), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "batch", "severity", "error", "message"),
    [
        ("snow", random_image((2, 4, 4, 1)), 1, ValueError, "'snow'; the corruptions are shot_noise, .*spatter"),
        ("fog", random_image((2, 4, 4, 1)), 6, ValueError, r"severity must be in 0..5, got 6"),
        ("fog", random_image((2, 4, 4, 1)), -1, ValueError, "got -1"),
        ("fog", random_image((2, 4, 4, 1)), 2.5, TypeError, "severity must be one integer in 0..5, got 2.5"),
        ("fog", random_image((2, 4, 4, 1)), np.array([1, 2]), TypeError, "one integer"),
        ("fog", random_image((2, 4, 4)), 1, ValueError, r"\[n, h, w, ch\], got \[2, 4, 4\]; .*channel axis"),
        ("fog", random_image((0, 4, 4, 1)), 1, ValueError, "empty"),
        ("fog", 255 * random_image((2, 4, 4, 1)), 1, ValueError, "divide by 255"),
        ("fog", random_image((2, 4, 4, 1)) * np.nan, 1, ValueError, "NaN or infinite values in 2 of 2 images"),
        ("fog", np.zeros((2, 4, 4, 1), np.uint8), 1, TypeError, r"got uint8; pass be_jax.data.as_float\(images\)"),
    ],
)  # fmt: skip
def test_corrupt_refuses(name, batch, severity, error, message):
    with pytest.raises(error, match=message):
        corrupt(name, KEY, batch, severity)


def test_shape_is_refused_at_trace_time():
    with pytest.raises(ValueError, match=r"got \[2, 4, 4\]"):
        jax.jit(lambda x: corrupt("fog", KEY, x, 1))(random_image((2, 4, 4)))


# Sets


def test_shifted_sets_are_corrupt_rounded(digits, images):
    sets = dict(shifted_sets(digits, KEY, corruptions=("rotate", "stripe"), severities=(2, 5)))
    assert list(sets) == ["rotate_2", "rotate_5", "stripe_2", "stripe_5"]
    for name, values in sets.items():
        corruption, severity = name.rsplit("_", 1)
        assert values.dtype == np.uint8
        exact = 255 * np.asarray(corrupt(corruption, KEY, images, int(severity)))
        assert np.abs(values - exact).max() < 0.501


def test_shifted_sets_default_to_all_and_are_lazy(digits):
    sets = shifted_sets(digits, KEY)
    assert next(sets)[0] == f"{next(iter(CORRUPTIONS))}_1"
    assert iter(sets) is sets


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"images": random_image((2, 4, 4, 1))}, TypeError, r"must be uint8, got float32; pass np.round"),
        ({"images": np.zeros((2, 4, 4), np.uint8)}, ValueError, "channel axis"),
        ({"corruptions": ("fog", "snow")}, ValueError, "unknown corruption 'snow'"),
        ({"severities": (1, 7)}, ValueError, "got 7"),
    ],
)
def test_shifted_sets_refuse_at_the_call(digits, changes, error, message):
    with pytest.raises(error, match=message):
        shifted_sets(**({"images": digits, "key": KEY} | changes))


# Geometry, against scipy


# Noise


# Blur


# Light


# Marks
