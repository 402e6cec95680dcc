"""A run's identity: what determines its numbers, so that a new field orphans nothing and other data are another run."""

import dataclasses

import numpy as np
import pytest

from be_jax.checkpoint import CheckpointError, CheckpointFolder
from be_jax.data.fingerprint import fingerprint
from be_jax.identity import completed, defaults_of, differences, identity_of, under_todays_names
from be_jax.runs import RunError, RunFolder


@dataclasses.dataclass(frozen=True)
class Training:
    epochs: int = 75
    milestones: tuple[int, ...] = (25, 50)


@dataclasses.dataclass(frozen=True)
class Config:
    rank: int = 1
    out: str = "runs"
    train: Training = dataclasses.field(default_factory=Training)


@dataclasses.dataclass(frozen=True)
class Grown(Config):
    """The same, of a later version."""

    dropout: float = 0.0


NOT_PART = ("out",)


def test_a_run_of_before_has_the_rate_that_was_its_methods_own():
    old = {
        "method": "mine",
        "train": {"epochs": 3, "learning_rate": 0.1},
        "learning_rates": {"mine": 0.2, "other": 0.3},
    }
    assert under_todays_names(old) == {"method": "mine", "train": {"epochs": 3, "learning_rate": 0.2}}
    assert under_todays_names({**old, "learning_rates": {}})["train"]["learning_rate"] == 0.1
    assert under_todays_names({"method": "mine"}) == {"method": "mine"}


OLD_RECORD = {"rank": 2, "train": {"epochs": 75, "milestones": [25, 50]}}  # in full, as runs always had it


def test_identity_is_what_differs_from_the_defaults():
    assert identity_of(Config(), NOT_PART) == {}
    assert identity_of(Config(2, "elsewhere"), NOT_PART) == {"rank": 2}
    assert identity_of(Config(train=Training(3)), NOT_PART) == {"train": {"epochs": 3}}
    assert identity_of(Grown(2), NOT_PART) == identity_of(Config(2), NOT_PART), "a new field, at its default"


@pytest.mark.parametrize("saved", [OLD_RECORD, {"rank": 2}], ids=["full", "sparse"])
@pytest.mark.parametrize(
    ("wanted", "differ"),
    [
        (Config(2), ""),
        (Grown(2), ""),
        (Config(1), "rank: 2 there, 1 here"),
        (Grown(2, dropout=0.1), "dropout: 0.0 there, 0.1 here"),
        (Config(2, train=Training(75, (9,))), "train.milestones: [25, 50] there, [9] here"),
    ],
)
def test_records_full_or_sparse_are_compared_alike(saved, wanted, differ):
    assert differences(saved, identity_of(wanted, NOT_PART), defaults_of(type(wanted), NOT_PART)) == differ


def test_a_default_that_changes_makes_another_run():
    saved = completed(identity_of(Config(2), NOT_PART), defaults_of(Config, NOT_PART))
    assert saved == OLD_RECORD
    later = {**defaults_of(Config, NOT_PART), "train": {"epochs": 100, "milestones": [25, 50]}}
    assert differences(saved, {"rank": 2}, later) == "train.epochs: 75 there, 100 here"


def test_a_folder_and_its_checkpoints_stay_readable(tmp_path):
    tree = {"w": np.arange(3.0)}
    RunFolder(tmp_path / "run", OLD_RECORD).checkpoints.save(1, tree)
    grown = RunFolder(tmp_path / "run", identity_of(Grown(2), NOT_PART), defaults=defaults_of(Grown, NOT_PART))
    np.testing.assert_array_equal(grown.checkpoints.restore(1, tree)["w"], tree["w"])
    with pytest.raises(RunError, match=r"dropout: 0\.0 there, 0\.5 here"):
        RunFolder(tmp_path / "run", identity_of(Grown(2, dropout=0.5)), defaults=defaults_of(Grown, NOT_PART))
    other = CheckpointFolder(tmp_path / "run" / "checkpoints", {"rank": 3}, defaults=defaults_of(Grown, NOT_PART))
    with pytest.raises(CheckpointError, match="rank: 2 there, 3 here"):
        other.restore(1, tree)


def data(**changed):
    arrays = {"images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "labels": np.array([0, 1], np.int32)}
    return arrays | changed


def test_data_are_told_apart_by_what_they_hold():
    same = fingerprint(data())
    assert len(same) == 16
    assert int(same, 16) >= 0
    assert fingerprint(data(labels=np.array([0, 1], ">i4"))) == same, "the byte order is not what they hold"
    assert fingerprint(data(images=np.asfortranarray(data()["images"]))) == same
    assert fingerprint(data(images=data()["images"][::-1][::-1])) == same
    others = [
        data(labels=np.array([1, 0], np.int32)),
        data(labels=np.array([0, 1], np.int64)),
        data(images=data()["images"].reshape(2, 4, 3)),
        data(images=data()["images"] ^ np.uint8(1 << 7)),
        {"labels": data()["labels"], "images": data()["images"]},
        {"images": data()["images"]},
        data(more=np.empty(0)),
    ]
    assert len({same, *map(fingerprint, others)}) == 1 + len(others)
