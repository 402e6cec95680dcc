"""Colour data sets: CIFAR-10, corrupted and out-of-distribution sets, smaller studies, augmentation, statistics.

No CIFAR, SVHN or CIFAR-10-C is needed: TFDS's own mock stands in for them. Preparing a set needs TensorFlow.
"""

import importlib.util
import json

import numpy as np
import pytest
from test_data_tfds import FOLDER, mock_tfds, needs_folder, pretend_tensorflow  # noqa: F401  (mock_tfds is a fixture)

from be_jax.data import (
    DataUnavailableError,
    check_available,
    cifar10_c,
    cifar10_c_corruptions,
    load_split,
    subset,
    tfds_study,
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
