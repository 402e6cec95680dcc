"""The data of the CIFAR-10 benchmark: TFDS sets of colour images, far OOD sets that are made, and augmentation."""

import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from be_jax.data import (
    DataUnavailableError,
    check_available,
    cifar10_c,
    cifar10_c_corruptions,
    crop_and_flip,
    in_colour,
    load_split,
    uniform_noise,
)


def test_the_catalogue_has_the_published_corruptions():
    corruptions = cifar10_c_corruptions()
    assert len(corruptions) == len(set(corruptions)) >= 15
    assert {"gaussian_noise", "frost", "jpeg_compression", "fog"} <= set(corruptions)


def test_unknown_corruptions_and_severities_are_refused_at_the_call():
    with pytest.raises(ValueError, match=r"unknown corruption 'rain'; those of CIFAR-10-C in TFDS are .*fog"):
        cifar10_c(corruptions=("rain",))
    with pytest.raises(ValueError, match=r"1\.\.5, got 6"):
        cifar10_c(severities=(6,))


def test_what_cannot_be_had_is_said_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("be_jax.data.tfds._has_tensorflow", lambda: False)
    with pytest.raises(DataUnavailableError, match=r"cifar10_corrupted/fog_1.*could not be had(.|\n)*prepare"):
        check_available(["cifar10_corrupted/fog_1"], tmp_path)
    monkeypatch.setattr("be_jax.data.tfds._has_tensorflow", lambda: True)
    check_available(["cifar10_corrupted/fog_1"], tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason='preparing needs TensorFlow: pip install "be-jax[prepare]"'
)
def test_a_data_set_is_prepared_by_its_own_builder_and_read_back(tmp_path):
    import tensorflow_datasets as tfds

    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)

    class TinyColours(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = pathlib.Path(__file__).parent

        def _info(self):
            features = {"image": tfds.features.Image(shape=(8, 8, 3)), "label": tfds.features.ClassLabel(num_classes=5)}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"test": self._generate_examples()}

        def _generate_examples(self):
            yield from ((i, {"image": image, "label": i}) for i, image in enumerate(pixels))

    examples = load_split("tiny_colours", "test", tmp_path)
    order = np.argsort(examples.labels)
    np.testing.assert_array_equal(examples.images[order], pixels)


def test_digits_in_colour():
    grey = np.zeros((3, 28, 28, 1), np.uint8)
    grey[:, 10, 12] = 255
    coloured = in_colour(grey)
    assert coloured.shape == (3, 32, 32, 3)
    for image in coloured:
        papers = np.unique(image.reshape(-1, 3), axis=0)
        assert len(papers) == 2
        assert not (image[12, 14] == image[0, 0]).all()
    np.testing.assert_array_equal(in_colour(grey[:2]), coloured[:2])
    assert (in_colour(grey, seed=1) != coloured).any()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2, 28, 28, 3), np.uint8), ((2, 40, 28, 1), np.uint8), ((2, 28, 28, 1), np.float32)]
)
def test_only_grey_8_bit_images_that_fit_are_coloured(shape, dtype):
    with pytest.raises(ValueError, match="needs grey uint8 images"):
        in_colour(np.zeros(shape, dtype))


def test_uniform_noise():
    images = uniform_noise(50)
    assert images.shape == (50, 32, 32, 3)
    assert images.mean() == pytest.approx(127.5, abs=1)
    np.testing.assert_array_equal(uniform_noise(3), images[:3])
    with pytest.raises(ValueError, match="at least 1, got 0"):
        uniform_noise(0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_crop_is_a_shift_by_at_most_4_pixels_mirrored_or_not(seed):
    image = jnp.arange(1, 8 * 8 * 3 + 1, dtype=jnp.uint8).reshape(8, 8, 3)
    crop = crop_and_flip(jax.random.key(seed), image)
    framed = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    windows = [framed[i : i + 8, j : j + 8] for i in range(9) for j in range(9)]
    assert any(np.array_equal(crop, window) or np.array_equal(crop, window[:, ::-1]) for window in windows)


def test_crops_take_every_place_and_both_sides():
    image = jnp.arange(1, 8 * 8 + 1, dtype=jnp.uint8).reshape(8, 8, 1)
    crops = jax.vmap(crop_and_flip, (0, None))(jax.random.split(jax.random.key(0), 3000), image)
    assert len({np.asarray(crop).tobytes() for crop in crops}) == 2 * 81
