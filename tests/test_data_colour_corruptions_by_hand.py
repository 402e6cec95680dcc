"""Each corruption of colour images against its definition: scipy, Pillow, and closed forms."""

import io

import jax
import jax.numpy as jnp
import matplotlib.colors
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from PIL import Image
from test_data_colour_corruptions import at, images  # noqa: F401  (fixtures)

from be_jax.data import corrupt
from be_jax.data.corruptions import geometry
from be_jax.data.corruptions.colour import blur, digital, filters, light, noise, spatter, weather


@pytest.mark.parametrize("severity", range(1, 6))
def test_gaussian_blur_is_scipy_s(images, severity):
    sigma = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1]
    expected = scipy.ndimage.gaussian_filter(np.asarray(images[0]), (sigma, sigma, 0), mode="nearest")
    np.testing.assert_allclose(at(blur.gaussian_blur, images[0], severity), expected, atol=1e-5)


@pytest.mark.parametrize("severity", range(1, 6))
def test_defocus_blur_is_a_convolution_with_the_disk(images, severity):
    table = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
    kernel = blur.disk(*table[severity - 1])
    assert kernel.sum() == pytest.approx(1)
    expected = scipy.ndimage.correlate(np.asarray(images[0]), kernel[..., None], mode="mirror")
    np.testing.assert_allclose(at(blur.defocus_blur, images[0], severity), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 1.04, 1.05, 1.17, 1.25, 1.75, 2.25])
def test_zoom_is_scipy_s(images, factor):
    image = np.asarray(images[0])
    cut = int(np.ceil(32 / factor))
    top = (32 - cut) // 2
    enlarged = scipy.ndimage.zoom(image[top : top + cut, top : top + cut], (factor, factor, 1), order=1)
    trim = (len(enlarged) - 32) // 2
    matrix = filters.zoom_matrix(32, factor)
    np.testing.assert_allclose(
        filters.filtered(images[0], matrix, matrix), enlarged[trim : trim + 32, trim : trim + 32], atol=1e-5
    )


def test_zoom_blur_averages_as_many_zooms_as_the_published_ranges():
    assert tuple(len(np.arange(1, end, 0.01)) for end in (1.06, 1.11, 1.16, 1.21, 1.26)) == blur.ZOOM_STEPS


@pytest.mark.parametrize("sigma", [6.4, 0.96])
def test_the_filter_of_elastic_shifts_is_scipy_s(sigma):
    draw = np.random.default_rng(0).uniform(-1, 1, (32, 32, 1)).astype(np.float32)
    matrix = filters.gaussian_matrix(32, sigma, truncate=3, pad="symmetric")
    expected = scipy.ndimage.gaussian_filter(draw[..., 0], sigma, mode="reflect", truncate=3)
    np.testing.assert_allclose(filters.filtered(draw, matrix, matrix)[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["mirror", "reflect"])
def test_the_two_ways_to_mirror_are_scipy_s(images, mode):
    """OpenCV's BORDER_REFLECT_101, of the affine map, is scipy's "mirror"; the shifts take scipy's "reflect"."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((32, 32)) + rng.uniform(-6, 6, (2, 32, 32))
    expected = [
        scipy.ndimage.map_coordinates(np.asarray(images[0, ..., c]), [rows, columns], order=1, mode=mode)
        for c in range(3)
    ]
    ours = geometry.sample(images[0], jnp.asarray(rows), jnp.asarray(columns), mode)
    np.testing.assert_allclose(ours, np.stack(expected, -1), atol=1e-5)


@pytest.mark.parametrize("severity", range(1, 6))
def test_pixelate_is_pillow_s(images, severity):
    levels = np.asarray(jnp.round(255 * images[0])).astype(np.uint8)
    small = int(32 * (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1])
    expected = (
        Image.fromarray(levels).resize((small, small), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BOX)
    )
    ours = np.round(255 * at(digital.pixelate, images[0], severity))
    assert np.abs(ours - np.asarray(expected)).max() <= 1  # Pillow sums in fixed point
    assert (ours == np.asarray(expected)).mean() > 0.99


@pytest.mark.parametrize("severity", [1, 5])
def test_jpeg_is_pillow_s_for_each_image_of_a_batch(images, severity):
    ours = corrupt("generated_jpeg_compression", jax.random.key(0), images, severity)
    for image, stored in zip(images[:4], ours[:4], strict=True):
        file = io.BytesIO()
        levels = np.asarray(jnp.round(255 * image)).astype(np.uint8)
        Image.fromarray(levels).save(file, "JPEG", quality=digital.JPEG_QUALITY[severity - 1])
        np.testing.assert_array_equal(np.round(255 * np.asarray(stored)), np.asarray(Image.open(file)))


def test_brightness_and_saturate_are_those_of_hsv(images):
    hsv = matplotlib.colors.rgb_to_hsv(np.asarray(images[0]))
    brighter, richer = hsv.copy(), hsv.copy()
    brighter[..., 2] = np.clip(hsv[..., 2] + 0.2, 0, 1)
    richer[..., 1] = np.clip(2.5 * hsv[..., 1] + 0.2, 0, 1)
    np.testing.assert_allclose(at(light.brightness, images[0], 4), matplotlib.colors.hsv_to_rgb(brighter), atol=1e-5)
    np.testing.assert_allclose(at(light.saturate, images[0], 5), matplotlib.colors.hsv_to_rgb(richer), atol=1e-5)


def test_grey_pixels_turn_red_where_saturation_is_added():
    grey = jnp.full((4, 4, 3), 0.5)
    np.testing.assert_allclose(at(light.saturate, grey, 5)[0, 0], (0.5, 0.4, 0.4), atol=1e-6)
    np.testing.assert_allclose(at(light.saturate, grey, 3), grey)
    assert np.isfinite(at(light.saturate, jnp.zeros((4, 4, 3)), 5)).all()


def test_contrast_keeps_the_mean_and_the_stated_part_of_the_deviations(images):
    image, flat = np.asarray(images[0]), at(light.contrast, images[0], 5)
    np.testing.assert_allclose(flat.mean((0, 1)), image.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(flat.std((0, 1)), 0.15 * image.std((0, 1)), rtol=1e-4)


def test_moments_of_the_noise():
    image = jnp.full((64, 64, 3), 0.4)
    gaussian, speckle, shot = (at(f, image, 5) for f in (noise.gaussian_noise, noise.speckle_noise, noise.shot_noise))
    impulse = at(noise.impulse_noise, image, 5)
    for draw, deviation in ((gaussian, 0.1), (speckle, 0.2 * 0.4), (shot, (0.4 / 50) ** 0.5)):
        assert draw.mean() == pytest.approx(0.4, abs=4 * deviation / draw.size**0.5)
        assert draw.std() == pytest.approx(deviation, rel=0.03)
    np.testing.assert_allclose(shot * 50, np.round(shot * 50), atol=1e-4)
    assert (impulse != np.float32(0.4)).mean() == pytest.approx(0.07, abs=0.01)
    assert set(np.unique(impulse)) == {np.float32(0), np.float32(0.4), np.float32(1)}


@pytest.mark.parametrize("severity", range(1, 6))
def test_shot_noise_is_scipy_s_poisson_clipped(severity):
    """Up to rounding where a draw falls on a step: the same count in all but 1 of 500 values, else the next one."""
    white = (500, 250, 100, 75, 50)[severity - 1]
    image = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    image[0] = 0
    counts = white * at(noise.shot_noise, jnp.asarray(image), severity)
    draw = np.asarray(jax.random.uniform(jax.random.key(0), image.shape), np.float64)
    expected = np.clip(scipy.stats.poisson.ppf(draw, white * image.astype(np.float64)), 0, white)
    assert (np.abs(counts - expected) > 0.1).mean() < 0.002
    np.testing.assert_allclose(counts, expected, atol=1.1)


def test_motion_blur_along_the_rows_is_a_one_sided_gaussian():
    image = jnp.zeros((9, 32, 1)).at[4, 20].set(1.0)
    blurred = np.asarray(filters.motion_blurred(image, jnp.int32(6), jnp.float32(2), jnp.float32(0)))[4, :, 0]
    weights = np.exp(-(np.arange(13) ** 2) / 8)
    np.testing.assert_allclose(blurred[8:21], (weights / weights.sum())[::-1], atol=1e-6)
    assert blurred[21:].sum() == 0


@pytest.mark.parametrize("angle", [-45.0, 20.0, -100.0])
def test_motion_blur_reads_along_its_angle(angle):
    """ImageMagick, of which there is no library here, reads pixel k at (k cos, k sin) (right, down), halves down."""
    image = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    blurred = jax.jit(filters.motion_blurred)(image, 9, 2.5, angle)
    weights = np.exp(-(np.arange(19) ** 2) / (2 * 2.5**2))
    framed = np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="edge")
    expected = np.zeros_like(image)
    for step, weight in enumerate(weights / weights.sum()):
        right, down = (int(np.ceil(step * f(np.deg2rad(angle)) - 0.5)) for f in (np.cos, np.sin))
        expected += weight * framed[20 + down : 52 + down, 20 + right : 52 + right]
    np.testing.assert_allclose(blurred, expected, atol=1e-5)


plasma = jax.jit(weather.plasma, static_argnames="size")


def test_plasma_is_a_diamond_square_fractal():
    """With a fast decay only the first draws count, and every later point is the mean of its four neighbours."""
    heights = np.asarray(plasma(jax.random.key(0), 8, jnp.float32(1e4)))
    mean = scipy.ndimage.convolve(heights, np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4, mode="wrap")
    diagonal = scipy.ndimage.convolve(heights, np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 4, mode="wrap")
    np.testing.assert_allclose(heights[1::2, 1::2], diagonal[1::2, 1::2], atol=1e-5)
    np.testing.assert_allclose(heights[::2, 1::2], mean[::2, 1::2], atol=1e-5)
    np.testing.assert_allclose(heights[1::2, ::2], mean[1::2, ::2], atol=1e-5)
    assert [heights.min(), heights.max()] == pytest.approx([0, 1])


def test_plasma_is_smoother_where_it_decays_faster():
    rough, smooth = (np.asarray(plasma(jax.random.key(0), 8, jnp.float32(decay))) for decay in (1.2, 3.0))
    assert np.abs(np.diff(rough, axis=0)).mean() > 1.5 * np.abs(np.diff(smooth, axis=0)).mean()


def test_fog_leaves_black_and_the_brightest_value():
    assert not np.asarray(corrupt("generated_fog", jax.random.key(0), jnp.zeros((24, 32, 32, 3)), 5)).any()
    white = np.asarray(corrupt("generated_fog", jax.random.key(0), jnp.ones((24, 32, 32, 3)), 3))  # (1 + 0.75 p) / 1.75
    np.testing.assert_allclose([white.min(), white.max()], [1 / 1.75, 1], atol=1e-6)


def test_snow_is_a_layer_and_the_same_turned_round(images):
    black, snowy = (
        np.asarray(corrupt("generated_snow", jax.random.key(0), x, 4)) for x in (jnp.zeros_like(images), images)
    )
    np.testing.assert_allclose(black, black[:, ::-1, ::-1], atol=1e-6)
    assert black.min() == pytest.approx(0.15 * 0.5)
    grey = (np.asarray(images) @ np.array([0.299, 0.587, 0.114]))[..., None]
    paler = 0.85 * np.asarray(images) + 0.15 * np.maximum(images, 1.5 * grey + 0.5)
    expected = np.minimum(paler + black - 0.15 * 0.5, 1)
    np.testing.assert_allclose(snowy[black < 1], expected[black < 1], atol=1e-5)


def test_spatter_is_pale_water_or_brown_mud(images):
    black = jnp.zeros_like(images)
    water, mud = (np.asarray(corrupt("generated_spatter", jax.random.key(0), black, s)) for s in (3, 5))
    np.testing.assert_allclose(water.max((1, 2)), np.tile(0.5 * np.array([175, 238, 238]) / 255, (24, 1)), atol=1e-5)
    np.testing.assert_allclose(mud / mud.max(), (mud[..., :1] / mud.max()) * np.array([63, 42, 20]) / 63, atol=1e-6)
    cover = mud[..., :1] * 255 / 63
    assert set(np.unique(cover < 0.8 - 1e-6)) == {False, True}
    assert not cover[cover < 0.8 - 1e-6].any()
    muddy = np.asarray(corrupt("generated_spatter", jax.random.key(0), images, 5))
    np.testing.assert_allclose(muddy, np.asarray(images) * (1 - cover) + mud, atol=1e-5)


def test_distances_are_scipy_s():
    points = np.random.default_rng(0).random((20, 30)) < 0.02
    expected = scipy.ndimage.distance_transform_edt(~points)
    np.testing.assert_allclose(spatter.distance_to(jnp.asarray(points)), expected, atol=1e-5)
    assert np.isinf(spatter.distance_to(jnp.zeros((4, 4), bool))).all()


def test_equalised_values_are_ranks():
    """255 times the part of the pixels, less the lowest, that are no higher; one value alone stays."""
    image = np.random.default_rng(0).integers(3, 19, (16, 16))
    above = (image > image.min()).sum()
    expected = [[round(255 * ((image <= v) & (image > image.min())).sum() / above) for v in row] for row in image]
    np.testing.assert_array_equal(spatter.equalise(jnp.asarray(image, jnp.float32), 20), expected)
    np.testing.assert_array_equal(spatter.equalise(jnp.full((4, 4), 7.0), 20), 7)


def test_canny_keeps_ridges_of_the_gradient_that_touch_a_strong_one():
    """Made images, for want of a library here with OpenCV's form: skimage smooths first and has other thresholds."""
    canny = jax.jit(spatter.canny)
    step = np.zeros((12, 12), np.float32)
    step[:, 6:] = np.arange(5, 65, 5)[:, None]  # the gradient's norm is about 4 times the height of the step
    edges = np.asarray(canny(step, 50.0, 150.0))
    np.testing.assert_array_equal(np.argwhere(edges), [[row, 6] for row in range(1, 12)])  # as OpenCV finds
    assert not canny(np.minimum(step, 30), 50.0, 150.0).any()  # nothing strong
    assert not canny(np.full((12, 12), 99, np.float32), 50.0, 150.0).any()
    np.testing.assert_array_equal(canny(step.T, 50.0, 150.0), edges.T)


def test_glass_takes_each_pixel_from_above_and_left_and_leaves_the_border():
    rows, columns = np.indices((32, 32)) / 31
    image = jnp.asarray(np.stack([rows, columns, 0 * rows], -1), jnp.float32)
    moved = np.round(255 * (np.asarray(image) - at(blur.glass_blur, image, 1))[..., :2] * 31 / 255)
    assert set(np.unique(moved[2:, 2:])) <= {-0.0, 0.0, 1.0}
    assert 0.4 < moved[2:, 2:].mean() < 0.6
    assert not moved[:2].any()


def test_glass_reaches_twice_as_far_from_severity_4_on():
    rows, columns = np.indices((32, 32)) / 31
    image = jnp.asarray(np.stack([rows, columns, 0 * rows], -1), jnp.float32)
    moved = np.round(31 * (np.asarray(image) - at(blur.glass_blur, image, 4))[8:-8, 8:-8, :2])
    odds = [(moved == step).mean() for step in (0, 1, 2)]
    np.testing.assert_allclose(odds, [0.25, 0.5, 0.25], atol=0.08)


def test_elastic_at_severity_1_is_affine_only(images):
    """The published amplitude of the shifts is 0 there. (OpenCV's warp rounds to 1/32 pixel; ours is exact.)"""
    ramp = jnp.asarray(np.stack([np.indices((32, 32))[1]] * 3, -1) / 31, jnp.float32)
    warped = at(digital.elastic_transform, ramp, 1)[8:24, 8:24, 0]
    np.testing.assert_allclose(np.diff(warped, 2, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.diff(warped, 2, axis=1), 0, atol=1e-4)
