"""Tables that scikit-learn ships or generates: nothing is downloaded."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from be_jax.config import check
from experiments.together import SeedData

TEST, VALIDATION = 0.2, 0.2  # of all rows, the first at most


class Dataset(NamedTuple):
    """Features `[n, f]` and targets `[n]`: classes where `num_classes` is given, otherwise real numbers.

    Of a table that is generated each split has so many rows of its own, and half of them to test.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    num_classes: int | None
    own_rows: int | None = None


class Split(NamedTuple):
    """Standardised rows of every seed: training and validation, and inputs `[s, n, f]` and targets `[s, n]` of test."""

    train: SeedData
    test_x: np.ndarray
    test_y: np.ndarray


def load(name: str) -> Dataset:
    """The data set of this name.

    Raises:
      ModuleNotFoundError: scikit-learn is not installed.
    """
    x, y = LOADERS[name]()
    classes = int(y.max()) + 1 if name in CLASSIFICATION else None
    own = OWN_ROWS if name in GENERATED else None
    return Dataset(name, x.astype(np.float32), y.astype(np.int32 if classes else np.float32), classes, own)


def split(dataset: Dataset, seeds: Sequence[int]) -> Split:
    """For each seed a split of its own: test rows that no other has, 20 % of all for validation, the rest to train on.

    Splits of a table that is generated share no row at all. Classes keep their shares. Features, and targets that are
    real numbers, are standardised by the mean and deviation of the training rows.
    """
    parts = _blocks(dataset, len(seeds)) if dataset.own_rows else _folds(dataset, len(seeds))
    of_seeds = zip(*(_split(dataset, *part, seed) for part, seed in zip(parts, seeds, strict=True)), strict=True)
    train_x, train_y, validation_x, validation_y, test_x, test_y = map(np.stack, of_seeds)
    return Split(SeedData(train_x, train_y, validation_x, validation_y), test_x, test_y)


def repeated(rows: Split, times: int) -> Split:
    """Every split so many times, one after the other."""
    train = SeedData(*(np.repeat(array, times, axis=0) for array in rows.train))
    return Split(train, *(np.repeat(array, times, axis=0) for array in rows[1:]))


def _blocks(dataset: Dataset, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """So many times test rows, and as many others, all different."""
    blocks = np.arange(len(dataset.y)).reshape(-1, 2, (dataset.own_rows or 0) // 2)
    check(count <= len(blocks), "seeds", count, f"at most {len(blocks)}, the splits that {dataset.name} has rows for")
    return [(test, others) for test, others in blocks[:count]]


def _folds(dataset: Dataset, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """So many sets of test rows of equal size, which share none and in which classes have their share, each with all
    other rows.
    """
    order = np.random.default_rng(0).permutation(len(dataset.y))
    if dataset.num_classes:
        order = order[np.argsort(dataset.y[order], kind="stable")]
    folds = max(count, round(1 / TEST))
    check(folds <= len(order), "seeds", count, f"at most {len(order)}, the rows of {dataset.name}")
    tests = [order[fold::folds][: len(order) // folds] for fold in range(count)]
    return [(test, np.setdiff1d(order, test)) for test in tests]


def _split(dataset: Dataset, test: np.ndarray, others: np.ndarray, seed: int) -> list[np.ndarray]:
    from sklearn.model_selection import train_test_split

    size = round(VALIDATION * (len(test) + len(others)))
    classes = dataset.y[others] if dataset.num_classes else None
    train, validation = train_test_split(others, test_size=size, random_state=seed, stratify=classes)
    x = _standardised(dataset.x, train)
    y = dataset.y if dataset.num_classes else _standardised(dataset.y, train)
    return [array[rows] for rows in (train, validation, test) for array in (x, y)]


def _standardised(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """By the mean and deviation of these rows; a feature that is constant there is only centred."""
    std = values[rows].std(0)
    return ((values - values[rows].mean(0)) / np.where(std == 0, 1, std)).astype(np.float32)  # type: ignore[no-any-return]


def _shipped(name: str) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
    def load() -> tuple[np.ndarray, np.ndarray]:
        return getattr(_datasets(), f"load_{name}")(return_X_y=True)  # type: ignore[no-any-return]

    return load


def _friedman() -> tuple[np.ndarray, np.ndarray]:
    """Friedman's first function of 5 of 10 uniform features, with noise N(0, 1) (Friedman 1991): not real data."""
    return _datasets().make_friedman1(MOST_SPLITS * OWN_ROWS, noise=1.0, random_state=0)  # type: ignore[no-any-return]


def _datasets() -> Any:
    try:
        from sklearn import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("the tables come with scikit-learn: pip install scikit-learn") from error
    return datasets


OWN_ROWS, MOST_SPLITS = 2000, 100
GENERATED = ("friedman1",)
CLASSIFICATION = ("breast_cancer", "wine", "digits")
LOADERS = {name: _shipped(name) for name in (*CLASSIFICATION, "diabetes")} | {"friedman1": _friedman}


def described(dataset: Dataset, rows: Split) -> str:
    """One line on the data set and the sizes of its splits."""
    task = f"{dataset.num_classes} classes" if dataset.num_classes else "regression"
    sets = {"train": rows.train.y, "validation": rows.train.validation_y, "test": rows.test_y}
    sizes = ", ".join(f"{name} {targets.shape[1]}" for name, targets in sets.items())
    return f"{dataset.name}: {dataset.x.shape[1]} features, {task}; {sizes}"
