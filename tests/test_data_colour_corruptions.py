"""Corruptions of colour images: what they promise, and agreement with public libraries on the same constants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from test_data_tfds import FOLDER, needs_folder

from be_jax.data import COLOUR_CORRUPTIONS, CORRUPTIONS, as_float, corrupt, load_split, shifted_sets
from be_jax.data.corruptions.colour import digital

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


@pytest.mark.slow
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
    np.testing.assert_array_equal(corrupt(name, key, images.at[5:].set(images[:-5]), 3)[:5], results[3][:5])
    other = corrupt(name, jax.random.key(2), images, 3)
    assert bool((other == results[3]).all()) == (name in DETERMINISTIC)
    in_two_places = corrupt(name, key, images.at[1].set(images[0]), 3)[:2]
    assert bool((in_two_places[0] == in_two_places[1]).all()) == (name in DETERMINISTIC)


def test_a_prefix_gets_the_same(images):
    """The images are corrupted in chunks of 250."""
    many = jnp.tile(images, (11, 1, 1, 1))
    whole = corrupt("generated_speckle_noise", jax.random.key(0), many, 2)
    part = corrupt("generated_speckle_noise", jax.random.key(0), many[:260], 2)
    np.testing.assert_allclose(part, whole[:260], atol=1e-6)


@pytest.fixture(scope="module")
def real():
    """As many as ``images``: no new compilation."""
    return as_float(load_split("cifar10", "test", data_dir=FOLDER).images[:24])


@pytest.mark.slow
@needs_folder
@pytest.mark.parametrize("name", NAMES)
def test_distance_grows_on_real_images_but_for_four(name, real):
    results = [corrupt(name, jax.random.key(1), real, severity) for severity in range(1, 6)]
    distances = [float(jnp.abs(result - real).mean()) for result in results]
    assert min(distances) > 0.003
    assert (distances == sorted(distances)) == (name not in NOT_GROWING), distances


@pytest.mark.parametrize("name", NAMES)
def test_any_size_and_a_traced_severity(name):
    batch, severity = jax.ShapeDtypeStruct((4, 24, 30, 3), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    out = jax.eval_shape(lambda x, s: corrupt(name, jax.random.key(0), x, s), batch, severity)
    assert (out.shape, out.dtype) == (batch.shape, batch.dtype)


@pytest.mark.parametrize("name", ["generated_fog", "generated_saturate"])
def test_grey_images_are_refused(name):
    grey = np.zeros((2, 32, 32, 1), np.uint8)
    with pytest.raises(ValueError, match=rf"{name} needs RGB images .*got shape \[2, 32, 32, 1\]"):
        corrupt(name, jax.random.key(0), jnp.zeros((2, 32, 32, 1)), 1)
    with pytest.raises(ValueError, match="needs RGB images"):
        shifted_sets(grey, jax.random.key(0), corruptions=[name])


def test_a_missing_pillow_is_named(images, monkeypatch):
    monkeypatch.setattr(digital.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'needs Pillow: pip install "be-jax\[data\]"'):
        digital.jpeg_compression(jax.random.key(0), images[0], jnp.int32(1))
