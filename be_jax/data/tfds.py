"""Data sets of TensorFlow Datasets, as arrays. The only file that imports tensorflow_datasets.

Reading a prepared folder needs no TensorFlow. Preparing one (downloading and converting) does.
"""

import importlib.util
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from be_jax.data.examples import Examples, StudyData, checked_examples, split
from be_jax.parallel import from_all_hosts, is_first_host, share_of_host, wait_for_hosts

_RECORDS_PER_READ = 1000  # reading by batches is 2.6 times faster than one by one
_NEEDS_TENSORFLOW = "it is not prepared there, and preparing it needs TensorFlow, which is not installed"


class DataUnavailableError(RuntimeError):
    """A data set is neither prepared in the folder looked in, nor could be prepared there."""


def tfds_study(
    name: str = "mnist",
    ood: Sequence[str] = ("fashion_mnist",),
    *,
    data_dir: str | os.PathLike[str] | None = None,
    validation_size: int = 5000,
    seed: int = 0,
) -> StudyData:
    """A study on the TFDS data set ``name``: its test split, and its train split less a stratified validation set.

    Args:
      name: TFDS name, with a configuration where it has any: ``"cifar10"``, ``"cifar10_corrupted/brightness_1"``.
      ood: TFDS names of out-of-distribution sets, of which the test images are used and the labels ignored.
      data_dir: TFDS folder; ``None`` is the default of TFDS, ``~/tensorflow_datasets``.
      validation_size: how many training examples make up the validation set.
      seed: of that split.

    Raises:
      DataUnavailableError: see :func:`load_split`.
      ValueError: ``validation_size`` out of range, or images of different shapes.
    """
    train = load_split(name, "train", data_dir)
    count = len(train.labels)
    if not 0 < validation_size < count:
        raise ValueError(
            f"validation_size must be in 1..{count - 1} ({name} has {count} training examples), got {validation_size}"
        )
    train, validation = split(train, (count - validation_size, validation_size), seed=seed)
    test = load_split(name, "test", data_dir)
    ood_images = {other: load_split(other, "test", data_dir).images for other in ood}
    return StudyData(
        name, train, validation, test, ood_images, _builder(name, data_dir).info.features["label"].num_classes
    )


def cifar10_c_corruptions() -> tuple[str, ...]:
    """The corruptions of CIFAR-10-C that are in the catalogue of TFDS, as `cifar10_corrupted/<corruption>_<severity>`.

    Raises:
      ImportError: tensorflow-datasets is not installed.
    """
    configs = _tfds().builder_cls("cifar10_corrupted").BUILDER_CONFIGS
    return tuple(dict.fromkeys(config.name.rsplit("_", 1)[0] for config in configs))


def cifar10_c(
    data_dir: str | os.PathLike[str] | None = None,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = (1, 2, 3, 4, 5),
) -> Iterator[tuple[str, Examples]]:
    """Yields ``("<corruption>_<severity>", examples)`` of the published CIFAR-10-C, one set at a time.

    Args:
      data_dir: TFDS folder; ``None`` is the default of TFDS.
      corruptions: names in :func:`cifar10_c_corruptions`; all of them by default.
      severities: 1 to 5.

    Raises:
      ValueError: at the call, for an unknown corruption or severity.
      DataUnavailableError: see :func:`load_split`.
    """
    known = cifar10_c_corruptions()
    chosen = known if corruptions is None else corruptions
    for name in chosen:
        if name not in known:
            raise ValueError(f"unknown corruption {name!r}; those of CIFAR-10-C in TFDS are {', '.join(known)}")
    for severity in severities:
        if severity not in range(1, 6):
            raise ValueError(f"severity must be in 1..5, got {severity}")
    names = [f"{name}_{severity}" for name in chosen for severity in severities]
    return ((name, load_split(f"cifar10_corrupted/{name}", "test", data_dir)) for name in names)


def check_available(names: Sequence[str], data_dir: str | os.PathLike[str] | None = None) -> None:
    """Checks that every data set could be had later on; opens the prepared ones, but reads and downloads nothing.

    Raises:
      DataUnavailableError: for the first set that :func:`load_split` would refuse: not prepared, without TensorFlow to
        prepare it; or prepared in a format without random access, such as the default of TFDS, TFRecord.
      ImportError: tensorflow-datasets is not installed.
    """
    for name in names:
        builder = _builder(name, data_dir)
        if builder.is_prepared():
            _source(name, builder)
        elif not _has_tensorflow():
            raise _unavailable(name, builder.data_path, ImportError(_NEEDS_TENSORFLOW), _other_versions(builder))


def load_split(name: str, split: str, data_dir: str | os.PathLike[str] | None = None) -> Examples:
    """Reads the whole of one split (60,000 MNIST images take about 5 s); prepares the data set first if need be.

    Of several hosts each reads its share of the files, and all get the whole.

    Raises:
      DataUnavailableError: ``data_dir`` does not exist, the data set is not there and cannot be prepared, or one of its
        files is damaged, which is named.
      ValueError: the data set has no images of one shape with one label each.
      ImportError: tensorflow-datasets is not installed.
    """
    builder = _builder(name, data_dir)
    features = builder.info.features
    if not {"image", "label"} <= set(features.keys()) or None in features["image"].shape:
        raise ValueError(f"{name} must have an 'image' of one shape and a 'label', but its features are {features}")
    if not builder.is_prepared() and is_first_host():
        _prepare(builder)
    wait_for_hosts(f"{name} is prepared")
    source = _source(name, builder, split)
    try:
        count = len(source)
        share = share_of_host(count)
        images = np.empty((len(share), *features["image"].shape), features["image"].np_dtype)
        labels = np.empty(len(share), np.int32)
        for start in range(0, len(share), _RECORDS_PER_READ):
            records = source.__getitems__(share[start : start + _RECORDS_PER_READ])
            stop = start + len(records)
            images[start:stop] = [record["image"] for record in records]
            labels[start:stop] = [record["label"] for record in records]
    except Exception as error:  # of the C++ reader, or of the decoder of images
        files = [str(file) for file in builder.info.splits[split].filepaths]
        raise _damaged(name, files, error) from error
    images, labels = (from_all_hosts(rows, count) for rows in (images, labels))
    return checked_examples(images, labels, features["label"].num_classes, f"{name} {split}")


def _builder(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    if data_dir is not None and not Path(data_dir).expanduser().is_dir():
        raise DataUnavailableError(
            f"data_dir {data_dir} does not exist; give the folder that holds the prepared data set {name!r}, "
            "or create it to prepare the data set there"
        )
    tfds = _tfds()
    folder = None if data_dir is None else Path(data_dir).expanduser()
    try:
        return tfds.builder(name, data_dir=folder)
    except Exception as error:
        raise _unavailable(name, folder or "~/tensorflow_datasets", error) from error


def _source(name: str, builder: Any, split: str | None = None) -> Any:
    try:
        return builder.as_data_source(split=split)
    except Exception as error:
        raise _unavailable(name, builder.data_path, error) from error


def _tfds() -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError('TFDS data sets need tensorflow-datasets: pip install "be-jax[data]"') from error
    return tfds


def _has_tensorflow() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


def _prepare(builder: Any) -> None:
    """Downloads and converts the data set; TFDS encodes images with TensorFlow, so without it nothing is downloaded.

    Without a network TFDS tries for minutes: what is prepared there in another version is therefore told first.
    """
    others = _other_versions(builder)
    if others and _has_tensorflow():
        warnings.warn(f"{others}. {builder.name} {builder.version} is now downloaded", stacklevel=3)
    try:
        if not _has_tensorflow():
            raise ImportError(_NEEDS_TENSORFLOW)
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:
        raise _unavailable(builder.name, builder.data_path, error, others) from error


def _other_versions(builder: Any) -> str:
    """The versions of the data set that are prepared beside the one asked for, and how to ask for them; "" for none."""
    folder = Path(builder.data_path).parent
    versions = sorted(info.parent.name for info in folder.glob("*/dataset_info.json"))
    if not versions:
        return ""
    name = "/".join([builder.name, *([builder.builder_config.name] if builder.builder_config else [])])
    return (
        f"{folder} has version {' and '.join(versions)}, but this tensorflow-datasets reads {builder.version}: ask for "
        f"{name + ':' + versions[-1]!r}, or use the tensorflow-datasets that prepared it"
    )


def _damaged(name: str, files: Sequence[str], cause: Exception) -> DataUnavailableError:
    """Names the first file, of several, that cannot be read to its end."""
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    damaged = "of the files " + ", ".join(files)
    for file in files:
        try:
            source = ArrayRecordDataSource([file])
            for start in range(0, len(source), _RECORDS_PER_READ):
                source.__getitems__(range(start, min(start + _RECORDS_PER_READ, len(source))))
        except Exception:
            damaged = file
            break
    told = (str(cause).strip().splitlines() or [""])[0]
    return DataUnavailableError(
        f"data set {name!r} is damaged: {damaged} cannot be read ({type(cause).__name__}: {told}). Copy it anew, "
        "or prepare the data set again in another folder"
    )


def _unavailable(name: str, folder: object, cause: Exception, others: str = "") -> DataUnavailableError:
    lines = str(cause).strip().splitlines() or [""]
    return DataUnavailableError(
        f"data set {name!r} could not be loaded from {folder}: {type(cause).__name__}: {lines[0]}\n"
        + (f"{others}.\n" if others else "")
        + "Either point --data-dir (data_dir) to a TFDS folder where it is prepared as array_record, "
        'or prepare it on a machine with network access, after: pip install "be-jax[prepare]"'
    )
