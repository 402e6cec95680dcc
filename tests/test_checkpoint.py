"""Checkpoints: exact, and refused with a reason, untouched, when damaged, foreign or of another configuration."""

import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from be_jax.checkpoint import CheckpointError, CheckpointFolder

TREE = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": (np.int32(7), np.float32("nan"), np.float32(0.1))}
CONFIG = {"rank": 1, "train": {"epochs": 3}}


@pytest.fixture
def folder(tmp_path):
    checkpoints = CheckpointFolder(tmp_path / "checkpoints", CONFIG)
    checkpoints.save(3, TREE)
    return checkpoints


def contents(path):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(path.rglob("*")) if p.is_file()}


def test_round_trip_is_exact(folder):
    restored = folder.restore(3, TREE)
    assert jax.tree.structure(restored) == jax.tree.structure(TREE)
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(TREE), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
        assert a.dtype == b.dtype


def test_restore_like_shapes_only(folder):
    like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), TREE)
    np.testing.assert_array_equal(folder.restore(3, like)["a"], TREE["a"])


def test_keeps_the_newest(folder):
    assert folder.steps() == [3]
    for step in (4, 5):
        folder.save(step, TREE)
    assert folder.steps() == [4, 5]


def test_no_folder_has_no_steps(tmp_path):
    assert CheckpointFolder(tmp_path / "none", CONFIG).steps() == []


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
def test_damaged_is_refused_and_left(folder, tmp_path, damage):
    files = [p for p in (tmp_path / "checkpoints" / "3").rglob("*") if p.is_file() and p.name != "files.json"]
    data = max(files, key=lambda p: p.stat().st_size)
    raw = data.read_bytes()
    if damage == "truncate":
        data.write_bytes(raw[: len(raw) // 2])
    elif damage == "flip":
        data.write_bytes(raw[:-20] + bytes([raw[-20] ^ 255]) + raw[-19:])
    else:
        data.unlink()
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match=r"checkpoints/3 .*It was left as it was"):
        folder.restore(3, TREE)
    assert contents(tmp_path) == before


def test_values_that_do_not_match_their_digest(tmp_path):
    """Arrays that read well but are not those that were saved."""
    checkpoints = CheckpointFolder(tmp_path / "c", CONFIG)
    checkpoints.save(1, TREE)
    (tmp_path / "c" / "1" / "files.json").unlink()
    manifest = tmp_path / "c" / "1" / "manifest" / "metadata"
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**record, "sha256": "0" * 64}))
    with pytest.raises(CheckpointError, match="is damaged: its arrays do not match their digest"):
        checkpoints.restore(1, TREE)


@pytest.mark.parametrize("checksums", [True, False])
def test_damage_is_told_in_one_way(folder, tmp_path, checksums, capfd):
    """Also of checkpoints from before files had checksums."""
    step = tmp_path / "checkpoints" / "3"
    if not checksums:
        (step / "files.json").unlink()
        np.testing.assert_array_equal(folder.restore(3, TREE)["a"], TREE["a"])
    metadata = step / "manifest" / "metadata"
    metadata.write_bytes(metadata.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"checkpoints/3 .*It was left as it was"):
        folder.restore(3, TREE)
    if checksums:
        assert "Traceback" not in capfd.readouterr().err
    (step / "files.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"files\.json is damaged"):
        folder.restore(3, TREE)


def test_foreign_is_refused_and_left(tmp_path):
    step = tmp_path / "checkpoints" / "5"
    step.mkdir(parents=True)
    (step / "weights.bin").write_bytes(b"somebody else's")
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match="checkpoints/5"):
        CheckpointFolder(tmp_path / "checkpoints", CONFIG).restore(5, TREE)
    assert contents(tmp_path) == before


def test_other_config_is_refused_with_the_difference(folder, tmp_path):
    before = contents(tmp_path)
    other = CheckpointFolder(tmp_path / "checkpoints", {"rank": 2, "train": {"epochs": 3}})
    with pytest.raises(CheckpointError, match="made with another configuration: rank: 1 there, 2 here"):
        other.restore(3, TREE)
    assert contents(tmp_path) == before


def test_other_arrays_are_refused_with_the_difference(folder):
    wider = {**TREE, "a": jnp.zeros((2, 4))}
    with pytest.raises(CheckpointError, match=r"holds other arrays: .*float32\[2, 3\].*float32\[2, 4\]"):
        folder.restore(3, wider)


def test_of_several_hosts_one_writes_the_checksums_and_all_wait(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr("be_jax.checkpoint.is_first_host", lambda: False)
    monkeypatch.setattr("be_jax.checkpoint.wait_for_hosts", waited.append)
    CheckpointFolder(tmp_path, {"a": 1}).save(3, {"x": np.ones(2)})
    assert not (tmp_path / "3" / "files.json").exists()
    assert waited == ["checkpoint 3 is whole"]
