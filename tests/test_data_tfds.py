"""Reading TFDS data sets (be_jax/data/tfds.py): TFDS's own mock everywhere, and a real folder where there is one."""

import importlib.util
import os
import pathlib
import shutil
import sys

import numpy as np
import pytest

from be_jax.data import DataUnavailableError, check_available, cifar10_c, load_split, tfds_study

FOLDER = pathlib.Path(os.environ.get("BE_JAX_TFDS", pathlib.Path(__file__).parents[2] / "shared" / "tfds"))


def needs_folder(test):
    """Marks a test of the real folder, and skips it where there is none."""
    absent = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no TFDS folder at {FOLDER}; set BE_JAX_TFDS")
    return pytest.mark.tfds_folder(absent(test))


@pytest.fixture
def mock_tfds(monkeypatch):
    """Random data of the right shapes in the place of any data set, 200 examples a split."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.data_sources.base import BaseDataSource

    monkeypatch.setattr(tfds.core.DatasetBuilder, "is_prepared", lambda builder: True)
    # The mock's own batched read fails ("missing record_keys").
    monkeypatch.setattr(BaseDataSource, "__getitems__", lambda source, keys: [source[key] for key in keys])
    with tfds.testing.mock_data(num_examples=200):
        yield


@pytest.mark.usefixtures("mock_tfds")
def test_cifar10_c_set_by_set():
    sets = dict(cifar10_c(corruptions=("fog", "frost"), severities=(1, 5)))
    assert list(sets) == ["fog_1", "fog_5", "frost_1", "frost_5"]
    for images, labels in sets.values():
        assert images.shape == (200, 32, 32, 3)
        assert labels.shape == (200,)


@pytest.mark.parametrize(
    ("name", "ood", "shape"),
    [("mnist", ("fashion_mnist",), (28, 28, 1)), ("cifar10", ("svhn_cropped", "cifar100"), (32, 32, 3))],
)
@pytest.mark.usefixtures("mock_tfds")
def test_study_from_mock(name, ood, shape):
    data = tfds_study(name, ood, validation_size=50)
    assert data.name == name
    assert data.image_shape == shape
    assert data.num_classes == 10
    assert [len(part.labels) for part in (data.train, data.validation, data.test)] == [150, 50, 200]
    assert tuple(data.ood) == ood
    assert all(images.shape == (200, *shape) for images in data.ood.values())


@pytest.mark.usefixtures("mock_tfds")
def test_reads_in_chunks_and_in_order(monkeypatch):
    whole = load_split("mnist", "test")
    monkeypatch.setattr("be_jax.data.tfds._RECORDS_PER_READ", 64)
    parts = load_split("mnist", "test")
    np.testing.assert_array_equal(whole.images, parts.images)
    np.testing.assert_array_equal(whole.labels, parts.labels)
    assert len(set(map(bytes, whole.images))) == 200


@pytest.mark.usefixtures("mock_tfds")
def test_study_refuses_a_validation_size_and_mixed_shapes():
    with pytest.raises(ValueError, match=r"validation_size must be in 1..199 \(mnist has 200 .*, got 200"):
        tfds_study("mnist", validation_size=200)
    with pytest.raises(ValueError, match=r"\[28, 28, 1\] but ood 'svhn_cropped' images \[32, 32, 3\]"):
        tfds_study("mnist", ("svhn_cropped",), validation_size=50)


@pytest.mark.usefixtures("mock_tfds")
def test_refuses_data_sets_without_one_shape():
    with pytest.raises(ValueError, match="imagenette must have an 'image' of one shape and a 'label'"):
        load_split("imagenette", "train")


def test_missing_folder_is_refused_before_anything_is_tried(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    folder = tmp_path / "absent"
    with pytest.raises(DataUnavailableError, match=f"data_dir {folder} does not exist; give the folder .*'mnist'"):
        tfds_study("mnist", data_dir=folder)
    assert not folder.exists()
    with pytest.raises(ImportError, match=r'pip install "be-jax\[data\]"'):
        tfds_study("mnist", data_dir=tmp_path)


def pretend_tensorflow(monkeypatch, present):
    find_spec = importlib.util.find_spec
    spec = find_spec("numpy") if present else None
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: spec if name == "tensorflow" else find_spec(name)
    )


def test_unprepared_without_tensorflow_downloads_nothing(monkeypatch, tmp_path):
    pretend_tensorflow(monkeypatch, present=False)
    with pytest.raises(DataUnavailableError) as info:
        tfds_study("svhn_cropped", data_dir=tmp_path)
    for part in ("'svhn_cropped'", str(tmp_path), "needs TensorFlow", "--data-dir", 'pip install "be-jax[prepare]"'):
        assert part in str(info.value)
    assert not list(tmp_path.iterdir())


def test_failed_preparation_names_the_cause(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    asked = []

    def download_and_prepare(builder, **options):
        asked.append(options)
        raise ConnectionError("no route to host\nand a long story")

    pretend_tensorflow(monkeypatch, present=True)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download_and_prepare)
    with pytest.raises(DataUnavailableError, match=r"ConnectionError: no route to host\nEither point") as info:
        load_split("mnist", "train", tmp_path)
    assert isinstance(info.value.__cause__, ConnectionError)
    assert asked == [{"file_format": "array_record"}]


def test_unknown_data_set_names_it_and_the_folder(tmp_path):
    with pytest.raises(
        DataUnavailableError, match=rf"'no_such_set' could not be loaded from {tmp_path}: .*not found"
    ) as info:
        load_split("no_such_set", "train", tmp_path)
    assert len(str(info.value)) < 600


def copied(tmp_path, name):
    shutil.copytree(FOLDER / name, tmp_path / name)
    (folder,) = (tmp_path / name).iterdir()
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    return folder


@pytest.mark.slow
@needs_folder
@pytest.mark.parametrize("other", ["3.0.1", "2.9.9"])
@pytest.mark.parametrize(
    "ask", [lambda d: load_split("cifar100", "test", d), lambda d: check_available(["cifar100"], d)]
)
def test_another_prepared_version_is_named_before_anything_is_tried(monkeypatch, tmp_path, other, ask):
    pretend_tensorflow(monkeypatch, present=False)
    copied(tmp_path, "cifar100").rename(tmp_path / "cifar100" / other)
    with pytest.raises(
        DataUnavailableError, match=f"has version {other}, but .* reads 3.0.2: ask for 'cifar100:{other}'"
    ):
        ask(tmp_path)
    assert len(load_split(f"cifar100:{other}", "test", tmp_path).labels) == 5000, "the cure works"


@needs_folder
def test_another_prepared_version_is_named_before_a_download(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    pretend_tensorflow(monkeypatch, present=True)
    copied(tmp_path, "cifar100").rename(tmp_path / "cifar100" / "3.0.1")
    told = []

    def download_and_prepare(builder, **options):
        raise ConnectionError("; ".join(told))

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download_and_prepare)
    monkeypatch.setattr("warnings.warn", lambda message, **_: told.append(message))
    with pytest.raises(DataUnavailableError, match=r"ConnectionError: .*has version 3\.0\.1.* is now downloaded"):
        load_split("cifar100", "test", tmp_path)


@needs_folder
@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-10],
        lambda raw: b"",
        lambda raw: raw[:70_000] + bytes([raw[70_000] ^ 1]) + raw[70_001:],
        lambda raw: raw[:100] + bytes(1900) + raw[2000:],
    ],
    ids=["half", "cut", "empty", "one bit", "zeros"],
)
def test_a_damaged_shard_is_named(tmp_path, damage):
    shard = copied(tmp_path, "cifar100") / "cifar100-test.array_record-00000-of-00001"
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(DataUnavailableError, match=f"'cifar100' is damaged: {shard} cannot be read"):
        load_split("cifar100", "test", tmp_path)


@needs_folder
def test_a_missing_shard_is_named(tmp_path):
    shard = copied(tmp_path, "cifar100") / "cifar100-test.array_record-00000-of-00001"
    shard.unlink()
    with pytest.raises(DataUnavailableError, match=f"{shard} cannot be read"):
        load_split("cifar100", "test", tmp_path)


@pytest.fixture(scope="module")
def mnist():
    return tfds_study("mnist", ("fashion_mnist",), data_dir=FOLDER)


@pytest.mark.slow
@needs_folder
def test_sizes(mnist):
    assert mnist.describe() == (
        "mnist (28x28x1 uint8, 10 classes): train 55,000, validation 5,000, test 10,000, ood fashion_mnist 10,000"
    )


@pytest.mark.slow
@needs_folder
def test_official_pixels_and_labels(mnist):
    """Known figures of MNIST: mean and standard deviation of the training pixels, and the sizes of the classes."""
    pixels = np.concatenate([mnist.train.images, mnist.validation.images])
    np.testing.assert_allclose([pixels.mean() / 255, pixels.std() / 255], [0.1307, 0.3081], atol=5e-5)
    labels = np.concatenate([mnist.train.labels, mnist.validation.labels])
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.ood["fashion_mnist"].mean() / 255 == pytest.approx(0.2868, abs=5e-4)


@needs_folder
def test_validation_is_stratified(mnist):
    expected = np.bincount(mnist.train.labels) / 11
    assert np.abs(np.bincount(mnist.validation.labels) - expected).max() < 2


@needs_folder
def test_cifar10():
    examples = load_split("cifar10", "test", str(FOLDER))
    assert examples.images.shape == (10000, 32, 32, 3)
    assert np.bincount(examples.labels).tolist() == [1000] * 10


@needs_folder
def test_unknown_split_is_named():
    with pytest.raises(DataUnavailableError, match="validation"):
        load_split("mnist", "validation", FOLDER)
