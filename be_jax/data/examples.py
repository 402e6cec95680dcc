"""The arrays a study works on: training, validation, test and out-of-distribution sets, checked once and immutable."""

import dataclasses
import itertools
import types
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from be_jax.data.checks import check_images, check_labels, check_numbers
from be_jax.data.fingerprint import fingerprint


class Examples(NamedTuple):
    """Images, or examples of another kind, and their labels.

    Attributes:
      images: ``[n, h, w, ch]``, uint8, or float32 in [0, 1]; of another kind ``[n, ...]``, integers or float32.
      labels: ``[n]``, int32.
    """

    images: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StudyData:
    """The sets of one study. The arrays are made read-only; examples of all sets have one shape.

    Attributes:
      name: of the data set, for reports.
      train, validation, test: disjoint labelled sets.
      ood: out-of-distribution images ``[n, h, w, ch]`` by name.
      num_classes: labels are in ``0..num_classes - 1``.
      are_images: whether examples are checked to be images; otherwise they may be any numbers ``[n, ...]``, such as
        rows of a table or tokens of a text.

    Raises:
      ValueError or TypeError: anything :mod:`be_jax.data.checks` refuses, or examples of different shapes.
    """

    name: str
    train: Examples
    validation: Examples
    test: Examples
    ood: Mapping[str, np.ndarray]
    num_classes: int
    are_images: bool = True

    def __post_init__(self) -> None:
        for part in ("train", "validation", "test"):
            images, labels = getattr(self, part)
            examples = checked_examples(images, labels, self.num_classes, part, self.are_images)
            object.__setattr__(self, part, Examples(*map(_read_only, examples)))
        ood = {
            name: _read_only(_checked(images, f"ood {name!r}", self.are_images)) for name, images in self.ood.items()
        }
        object.__setattr__(self, "ood", types.MappingProxyType(ood))
        others = {
            "validation": self.validation.images,
            "test": self.test.images,
            **{f"ood {name!r}": images for name, images in ood.items()},
        }
        for name, images in others.items():
            if images.shape[1:] != self.image_shape:
                kind, cure = ("images", " [h, w, ch]") if self.are_images else ("examples", "")
                raise ValueError(
                    f"train {kind} have shape {list(self.image_shape)} but {name} {kind} {list(images.shape[1:])}; "
                    f"resize or convert them to one shape{cure}"
                )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """``(h, w, ch)``, or of examples of another kind."""
        return self.train.images.shape[1:]

    def fingerprint(self) -> str:
        """A hash of everything that is trained and validated on: data of the same sizes may differ."""
        parts = {"train": self.train, "validation": self.validation}
        return fingerprint({f"{name}/{field}": a for name, p in parts.items() for field, a in p._asdict().items()})

    def __repr__(self) -> str:
        return f"<StudyData {self.describe()}>"

    def describe(self) -> str:
        """One line with the size of every set."""
        sizes = [f"{part} {len(getattr(self, part).labels):,}" for part in ("train", "validation", "test")]
        sizes += [f"ood {name} {len(images):,}" for name, images in self.ood.items()]
        shape = "x".join(map(str, self.image_shape))
        return f"{self.name} ({shape} {self.train.images.dtype}, {self.num_classes} classes): {', '.join(sizes)}"


def checked_examples(
    images: ArrayLike, labels: ArrayLike, num_classes: int, what: str, are_images: bool = True
) -> Examples:
    """Checks a labelled set (see :mod:`be_jax.data.checks`) and gives it the dtypes of :class:`Examples`."""
    images, labels = _checked(images, what, are_images), np.asarray(labels)
    check_labels(labels, len(images), num_classes, what)
    return Examples(images, labels.astype(np.int32, copy=False))


def split(examples: Examples, sizes: Sequence[int], *, seed: int = 0) -> tuple[Examples, ...]:
    """Splits ``examples`` into disjoint parts of the given sizes, stratified by class; what is left over is dropped.

    Each part holds every class in proportion, and so does every prefix of a part: to within two examples where the c
    classes are of one size, and to within 1 + c times its share of the examples for any class. A seed gives the same
    parts on every platform: the order comes from the raw stream of PCG64, which NumPy keeps frozen.

    Raises:
      ValueError: a size below 1, or more examples asked for than there are.
    """
    count = len(examples.labels)
    if min(sizes) < 1 or sum(sizes) > count:
        raise ValueError(f"sizes must be at least 1 and add up to at most {count} (the examples), got {tuple(sizes)}")
    draws = np.random.PCG64(seed).random_raw(count)
    quantile = np.empty(count)  # of each example within its class, in random order
    for label in np.unique(examples.labels):
        members = np.flatnonzero(examples.labels == label)
        quantile[members[np.argsort(draws[members], kind="stable")]] = (np.arange(len(members)) + 0.5) / len(members)
    order = np.lexsort((draws, quantile))
    bounds = np.cumsum([0, *sizes])
    parts = [order[start:stop] for start, stop in itertools.pairwise(bounds)]
    return tuple(Examples(examples.images[part], examples.labels[part]) for part in parts)


def subset(
    data: StudyData, *, train: int | None = None, test: int | None = None, ood: int | None = None, seed: int = 0
) -> StudyData:
    """The study with fewer training, test and out-of-distribution images; the validation set stays as it is.

    Args:
      data: the study.
      train, test: how many examples to keep, stratified and ordered as by :func:`split`; ``None`` keeps all.
      ood: how many images to keep of every out-of-distribution set that has more, drawn as by :func:`split`; smaller
        sets, and all sets for ``None``, are kept whole.
      seed: of the draws.

    Raises:
      ValueError: a size below 1, or a train or test size above the number of examples.
    """
    if ood is not None and ood < 1:
        raise ValueError(f"ood must be at least 1, or None for all images, got {ood}")
    return dataclasses.replace(
        data,
        train=_kept(data.train, train, "train", seed),
        test=_kept(data.test, test, "test", seed),
        ood={name: _drawn(images, ood or len(images), seed) for name, images in data.ood.items()},
    )


def _kept(examples: Examples, size: int | None, part: str, seed: int) -> Examples:
    if size is None:
        return examples
    count = len(examples.labels)
    if not 1 <= size <= count:
        raise ValueError(f"{part} must be in 1..{count}, or None for all {part} examples, got {size}")
    return split(examples, (size,), seed=seed)[0]


def _drawn(images: np.ndarray, size: int, seed: int) -> np.ndarray:
    """All images in their order, or ``size`` of them in random order."""
    if size >= len(images):
        return images
    return split(Examples(images, np.zeros(len(images), np.int32)), (size,), seed=seed)[0].images


def from_arrays(
    train_images: ArrayLike,
    train_labels: ArrayLike,
    test_images: ArrayLike,
    test_labels: ArrayLike,
    *,
    num_classes: int,
    ood: Mapping[str, ArrayLike] | None = None,
    validation_fraction: float = 0.1,
    name: str = "arrays",
    seed: int = 0,
    are_images: bool = True,
) -> StudyData:
    """A study on your own arrays; the validation set is split off the training set, stratified by class.

    Args:
      train_images, test_images: ``[n, h, w, ch]``, uint8 or float in [0, 1]; of another kind ``[n, ...]``.
      train_labels, test_labels: ``[n]``, integers in ``0..num_classes - 1``.
      num_classes: number of classes.
      ood: out-of-distribution images ``[n, h, w, ch]`` by name.
      validation_fraction: of the training set, in (0, 1).
      name: for reports.
      seed: of the split.
      are_images: see :class:`StudyData`.

    Raises:
      ValueError or TypeError: see :class:`StudyData`; or a fraction that leaves a set empty.
    """
    train = checked_examples(train_images, train_labels, num_classes, "train", are_images)
    count = len(train.labels)
    validation_size = round(validation_fraction * count) if 0 < validation_fraction < 1 else 0
    if not 0 < validation_size < count:
        raise ValueError(
            f"validation_fraction must be in (0, 1) and leave both sets at least one of the {count} training examples, "
            f"got {validation_fraction}"
        )
    train, validation = split(train, (count - validation_size, validation_size), seed=seed)
    test = checked_examples(test_images, test_labels, num_classes, "test", are_images)
    ood_images = {key: np.asarray(images) for key, images in (ood or {}).items()}
    return StudyData(name, train, validation, test, ood_images, num_classes, are_images)


def _checked(examples: ArrayLike, what: str, are_images: bool) -> np.ndarray:
    examples = np.asarray(examples)
    (check_images if are_images else check_numbers)(examples, what)
    return examples.astype(np.float32, copy=False) if np.issubdtype(examples.dtype, np.floating) else examples


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
