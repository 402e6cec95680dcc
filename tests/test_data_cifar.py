"""Colour data sets: CIFAR-10, corrupted and out-of-distribution sets, smaller studies, augmentation, statistics.

No CIFAR, SVHN or CIFAR-10-C is needed: TFDS's own mock stands in for them. Preparing a set needs TensorFlow.
"""

import importlib.util
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data_tfds import FOLDER, mock_tfds, needs_folder, pretend_tensorflow  # noqa: F401  (mock_tfds is a fixture)

from be_jax.data import (
    DataUnavailableError,
    as_float,
    channel_statistics,
    check_available,
    cifar10_c,
    cifar10_c_corruptions,
    crop_and_flip,
    from_arrays,
    in_colour,
    load_split,
    split,
    standardise,
    subset,
    tfds_study,
    uniform_noise,
)

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (60, 4, 5, 3), np.uint8)
GREY = RNG.integers(0, 256, (6, 28, 28, 1), np.uint8)


# --- reading ---


@pytest.mark.parametrize(
    ("name", "part", "num_classes"),
    [
        ("cifar10", "train", 10),
        ("cifar100", "test", 100),
        ("svhn_cropped", "test", 10),
        ("svhn_cropped", "extra", 10),
        ("cifar10_corrupted/fog_3", "test", 10),
    ],
)
@pytest.mark.usefixtures("mock_tfds")
def test_colour_sets(name, part, num_classes):
    images, labels = load_split(name, part)
    assert (images.shape, images.dtype) == ((200, 32, 32, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((200,), np.int32)
    assert num_classes / 2 < labels.max() < num_classes  # so not the 20 coarse labels of CIFAR-100


@pytest.mark.usefixtures("mock_tfds")
def test_a_cifar10_study_and_less_of_it():
    data = tfds_study("cifar10", ood=("svhn_cropped", "cifar100"), validation_size=50)
    assert subset(data, train=100, test=40, ood=30).describe() == (
        "cifar10 (32x32x3 uint8, 10 classes): train 100, validation 50, test 40, ood svhn_cropped 30, ood cifar100 30"
    )
    assert tfds_study("cifar100", (), validation_size=50).num_classes == 100


def test_the_catalogue_of_cifar10_c():
    names = cifar10_c_corruptions()
    assert len(set(names)) == len(names) == 19
    assert {"gaussian_noise", "frosted_glass_blur", "fog", "jpeg_compression", "saturate"} <= set(names)


@pytest.fixture
def loaded(monkeypatch):
    """The data sets loaded since the test began; each is replaced by its name."""
    names = []
    monkeypatch.setattr("be_jax.data.tfds.load_split", lambda *args: names.append(args) or args[0])
    return names


def test_cifar10_c_is_every_corruption_and_severity_one_at_a_time(loaded):
    sets = cifar10_c("folder")
    assert not loaded
    assert next(sets) == ("brightness_1", "cifar10_corrupted/brightness_1")
    assert loaded == [("cifar10_corrupted/brightness_1", "test", "folder")]
    rest = [name for name, _ in sets]
    assert ["brightness_1", *rest] == [f"{name}_{k}" for name in cifar10_c_corruptions() for k in range(1, 6)]


def test_cifar10_c_keeps_the_order_it_is_given(loaded):
    names = [name for name, _ in cifar10_c(None, ("snow", "fog"), (5, 1))]
    assert names == ["snow_5", "snow_1", "fog_5", "fog_1"]
    assert list(cifar10_c(None, ())) == []


@pytest.mark.usefixtures("mock_tfds")
def test_cifar10_c_yields_examples():
    ((name, examples),) = cifar10_c(corruptions=("fog",), severities=(2,))
    assert name == "fog_2"
    np.testing.assert_array_equal(examples.images, load_split("cifar10_corrupted/fog_2", "test").images)


def test_cifar10_c_refuses_at_the_call(loaded):
    with pytest.raises(
        ValueError, match=r"unknown corruption 'mist'; those of CIFAR-10-C in TFDS are brightness, .*fog"
    ):
        cifar10_c(None, ("fog", "mist"))
    for severity in (0, 6):
        with pytest.raises(ValueError, match=f"severity must be in 1..5, got {severity}"):
            cifar10_c(None, ("fog",), (1, severity))
    assert not loaded


# --- is it there? ---


@pytest.fixture
def neither_read_nor_download(monkeypatch):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.data_sources.base import BaseDataSource

    def refuse(*args, **options):
        raise AssertionError("read or downloaded")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    for method in ("__getitem__", "__getitems__"):
        monkeypatch.setattr(BaseDataSource, method, refuse)


def write_prepared(folder, name, file_format):
    """The description of a prepared set in ``folder``, without its records."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=folder)
    builder.data_path.mkdir(parents=True)
    builder.info.features.save_config(builder.data_path)
    about = {"name": builder.name, "version": str(builder.version), "fileFormat": file_format}
    (builder.data_path / "dataset_info.json").write_text(json.dumps(about))


@pytest.mark.usefixtures("neither_read_nor_download")
def test_check_available_names_the_first_set_that_could_not_be_had(monkeypatch, tmp_path):
    write_prepared(tmp_path, "cifar10", "array_record")
    before = sorted(tmp_path.rglob("*"))
    pretend_tensorflow(monkeypatch, present=False)
    check_available((), tmp_path)
    check_available(("cifar10",), tmp_path)
    for first, second in (("svhn_cropped", "cifar10_corrupted/fog_5"), ("cifar10_corrupted/fog_5", "svhn_cropped")):
        with pytest.raises(DataUnavailableError, match=rf"'{first}' .*{tmp_path}.*needs TensorFlow") as info:
            check_available(("cifar10", first, second), tmp_path)
        assert 'pip install "be-jax[prepare]"' in str(info.value)
    pretend_tensorflow(monkeypatch, present=True)
    check_available(("cifar10", "svhn_cropped", "cifar10_corrupted/fog_5"), tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("neither_read_nor_download")
def test_check_available_refuses_a_format_that_cannot_be_read(tmp_path):
    write_prepared(tmp_path, "cifar10", "tfrecord")
    with pytest.raises(DataUnavailableError, match=r"'cifar10' .*TFRECORD is not supported.*\n.* as array_record"):
        check_available(("cifar10",), tmp_path)


@pytest.mark.usefixtures("neither_read_nor_download")
def test_check_available_refuses_unknown_names_and_folders(tmp_path):
    with pytest.raises(DataUnavailableError, match="'cifar10_corrupted/mist_1'"):
        check_available(("cifar10_corrupted/mist_1",), tmp_path)
    with pytest.raises(DataUnavailableError, match=r"absent does not exist; give the folder .*'cifar10'"):
        check_available(("cifar10",), tmp_path / "absent")


@needs_folder
@pytest.mark.usefixtures("neither_read_nor_download")
def test_check_available_on_the_real_folder():
    check_available(("cifar10", "cifar100", "mnist"), FOLDER)


# --- preparing, with TensorFlow ---

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason='preparing a data set needs TensorFlow: pip install "be-jax[prepare]"',
)
TINY = {"train": (COLOUR, np.arange(60) % 7), "test": (COLOUR[::-1][:9], np.arange(9) % 7)}


@pytest.fixture(scope="module")
def tiny_colours():
    """The name of a data set registered with TFDS and made from ``TINY``."""
    import tensorflow_datasets as tfds

    class TinyColours(tfds.core.GeneratorBasedBuilder):
        """A data set of random pixels."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(shape=(4, 5, 3)), "label": tfds.features.ClassLabel(num_classes=7)}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {part: self._generate_examples(*TINY[part]) for part in TINY}

        def _generate_examples(self, images, labels):
            for i, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield i, {"image": image, "label": int(label)}

    return TinyColours.name


def in_order_of_pixels(images, labels):
    order = sorted(range(len(images)), key=lambda i: images[i].tobytes())
    return images[order], labels[order]


@needs_tensorflow
def test_prepares_what_is_not_there_and_reads_it_back(tiny_colours, tmp_path):
    """Bit for bit, though not in order: TFDS shuffles a set when it prepares it."""
    check_available((tiny_colours,), tmp_path)
    assert not list(tmp_path.iterdir())
    for part, written in TINY.items():
        read = load_split(tiny_colours, part, tmp_path)
        for got, expected in zip(in_order_of_pixels(*read), in_order_of_pixels(*written), strict=True):
            np.testing.assert_array_equal(got, expected)
    assert [path.name.split("-")[0] for path in sorted(tmp_path.rglob("*.array_record*"))] == [tiny_colours] * 2
    data = tfds_study(tiny_colours, (tiny_colours,), data_dir=tmp_path, validation_size=20)
    assert data.describe().endswith("7 classes): train 40, validation 20, test 9, ood tiny_colours 9")


@needs_tensorflow
def test_a_set_prepared_as_tfrecord_is_refused(tiny_colours, tmp_path):
    import tensorflow_datasets as tfds

    tfds.builder(tiny_colours, data_dir=tmp_path).download_and_prepare()
    for ask in (lambda: check_available((tiny_colours,), tmp_path), lambda: load_split(tiny_colours, "test", tmp_path)):
        with pytest.raises(DataUnavailableError, match=r"TFRECORD is not supported.*\n.* as array_record"):
            ask()


# --- less of a study ---


def study(train=60, test=30, **ood):
    """Image i of every set holds i alone, so that what was kept can be told."""
    images = [np.arange(count, dtype=np.uint8)[:, None, None, None] for count in (train, test, *ood.values())]
    sets = dict(zip(ood, images[2:], strict=True))
    labels = [np.arange(count) % 3 for count in (train, test)]
    return from_arrays(images[0], labels[0], images[1], labels[1], num_classes=3, ood=sets, validation_fraction=0.2)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.integers(0, 2**32))
def test_subset_is_stratified_and_part_of_the_whole(draw, seed):
    data = study(large=100, small=10)
    sizes = {
        part: draw.draw(st.none() | st.integers(1, count))
        for part, count in (("train", 48), ("test", 30), ("ood", 120))
    }
    part = subset(data, **sizes, seed=seed)
    for name in ("train", "test"):
        whole, kept, size = getattr(data, name), getattr(part, name), sizes[name]
        if size is None:
            np.testing.assert_array_equal(kept.images, whole.images)
            continue
        label_of = dict(zip(whole.images.ravel(), whole.labels, strict=True))
        assert len(set(kept.images.ravel())) == len(kept.labels) == size
        assert [label_of[i] for i in kept.images.ravel()] == kept.labels.tolist()
        expected = size * np.bincount(whole.labels, minlength=3) / len(whole.labels)
        assert np.abs(np.bincount(kept.labels, minlength=3) - expected).max() < 2
    for name, images in data.ood.items():
        kept, ood = part.ood[name], sizes["ood"]
        if ood is None or ood >= len(images):
            np.testing.assert_array_equal(kept, images)
        else:
            assert len(set(kept.ravel())) == len(kept) == ood
    np.testing.assert_array_equal(part.validation.images, data.validation.images)
    assert (part.name, part.num_classes) == (data.name, data.num_classes)


def test_subset_depends_on_the_seed_alone():
    data = study(far=100)
    first, again, other = (subset(data, train=20, test=10, ood=6, seed=seed) for seed in (1, 1, 2))
    for part in ("train", "test"):
        assert getattr(first, part).images.tolist() == getattr(again, part).images.tolist()
        assert getattr(first, part).images.tolist() != getattr(other, part).images.tolist()
    assert first.ood["far"].ravel().tolist() == again.ood["far"].ravel().tolist() == [93, 61, 75, 9, 36, 39]
    np.testing.assert_array_equal(first.train.images, split(data.train, (20,), seed=1)[0].images)
    assert data.describe() == subset(data).describe()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 49}, "train must be in 1..48, or None for all train examples, got 49"),
        ({"train": 0}, "train must be in 1..48, .* got 0"),
        ({"test": 31}, "test must be in 1..30, or None for all test examples, got 31"),
        ({"test": -1}, "test must be in 1..30, .* got -1"),
        ({"ood": 0}, "ood must be at least 1, or None for all images, got 0"),
    ],
)
def test_subset_refuses(sizes, message):
    with pytest.raises(ValueError, match=message):
        subset(study(far=5), **sizes)


# --- far out-of-distribution sets ---


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


# --- augmentation ---


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


# --- statistics ---


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
