"""Labels of which some are replaced by random classes."""

import dataclasses

import numpy as np

from be_jax.data import Examples, StudyData


def noisy(labels: np.ndarray, noise: float, seed: int, num_classes: int) -> np.ndarray:
    """Labels of which each is replaced, with probability `noise`, by a random class; a function of the seed."""
    random = np.random.default_rng([seed, 1])
    replaced = random.random(labels.shape) < noise
    return np.where(replaced, random.integers(num_classes, size=labels.shape), labels).astype(labels.dtype)


def with_noise(data: StudyData, noise: float) -> StudyData:
    """The study with noise in the labels of every set."""
    train, validation, test = (
        Examples(images, noisy(labels, noise, seed, data.num_classes))
        for seed, (images, labels) in enumerate((data.train, data.validation, data.test))
    )
    return dataclasses.replace(data, train=train, validation=validation, test=test)
