"""What an audit takes, and what it refuses: each refusal names the array and its value."""

import re

import ml_dtypes
import numpy as np
import pytest

from be_jax.audit import AuditError, checked, read_predictions


def logits(members=3, examples=5, classes=4, seed=0):
    return np.random.default_rng(seed).normal(0, 2, (members, examples, classes))


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def arrays(kind="log_probs", values=None, **more):
    log_probs = log_softmax(logits()).astype(np.float32) if values is None else values
    return {f"test/{kind}": log_probs, "test/labels": np.arange(5) % 4, **more}


def test_logits_log_probabilities_and_probabilities_are_the_same_predictions():
    x = logits()
    expected = log_softmax(x)
    for kind, values in (("logits", x), ("log_probs", expected), ("probs", np.exp(expected)), ("logits", x + 7)):
        result = checked(arrays(kind, values))
        assert result["test/log_probs"].dtype == np.float32
        assert result["test/labels"].dtype == np.int32
        np.testing.assert_allclose(result["test/log_probs"], expected, atol=2e-6)


def test_float32_log_probabilities_are_returned_to_the_bit():
    given = arrays()
    assert checked(given)["test/log_probs"] is given["test/log_probs"]


def test_certainty_is_no_error():
    certain = np.broadcast_to(np.eye(4)[np.arange(5) % 4], (3, 5, 4))
    for kind, values in (
        ("probs", certain),
        ("log_probs", np.where(certain == 1, 0, -np.inf)),
        ("logits", np.where(certain == 1, 5.0, -np.inf)),
    ):
        np.testing.assert_array_equal(np.exp(checked(arrays(kind, values))["test/log_probs"]), certain)


def test_large_logits_do_not_overflow():
    x = np.full((2, 5, 4), 1e4, np.float32)
    x[..., 0] += 200
    np.testing.assert_allclose(checked(arrays("logits", x))["test/log_probs"][..., 0], 0, atol=1e-6)


def test_sets_keep_their_order_and_ood_sets_need_no_labels():
    more = {
        "ood/svhn/logits": logits(),
        "shift/fog_3/probs": np.full((3, 5, 4), 0.25),
        "shift/fog_3/labels": np.ones(5, int),
    }
    assert list(checked(arrays(**more))) == [
        *("test/log_probs", "test/labels", "ood/svhn/log_probs", "ood/svhn/energy", "ood/svhn/max_logit"),
        *("shift/fog_3/log_probs", "shift/fog_3/labels"),
    ]


def test_labels_of_an_ood_set_may_be_classes_of_its_own():
    more = {"ood/cifar100/logits": logits(), "ood/cifar100/labels": np.full(5, 99)}
    assert checked(arrays(**more))["ood/cifar100/labels"][0] == 99


def changed(index, value):
    values = log_softmax(logits()).astype(np.float32)
    values[index] = value
    return values


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (arrays(values=changed((1, 2, 3), np.nan)), "test/log_probs holds 1 NaN, the first at [1, 2, 3]"),
        (arrays(values=changed((2, 4), 0.0)), "[2, 4] sums, as probabilities, to 4 and not to 1, as 1 of the 5"),
        (arrays(values=logits() + 9), "if these are logits, name the array logits"),
        (arrays("probs", np.full((3, 5, 4), 0.5)), "test/probs[0, 0] sums to 2 and not to 1, as 5 of the 5 rows"),
        (arrays("probs", np.full((3, 5, 4), -0.5)), "test/probs[0, 0] holds -0.5, which is no probability"),
        (arrays("logits", np.full((3, 5, 4), 0.25)), "test/logits[0] has only rows that are probabilities"),
        (arrays("logits", changed((1, 3, 0), np.inf)), "test/logits[1, 3] has the largest logit inf"),
        (arrays("logits", changed((1, 3), -np.inf)), "test/logits[1, 3] has the largest logit -inf"),
        (arrays(values=logits()[0]), "test/log_probs must be [members, examples, classes], got shape (5, 4); a single"),
        (arrays(values=logits().astype(int)), "test/log_probs must be floating numbers, got int64"),
        (arrays(values=logits(members=0)), "test/log_probs needs a member, an example and two classes at least"),
        (arrays(values=logits(examples=0)), "test/log_probs needs a member, an example and two classes at least"),
        (arrays(values=logits(examples=6)), "test/log_probs has 6 examples (shape (3, 6, 4)), but test/labels has 5"),
        (arrays(values=logits().swapaxes(0, 1)), "members come first: save array.swapaxes(0, 1)"),
        (arrays(**{"test/labels": np.eye(4)}), "test/labels must be class numbers [examples], got shape (4, 4)"),
        (arrays(**{"test/labels": np.zeros(5)}), "test/labels must be integers, got float64"),
        (arrays(**{"test/labels": np.array([0, 1, 4, 2, -1])}), "2 are not, such as test/labels[2] = 4"),
        (arrays(**{"ood/x/logits": logits(members=2)}), "ood/x/logits has 2 members and 4 classes, but"),
        (arrays(**{"ood/x/logits": logits(), "ood/x/labels": np.zeros(4, int)}), "ood/x/labels has 4"),
        (arrays(**{"test/logits": logits()}), "test/log_probs and test/logits are the same predictions twice"),
        (arrays(**{"shift/fog_1/logits": logits()}), "shift/fog_1/labels is missing"),
        (arrays(**{"shift/fog/logits": logits()}), "'shift/fog/logits' is no name of an array here"),
        (arrays(**{"test/prob": logits()}), "'test/prob' is no name of an array here"),
        (arrays(**{"ood/x/labels": np.zeros(5, int)}), "ood/x/labels are labels without predictions"),
        ({"ood/x/logits": logits()}, "there are no predictions of the set `test`, only ood/x/logits"),
        ({}, "there are no predictions of the set `test`, only nothing"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_cannot_be_what_its_name_says_is_refused(given, message):
    with pytest.raises(AuditError, match=re.escape(message)):
        checked(given)


MASK = np.zeros((5, 2, 2), int)


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        (arrays("logits", logits(classes=1)), "save numpy.stack([0 * z, z], -1) with z = array[..., 0]"),
        (arrays("logits", logits(classes=5)[..., 0]), "save numpy.stack([0 * z, z], -1) with z = array,"),
        (arrays("probs", np.full((3, 5, 1), 0.3)), "save numpy.stack([1 - p, p], -1) with p = array[..., 0]"),
        (arrays("probs", np.full((3, 5), 0.3)), "name the arrays <set>/mean and <set>/variance"),
        (arrays("log_probs", np.full((3, 5, 1), -0.3)), "save the logarithms of both probabilities"),
        (
            arrays("logits", logits().astype(np.float32).view("V4")),
            "4 bytes without a kind (|V4), as numpy saves bfloat16",
        ),
        (
            arrays("logits", np.zeros((3, 5, 4), "V2")),
            "(|V2), as numpy saves bfloat16: save array.astype(numpy.float32)",
        ),
        (arrays("logits", logits().astype(complex)), "must be floating numbers, got complex128"),
        (arrays("probs", np.full((3, 5, 4), 0.251)), "few digits: take the softmax in float32"),
        (arrays("probs", np.full((3, 5, 4), 0.2488)), "few digits: take the softmax in float32"),
        (arrays("log_probs", np.full((3, 5, 4), np.log(0.252))), "few digits: take the softmax in float32"),
        (arrays("probs", np.full((3, 5, 4), 0.26)), "if these are logits, name the array logits"),
        (arrays("logits", [np.zeros((5, 4)), np.zeros((6, 4))]), "test/logits cannot be made one array"),
        (arrays("logits", np.array([None] * 3)), "test/logits holds Python objects, not numbers"),
        (arrays(**{"test/labels": np.zeros((5, 1), int)}), "got shape (5, 1): save labels.ravel()"),
        (arrays(**{"test/labels": np.zeros((1, 5), int)}), "got shape (1, 5): save labels.ravel()"),
        (arrays(**{"test/labels": np.eye(4)[[0, 1, 2, 3, 0]]}), "got shape (5, 4): save labels.argmax(1)"),
        (arrays(**{"test/labels": np.array([[0, 1], [1, 1]])}), "got shape (2, 2): an example has one class here"),
        (arrays(**{"test/labels": np.array([1, 2, 3, 4, 4])}), "count from 1: save labels - 1"),
        (arrays(**{"test/labels": np.array([0, 1, 255, 2, 3])}), "leave out examples that have no class"),
        (arrays(**{"test/labels": np.array(list("abcda"))}), "number them as the classes of the predictions"),
        (arrays(**{"test/labels": np.array([True] * 5)}), "got bool: save labels.astype(int)"),
        (
            arrays("logits", np.zeros((3, 5, 2, 2, 4)), **{"test/labels": MASK}),
            "save array.reshape(3, -1, 4) and labels",
        ),
        (
            arrays("logits", np.zeros((3, 5, 4, 2, 2)), **{"test/labels": MASK}),
            "numpy.moveaxis(array, 2, -1).reshape(3, ",
        ),
        (
            arrays("logits", np.zeros((3, 5, 7, 4)), **{"test/labels": np.zeros((5, 7), int)}),
            "save array.reshape(3, -1, 4)",
        ),
        (arrays("logits", np.zeros((3, 4, 5))), "classes come last: save array.swapaxes(1, 2)"),
        (arrays("std", np.zeros((3, 5))), "save variance, the square of a standard deviation"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_message_says_what_to_do(given, cure):
    with pytest.raises(AuditError, match=re.escape(cure)):
        checked(given)


def test_the_cures_work():
    z = logits(classes=2)
    both = np.stack([0 * z[..., 0], z[..., 1] - z[..., 0]], -1)
    two = checked({"test/logits": both, "test/labels": np.arange(5) % 2})["test/log_probs"]
    np.testing.assert_allclose(two, log_softmax(z), atol=1e-6)
    pixels = np.random.default_rng(0).normal(size=(3, 5, 4, 2, 2))
    moved = np.moveaxis(pixels, 2, -1).reshape(3, -1, 4)
    flat = checked({"test/logits": moved, "test/labels": MASK.ravel()})["test/log_probs"]
    np.testing.assert_allclose(flat[1, 4 * 2 + 2 * 1 + 0], log_softmax(pixels[1, 2, :, 1, 0]), atol=1e-6)


@pytest.mark.parametrize("dtype", [">f4", ">f8", "f8", "f2", ml_dtypes.bfloat16])
def test_every_float_is_the_same_predictions(dtype):
    x = np.round(4 * logits()) / 4  # of few bits, so that every dtype has them
    result = checked(arrays("logits", x.astype(dtype)))["test/log_probs"]
    np.testing.assert_allclose(result, checked(arrays("logits", x.astype(np.float32)))["test/log_probs"], atol=1e-6)


def test_a_file_says_what_it_is_instead(tmp_path):
    np.save(tmp_path / "one.npy", logits())
    with pytest.raises(AuditError, match=r"one\.npy is one array without a name"):
        read_predictions(tmp_path / "one.npy")
    ragged = np.array([np.zeros((5, 4)), np.zeros((6, 4))], object)
    np.savez(tmp_path / "ragged.npz", **{"test/logits": ragged, "test/labels": np.zeros(5, int)})
    with pytest.raises(
        AuditError, match=r"ragged\.npz: test/logits holds Python objects.*do the members differ in length"
    ):
        read_predictions(tmp_path / "ragged.npz")
    np.savez(tmp_path / "b.npz", **arrays("logits", logits().astype(ml_dtypes.bfloat16)))
    with pytest.raises(AuditError, match=r"b\.npz: test/logits .* as numpy saves bfloat16"):
        read_predictions(tmp_path / "b.npz")
    with pytest.raises(AuditError, match=f"{tmp_path} cannot be read"):
        read_predictions(tmp_path)


def test_a_message_names_the_file(tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays(values=changed((0, 0, 0), np.nan)))
    with pytest.raises(AuditError, match=r"bad\.npz: test/log_probs holds 1 NaN"):
        read_predictions(tmp_path / "bad.npz")
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("text.npz", "missing.npz"):
        with pytest.raises(AuditError, match=f"{name} cannot be read as .npz"):
            read_predictions(tmp_path / name)
    np.savez(tmp_path / "good.npz", **arrays("logits", logits()))
    np.testing.assert_array_equal(
        read_predictions(tmp_path / "good.npz")["test/log_probs"], checked(arrays("logits", logits()))["test/log_probs"]
    )
