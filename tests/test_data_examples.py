"""The interface of the data sets: what it refuses and how it splits (be_jax/data/examples.py, checks.py, pixels.py)."""

import dataclasses
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from be_jax.data import Examples, as_float, from_arrays, split, standardise

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 6, 5, 1)).astype(np.uint8)
LABELS = np.arange(40) % 4


def study(**changes):
    arguments = {
        "train_images": IMAGES,
        "train_labels": LABELS,
        "test_images": IMAGES[:8],
        "test_labels": LABELS[:8],
        "num_classes": 4,
        "ood": {"noise": IMAGES[:3]},
    }
    return from_arrays(**(arguments | changes))


def with_value(value, index=(3, 0, 0, 0)):
    images = IMAGES / np.float32(255)
    images[index] = value
    return images


def test_from_arrays_keeps_every_example_once():
    data = study(validation_fraction=0.25)
    assert [len(part.labels) for part in (data.train, data.validation, data.test)] == [30, 10, 8]
    together = np.concatenate([data.train.images, data.validation.images])
    assert sorted(map(bytes, together)) == sorted(map(bytes, IMAGES))
    label_of = {bytes(image): label for image, label in zip(IMAGES, LABELS, strict=True)}
    for part in (data.train, data.validation):
        assert [label_of[bytes(image)] for image in part.images] == part.labels.tolist()
        assert part.labels.dtype == np.int32
    np.testing.assert_array_equal(data.test.images, IMAGES[:8])


def test_describe_names_every_size():
    line = study().describe()
    assert repr(study()) == f"<StudyData {line}>"
    assert line == "arrays (6x5x1 uint8, 4 classes): train 36, validation 4, test 8, ood noise 3"


def test_study_is_immutable_and_leaves_the_given_arrays_writeable():
    data = study()
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"
    with pytest.raises(ValueError, match="read-only"):
        data.test.images[0] = 0
    with pytest.raises(TypeError):
        data.ood["more"] = IMAGES
    assert IMAGES.flags.writeable


def test_floats_become_float32_and_jax_arrays_are_taken():
    data = study(train_images=jnp.asarray(IMAGES / 255), test_images=IMAGES[:8] / 255.0)
    assert data.train.images.dtype == data.test.images.dtype == np.float32


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"train_images": IMAGES[..., 0]}, ValueError, r"train images .* got \[40, 6, 5\]; .* images\[..., None\]"),
        ({"test_images": IMAGES[0]}, ValueError, r"test images must have shape \[n, h, w, ch\], got \[6, 5, 1\]"),
        (
            {"train_images": IMAGES[:0], "train_labels": LABELS[:0]},
            ValueError,
            r"train images are empty, .*\[0, 6, 5, 1\]",
        ),
        (
            {"test_images": IMAGES[:8, :5]},
            ValueError,
            r"train images .*\[6, 5, 1\] but test images \[5, 5, 1\]; resize",
        ),
        ({"ood": {"far": IMAGES.repeat(3, 3)}}, ValueError, r"\[6, 5, 1\] but ood 'far' images \[6, 5, 3\]"),
        ({"ood": {"far": IMAGES[:0]}}, ValueError, "ood 'far' images are empty"),
        ({"train_images": IMAGES.astype(int)}, TypeError, r"got int64; .* images.astype\(np.uint8\)"),
        ({"train_images": IMAGES.astype(float)}, ValueError, r"min 0 and max 255; divide by 255 or pass uint8"),
        ({"train_images": with_value(-0.5)}, ValueError, r"min -0.5 and max 1; rescale them to \[0, 1\]"),
        (
            {"train_images": with_value(np.nan)},
            ValueError,
            "NaN or infinite values in 1 of 40 images, the first at index 3",
        ),
        ({"train_images": with_value(np.inf, slice(7, 9))}, ValueError, "in 2 of 40 images, the first at index 7"),
        ({"train_labels": LABELS.astype(float)}, TypeError, r"train labels must be integers, got float64; .*astype"),
        ({"train_labels": LABELS[:-1]}, ValueError, r"shape \[40\], one per image, got \[39\]"),
        ({"test_labels": np.eye(4)[LABELS[:8]]}, ValueError, r"got \[8, 4\]; for one-hot labels pass labels.argmax"),
        ({"train_labels": LABELS + 1}, ValueError, r"in 0..3, got 4 at index 3 \(10 of 40 .* num_classes=4"),
        ({"test_labels": LABELS[:8] - 1}, ValueError, r"test labels must be in 0..3, got -1 at index 0"),
        ({"validation_fraction": 0.0}, ValueError, r"validation_fraction must be in \(0, 1\) .* 40 .*, got 0.0"),
        ({"validation_fraction": 1.5}, ValueError, "got 1.5"),
        ({"validation_fraction": 0.01}, ValueError, "at least one of the 40 training examples, got 0.01"),
        ({"validation_fraction": 0.999}, ValueError, "got 0.999"),
    ],
)
def test_from_arrays_refuses(changes, error, message):
    with pytest.raises(error, match=message):
        study(**changes)


@example([1, 1, 2, 3, 3, 46], (0.25, 0.21875), 0)
@settings(deadline=None, max_examples=50)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fractions=st.tuples(st.floats(0.05, 0.5), st.floats(0.05, 0.5)),
    seed=st.integers(0, 2**32),
)
def test_split_is_disjoint_and_stratified(counts, fractions, seed):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    examples = Examples(np.arange(len(labels))[:, None, None, None], labels)
    sizes = [max(1, int(fraction * len(labels))) for fraction in fractions]
    if sum(sizes) > len(labels):
        sizes = [len(labels)]
    parts = split(examples, sizes, seed=seed)
    assert [len(part.labels) for part in parts] == sizes
    taken = np.concatenate([part.images.ravel() for part in parts])
    assert len(set(taken)) == len(taken)
    for part in parts:
        np.testing.assert_array_equal(part.labels, labels[part.images.ravel()])
        expected = len(part.labels) * np.array(counts) / len(labels)
        bound = 1 + len(counts) * np.array(counts) / len(labels)
        assert (np.abs(np.bincount(part.labels, minlength=len(counts)) - expected) <= bound).all()


def test_split_depends_on_the_seed_alone():
    examples = Examples(np.arange(40)[:, None, None, None], LABELS)
    first, again, other = (split(examples, (20, 20), seed=seed)[0].images.ravel() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)
    assert first[:8].tolist() == [9, 36, 39, 2, 31, 16, 18, 21]


@pytest.mark.parametrize("sizes", [(30, 11), (0, 3), (-1, 3)])
def test_split_refuses_sizes(sizes):
    with pytest.raises(ValueError, match=re.escape(f"at most 40 (the examples), got {sizes}")):
        split(Examples(IMAGES, LABELS), sizes)


def test_as_float():
    np.testing.assert_allclose(as_float(IMAGES), IMAGES / 255, rtol=1e-6)
    assert as_float(np.array([0.25, 1])).tolist() == [0.25, 1]
    assert as_float(np.float16([0.25])).dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(as_float)(IMAGES), as_float(IMAGES), rtol=1e-6)
    with pytest.raises(TypeError, match="got int32"):
        as_float(jnp.arange(3))


def test_standardise_by_channel():
    images = RNG.random((50, 4, 4, 3)).astype(np.float32)
    mean, std = images.mean((0, 1, 2)), images.std((0, 1, 2))
    out = np.asarray(standardise(jnp.asarray(images), mean, std))
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 1, 2)), 1, atol=1e-5)
    np.testing.assert_allclose(standardise(jnp.ones((2, 2)), 0.5, 2.0), 0.25)


def test_import_is_light():
    heavy = ["tensorflow", "tensorflow_datasets", "array_record", "mlxtend", "matplotlib", "PIL", "orbax"]
    code = f"import sys, be_jax.data; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
