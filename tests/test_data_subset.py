"""Smaller studies: stratified, part of the whole, and a function of the seed alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_data_tfds import FOLDER, mock_tfds, needs_folder, pretend_tensorflow  # noqa: F401  (mock_tfds is a fixture)

from be_jax.data import (
    from_arrays,
    split,
    subset,
)


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
