"""Corruptions (be_jax/data/corruptions): identities for all of them, and each against its definition."""

import itertools
import zlib

import jax
import jax.numpy as jnp
import matplotlib.colors
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from be_jax.data import CORRUPTIONS, as_float, corrupt, embedded_mnist, shifted_sets
from be_jax.data.corruptions import blur, geometry, light

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


def test_warp_is_scipys_affine_transform():
    image = random_image((9, 12, 2))
    matrix = np.array([[0.9, -0.35], [0.2, 1.3]])
    np.testing.assert_allclose(
        geometry.warp(jnp.asarray(image), jnp.asarray(matrix)), scipy_affine(image, matrix), atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "matrix", "constants"),
    [("rotate", rotation, (0.2, 0.4, 0.6, 0.8, 1.0)), ("shear", slant, (0.2, 0.4, 0.6, 0.8, 1.0))],
)
def test_rotate_and_shear_go_either_way(name, matrix, constants, images):
    for severity, constant in enumerate(constants, start=1):
        out = np.asarray(corrupt(name, KEY, images, severity))[:40]
        ways = [
            np.abs(out - scipy_affines(images[:40], matrix(sign * constant))).max((1, 2, 3)) < 1e-4 for sign in (-1, 1)
        ]
        assert (ways[0] ^ ways[1]).all()
        assert 10 < ways[0].sum() < 30


def test_scale_is_scipys(images):
    for severity, size in enumerate((0.9, 0.8, 0.7, 0.6, 0.5), start=1):
        out = np.asarray(corrupt("scale", KEY, images, severity))[:5]
        np.testing.assert_allclose(out, scipy_affines(images[:5], np.eye(2) / size), atol=1e-5)


def test_translate_goes_to_four_corners(images):
    out = np.asarray(corrupt("translate", KEY, images, 3))
    corners = [
        (np.abs(out - [scipy_affine(image, np.eye(2), shift) for image in images]) < 1e-5).all((1, 2, 3))
        for shift in ((3, 3), (3, -3), (-3, 3), (-3, -3))
    ]
    assert (np.sum(corners, axis=0) == 1).all()
    assert min(corner.sum() for corner in corners) > 25


# Noise


def test_shot_noise_is_a_clipped_poisson_variable():
    image = random_image((64, 64, 1))
    for severity, white in enumerate((60, 25, 12, 5, 3), start=1):
        key = jax.random.key(severity)
        out = np.asarray(CORRUPTIONS["shot_noise"](key, jnp.asarray(image), jnp.int32(severity)))
        draw = np.asarray(jax.random.uniform(key, image.shape), np.float64)
        exact = np.minimum(scipy.stats.poisson.ppf(draw, image.astype(float) * white), white) / white
        assert (np.abs(out - exact) > 1e-5).mean() < 0.001


def test_impulse_noise_replaces_the_stated_fraction():
    image = np.full((200, 200, 1), 0.5)
    for severity, amount in enumerate((0.03, 0.06, 0.09, 0.17, 0.27), start=1):
        out = apply("impulse_noise", image, severity)
        assert set(np.unique(out)) == {0, 0.5, 1}
        np.testing.assert_allclose([(out == 0).mean(), (out == 1).mean()], amount / 2, rtol=0.12)


# Blur


@pytest.mark.parametrize("sigma", [0.5, 1.1, 2.0])
def test_gaussian_filter_is_scipys(sigma):
    image = random_image((28, 21, 2))
    expected = scipy.ndimage.gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="nearest", radius=(8, 8, 0))
    np.testing.assert_allclose(blur.gaussian_filter(jnp.asarray(image), sigma), expected, atol=1e-6)


def test_gaussian_blur_has_the_stated_widths(images):
    for severity, sigma in enumerate((0.5, 0.8, 1.1, 1.5, 2.0), start=1):
        expected = scipy.ndimage.gaussian_filter(images[3], (sigma, sigma, 0), mode="nearest")
        np.testing.assert_allclose(corrupt("gaussian_blur", KEY, images, severity)[3], expected, atol=1e-3)


def test_glass_blur_averages_to_blur_shift_blur():
    """An edge, averaged over many columns, is smeared by a Gaussian, the distribution of the shift, and a Gaussian."""
    constants = zip((0.5, 0.6, 0.7, 0.8, 0.9), (0.8, 1.2, 1.7, 2.3, 3.0), strict=True)
    edge = np.zeros((40, 2000, 1))
    edge[:20] = 1
    for severity, (sigma, reach) in enumerate(constants, start=1):
        out = apply("glass_blur", edge, severity)[..., 0]
        steps = np.arange(-3, 4)
        odds = np.clip(np.minimum(steps + 0.5, reach) - np.maximum(steps - 0.5, -reach), 0, None) / (2 * reach)
        smear = [("gaussian_filter1d", sigma), ("convolve1d", odds), ("gaussian_filter1d", sigma)]
        expected = edge[:, 0, 0]
        for function, argument in smear:
            expected = getattr(scipy.ndimage, function)(expected, argument, mode="nearest")
        np.testing.assert_allclose(out.mean(axis=1), expected, atol=0.03)
        assert out[19].std() > 0.1


def test_motion_blur_spreads_a_dot_along_a_line():
    for severity, length in enumerate((3, 5, 7, 9, 11), start=1):
        for i in range(3):
            out = apply("motion_blur", dot()[0], severity, jax.random.key(i))[..., 0].astype(float)
            rows, columns = np.indices(out.shape) - 14
            assert out.sum() == pytest.approx(1, abs=1e-5)
            assert (out * rows).sum() == pytest.approx(0, abs=1e-5)
            spread = np.array([[(out * a * b).sum() for a in (rows, columns)] for b in (rows, columns)])
            across, along = np.linalg.eigvalsh(spread)
            evenly = 0.4 * (length / 2) ** 2  # variance of 11 evenly spaced points
            assert 0 <= across < 0.3
            assert evenly - 0.05 < along < evenly + 0.5
            assert spread[1, 1] >= spread[0, 0] - 0.3


# Light


def test_brightness_adds_to_the_value_of_hsv():
    image = random_image((10, 10, 3))
    image[0, 0] = 0
    hsv = matplotlib.colors.rgb_to_hsv(image)
    hsv[..., 2] = np.minimum(hsv[..., 2] + 0.3, 1)
    np.testing.assert_allclose(apply("brightness", image, 3), matplotlib.colors.hsv_to_rgb(hsv), atol=1e-5)
    np.testing.assert_allclose(apply("brightness", image[..., :1], 2), np.minimum(image[..., :1] + 0.2, 1), atol=1e-6)


def test_contrast_scales_about_the_mean_of_each_channel():
    image = random_image((10, 10, 3)) * [0.2, 0.6, 1]
    mean = image.mean((0, 1))
    np.testing.assert_allclose(apply("contrast", image, 3), mean + 0.35 * (image - mean), atol=1e-6)


@jax.jit
def haze(key):
    return light.haze(key, 28, 28)


def test_fog_mixes_with_haze():
    image = 0.8 * random_image((28, 28, 3))
    key = jax.random.key(0)
    mist = np.asarray(haze(key))[..., None]
    top = image.max()
    out = jax.jit(CORRUPTIONS["fog"])(key, image, 3)
    np.testing.assert_allclose(out, (image + 1.2 * mist) * top / (top + 1.2), atol=1e-6)
    assert np.asarray(apply("fog", np.zeros((28, 28, 1)), 3)).max() == 0


def test_haze_is_smooth_and_spans_the_unit_interval():
    for i in range(5):
        mist = np.asarray(haze(jax.random.key(i)))
        np.testing.assert_allclose([mist.min(), mist.max()], [0, 1], atol=1e-6)
        neighbours = [
            np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in ((mist[1:], mist[:-1]), (mist[:, 1:], mist[:, :-1]))
        ]
        assert min(neighbours) > 0.93


# Marks


def test_stripe_inverts_the_columns_of_mnist_c():
    image = random_image((28, 28, 1))
    expected = image.copy()
    expected[:, :7] = 1 - image[:, :7]
    expected[:, 21:] = 1 - image[:, 21:]
    np.testing.assert_array_equal(apply("stripe", image, 3), expected)


@pytest.mark.parametrize("name", ["dotted_line", "zigzag"])
def test_lines_are_added_one_by_one(name):
    black = [apply(name, np.zeros((28, 28, 1)), severity)[..., 0] for severity in range(1, 6)]
    for fewer, more in itertools.pairwise(black):
        assert (more >= fewer - 1e-6).all()
        assert more.sum() > fewer.sum()
    image = random_image((28, 28, 3))
    np.testing.assert_allclose(apply(name, image, 2), np.minimum(image + black[1][..., None], 1), atol=1e-6)


def test_one_dotted_line_is_straight_and_dotted():
    line = apply("dotted_line", np.zeros((28, 28, 1)), 1)[..., 0]
    drawn = line.max(axis=0) > 0
    np.testing.assert_array_equal(drawn, np.arange(28) % 4 >= 2)
    heights = (line * np.arange(28)[:, None]).sum(0)[drawn] / line.sum(0)[drawn]
    straight = np.polyval(np.polyfit(np.flatnonzero(drawn), heights, 1), np.flatnonzero(drawn))
    np.testing.assert_allclose(heights, straight, atol=0.35)
    assert line.max(axis=0)[drawn].min() > 0.7


def test_one_zigzag_turns_every_four_pixels():
    lines = (apply("zigzag", np.zeros((28, 28, 1)), 1, jax.random.key(i))[..., 0] for i in range(20))
    line = next(line for line in lines if line[[0, -1]].max() == 0)  # away from the upper and lower edge
    assert line[:, [0, 1, 26, 27]].max() == 0
    heights = (line * np.arange(28)[:, None]).sum(0)[2:26] / line.sum(0)[2:26]
    level = heights - np.polyval(np.polyfit(np.arange(24), heights, 1), np.arange(24))
    assert 3 < np.ptp(level) < 5
    np.testing.assert_allclose(level[:-8], level[8:], atol=0.6)
    assert np.abs(np.diff(heights)).max() < 1.6


def test_spatter_covers_the_stated_part_with_dark_grey():
    for severity, part in ((1, 0.08), (5, 0.40)):
        covers = [apply("spatter", np.zeros((64, 64, 1)), severity, jax.random.key(i)) for i in range(4)]
        assert np.max(covers) == pytest.approx(63 / 255, abs=0.002)
        assert np.mean(np.array(covers) > 63 / 255 / 2) == pytest.approx(part, abs=0.03)
    white = apply("spatter", np.ones((64, 64, 1)), 5)
    np.testing.assert_allclose(
        1 - white, (1 - 63 / 255) * apply("spatter", np.zeros((64, 64, 1)), 5) * 255 / 63, atol=1e-5
    )
