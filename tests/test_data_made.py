"""Sets that are made here, augmentation, and statistics of channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data_cifar import COLOUR, GREY
from test_data_tfds import FOLDER, mock_tfds, needs_folder, pretend_tensorflow  # noqa: F401  (mock_tfds is a fixture)

from be_jax.data import (
    as_float,
    channel_statistics,
    crop_and_flip,
    in_colour,
    load_split,
    standardise,
    uniform_noise,
)


def test_in_colour_is_two_colours_and_the_line_between():
    images = GREY.copy()
    images[:, 0, :2, 0] = 0, 255  # so that both colours can be read off
    made = in_colour(images)
    assert (made.shape, made.dtype) == ((6, 32, 32, 3), np.uint8)
    paper, ink = (made[:, 2, 2 + k].astype(float)[:, None, None] for k in (0, 1))
    np.testing.assert_allclose(made[:, 2:30, 2:30], paper + images / 255.0 * (ink - paper), atol=1.01)
    border = np.ones((32, 32), bool)
    border[2:30, 2:30] = False
    assert (made[:, border] == paper[:, 0]).all()
    assert len({bytes(colours) for colours in np.concatenate([made[:, 2, 2], made[:, 2, 3]])}) == 12


@pytest.mark.parametrize(("shape", "side"), [((32, 32), 32), ((27, 20), 32), ((1, 1), 5), ((3, 4), 4)])
def test_in_colour_puts_the_image_in_the_middle(shape, side):
    made = in_colour(np.full((2, *shape, 1), 255, np.uint8), side=side, seed=3)
    assert made.shape == (2, side, side, 3)
    top, left = ((side - length) // 2 for length in shape)
    box = np.zeros((side, side), bool)
    box[top : top + shape[0], left : left + shape[1]] = True
    for image in made:
        assert len(np.unique(image[box], axis=0)) == 1
        assert len(np.unique(image[~box], axis=0)) == (not box.all())


def test_in_colour_depends_on_seed_and_index_alone():
    made = in_colour(GREY, seed=1)
    np.testing.assert_array_equal(made[:2], in_colour(GREY[:2], seed=1))
    np.testing.assert_array_equal(in_colour(GREY[::-1], seed=1)[2, 0, 0], made[2, 0, 0])
    assert (made != in_colour(GREY, seed=2)).any((1, 2, 3)).all()


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (GREY[..., 0], r"uint8 of shape \[6, 28, 28\]"),
        (GREY.repeat(3, -1), r"uint8 of shape \[6, 28, 28, 3\]"),
        (GREY / 255, "float64 of shape"),
        (np.zeros((1, 33, 28, 1), np.uint8), r"\[1, 33, 28, 1\]"),
    ],
)
def test_in_colour_refuses(images, got):
    with pytest.raises(ValueError, match=rf"grey uint8 images \[n, h, w, 1\] with h, w <= 32; got .*{got}"):
        in_colour(images)


def test_uniform_noise_is_uniform_and_independent():
    noise = uniform_noise(200)
    assert (noise.shape, noise.dtype) == ((200, 32, 32, 3), np.uint8)
    counts = np.bincount(noise.ravel(), minlength=256)
    expected = noise.size / 256
    assert ((counts - expected) ** 2 / expected).sum() < 350  # 255 degrees of freedom: exceeded once in 14,000
    centred = noise / 127.5 - 1
    for shifted in (np.roll(centred, 1, axis) for axis in range(4)):
        assert abs((centred * shifted).mean()) < 4 / 3 / np.sqrt(noise.size)


def test_uniform_noise_depends_on_seed_and_index_alone():
    for shape in ((32, 32, 3), (3, 3, 1)):
        noise = uniform_noise(5, shape, seed=1)
        assert noise.shape == (5, *shape)
        np.testing.assert_array_equal(noise[:2], uniform_noise(2, shape, seed=1))
        assert (noise != uniform_noise(5, shape, seed=2)).any((1, 2, 3)).all()
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"count must be at least 1, got {count}"):
            uniform_noise(count)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_crop_is_a_shift_by_at_most_4_pixels_mirrored_or_not(seed):
    image = jnp.arange(1, 8 * 8 * 3 + 1, dtype=jnp.uint8).reshape(8, 8, 3)
    crop = crop_and_flip(jax.random.key(seed), image)
    framed = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    windows = [framed[i : i + 8, j : j + 8] for i in range(9) for j in range(9)]
    assert any(np.array_equal(crop, window) or np.array_equal(crop, window[:, ::-1]) for window in windows)


@pytest.mark.slow
def test_crops_take_every_place_and_both_sides():
    image = jnp.arange(1, 8 * 8 + 1, dtype=jnp.uint8).reshape(8, 8, 1)
    crops = jax.vmap(crop_and_flip, (0, None))(jax.random.split(jax.random.key(0), 3000), image)
    assert len({np.asarray(crop).tobytes() for crop in crops}) == 2 * 81


@pytest.mark.parametrize("per_count", [1, 7, 1000])
@pytest.mark.parametrize("channels", [1, 3])
def test_channel_statistics_against_numpy(monkeypatch, per_count, channels):
    monkeypatch.setattr("be_jax.data.pixels._IMAGES_PER_COUNT", per_count)
    images = COLOUR[..., :channels] // np.uint8([1, 2, 3][:channels])
    mean, std = channel_statistics(images)
    assert mean.shape == std.shape == (channels,)
    assert mean.dtype == std.dtype == np.float64
    np.testing.assert_allclose(mean, (images / 255).mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std((0, 1, 2)), rtol=1e-12)
    standard = np.asarray(standardise(as_float(images), mean, std))
    np.testing.assert_allclose(standard.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std((0, 1, 2)), 1, atol=1e-5)


def test_channel_statistics_of_constant_channels():
    images = np.broadcast_to(np.uint8([0, 51, 255]), (5, 2, 2, 3))
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, [0, 0.2, 1], rtol=1e-15)
    assert std.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (COLOUR / 255, TypeError, "counts uint8 values, got float64; pass the images as stored"),
        (COLOUR[0], ValueError, r"channel_statistics: images must have shape \[n, h, w, ch\], got \[4, 5, 3\]"),
        (COLOUR[:0], ValueError, "channel_statistics: images are empty"),
    ],
)
def test_channel_statistics_refuses(images, error, message):
    with pytest.raises(error, match=message):
        channel_statistics(images)


@pytest.mark.slow
@needs_folder
def test_the_published_statistics_of_cifar10():
    """To within 0.002: the folder may hold no more than the first 20,000 of the 50,000 images they were taken of."""
    mean, std = channel_statistics(load_split("cifar10", "train", FOLDER).images[:20_000])
    np.testing.assert_allclose(mean, (0.4914, 0.4822, 0.4465), atol=2e-3)
    np.testing.assert_allclose(std, (0.2470, 0.2435, 0.2616), atol=2e-3)
