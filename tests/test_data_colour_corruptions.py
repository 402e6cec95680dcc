"""Corruptions of colour images: what they promise, and agreement with public libraries on the same constants."""

import io

import jax
import jax.numpy as jnp
import matplotlib.colors
import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from be_jax.data import COLOUR_CORRUPTIONS, CORRUPTIONS, corrupt, shifted_sets
from be_jax.data.corruptions.colour import blur, digital, filters, light, noise, weather

NAMES = tuple(COLOUR_CORRUPTIONS)
DETERMINISTIC = {
    f"generated_{name}"
    for name in (
        *("gaussian_blur", "defocus_blur", "zoom_blur", "brightness", "contrast", "saturate"),
        *("pixelate", "jpeg_compression"),
    )
}
NOT_GROWING = {
    "generated_glass_blur": "severity 1 hardly blurs what it displaced, severities 2 and 3 blur more",
    "generated_spatter": "severities 1 to 3 are water, 4 and 5 mud",
    "generated_saturate": "severities 1 and 2 take saturation away, 3 to 5 add it",
    "generated_elastic_transform": "the affine map weakens while the shifts get rougher",
}


@pytest.fixture(scope="module")
def images():
    """Smooth random colour images, 8 bits."""
    rng = np.random.default_rng(0)
    raw = scipy.ndimage.gaussian_filter(rng.normal(size=(24, 32, 32, 3)), (0, 3, 3, 0), mode="wrap")
    low, high = raw.min((1, 2, 3), keepdims=True), raw.max((1, 2, 3), keepdims=True)
    return jnp.asarray(np.round(255 * (0.05 + 0.9 * (raw - low) / (high - low))) / 255, jnp.float32)


def at(corruption, image, severity, seed=0):
    return np.asarray(corruption(jax.random.key(seed), image, jnp.int32(severity)))


def test_the_names_say_that_they_are_generated():
    assert len(NAMES) == 18
    assert all(name.startswith("generated_") for name in NAMES)
    assert not set(NAMES) & set(CORRUPTIONS)
    assert "generated_frost" not in NAMES  # it needs photographs


@pytest.mark.parametrize("name", NAMES)
def test_severity_distance_range_key_and_batch(name, images):
    key = jax.random.key(1)
    results = [corrupt(name, key, images, severity) for severity in range(6)]
    np.testing.assert_array_equal(results[0], images)
    for result in results:
        assert result.shape == images.shape
        assert result.dtype == images.dtype
        assert 0 <= float(result.min()) <= float(result.max()) <= 1
    distances = [float(jnp.abs(result - images).mean()) for result in results]
    assert min(distances[1:]) > 0
    if name not in NOT_GROWING:
        assert distances == sorted(distances), distances
    np.testing.assert_array_equal(corrupt(name, key, images, 3), results[3])
    np.testing.assert_array_equal(corrupt(name, key, images[:5], 3), results[3][:5])
    other = corrupt(name, jax.random.key(2), images, 3)
    assert bool((other == results[3]).all()) == (name in DETERMINISTIC)


@pytest.mark.parametrize("name", ["generated_fog", "generated_saturate"])
def test_grey_images_are_refused(name):
    grey = np.zeros((2, 32, 32, 1), np.uint8)
    with pytest.raises(ValueError, match=rf"{name} needs RGB images .*got shape \[2, 32, 32, 1\]"):
        corrupt(name, jax.random.key(0), jnp.zeros((2, 32, 32, 1)), 1)
    with pytest.raises(ValueError, match="needs RGB images"):
        shifted_sets(grey, jax.random.key(0), corruptions=[name])


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


def test_motion_blur_along_the_rows_is_a_one_sided_gaussian():
    image = jnp.zeros((9, 32, 1)).at[4, 20].set(1.0)
    blurred = np.asarray(filters.motion_blurred(image, jnp.int32(6), jnp.float32(2), jnp.float32(0)))[4, :, 0]
    weights = np.exp(-(np.arange(13) ** 2) / 8)
    np.testing.assert_allclose(blurred[8:21], (weights / weights.sum())[::-1], atol=1e-6)
    assert blurred[21:].sum() == 0


def test_plasma_spans_0_to_1_and_is_smoother_where_it_decays_faster():
    rough, smooth = (np.asarray(weather.plasma(jax.random.key(0), 32, jnp.float32(d))) for d in (1.2, 3.0))
    for heights in (rough, smooth):
        assert heights.shape == (32, 32)
        assert heights.min() == 0
        assert heights.max() == pytest.approx(1)
    assert np.abs(np.diff(rough, axis=0)).mean() > 1.5 * np.abs(np.diff(smooth, axis=0)).mean()


def test_glass_takes_each_pixel_from_above_and_left_and_leaves_the_border():
    rows, columns = np.indices((32, 32)) / 31
    image = jnp.asarray(np.stack([rows, columns, 0 * rows], -1), jnp.float32)
    moved = np.round(255 * (np.asarray(image) - at(blur.glass_blur, image, 1))[..., :2] * 31 / 255)
    assert set(np.unique(moved[2:, 2:])) <= {-0.0, 0.0, 1.0}
    assert 0.4 < moved[2:, 2:].mean() < 0.6
    assert not moved[:2].any()


def test_elastic_at_severity_1_is_affine_only(images):
    """The published amplitude of the shifts is 0 there. (OpenCV's warp rounds to 1/32 pixel; ours is exact.)"""
    ramp = jnp.asarray(np.stack([np.indices((32, 32))[1]] * 3, -1) / 31, jnp.float32)
    warped = at(digital.elastic_transform, ramp, 1)[8:24, 8:24, 0]
    np.testing.assert_allclose(np.diff(warped, 2, axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.diff(warped, 2, axis=1), 0, atol=1e-4)
