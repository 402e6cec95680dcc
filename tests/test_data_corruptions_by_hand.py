"""Each corruption against its definition: scipy, closed forms, and what a dot becomes."""

import itertools

import jax
import jax.numpy as jnp
import matplotlib.colors
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from test_data_corruptions import (  # noqa: F401  (fixtures)
    KEY,
    apply,
    digits,
    dot,
    images,
    random_image,
    rotation,
    scipy_affine,
    scipy_affines,
    slant,
)

from be_jax.data import CORRUPTIONS, corrupt
from be_jax.data.corruptions import blur, geometry, light


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
