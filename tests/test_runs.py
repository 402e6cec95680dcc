"""Run folders: created once, checked ever after, and never overwritten by another configuration."""

import json
import threading

import numpy as np
import pytest

from be_jax.files import write_atomically
from be_jax.runs import RunError, RunFolder, exclusive, programs, read_config, sealed, seed_folder

CONFIG = {"rank": 1, "milestones": (25, 50)}


def test_same_configuration_opens_again(tmp_path):
    RunFolder(tmp_path / "run", CONFIG, trained_with=[1, 2])
    RunFolder(tmp_path / "run", CONFIG, trained_with=[1])
    assert json.loads((tmp_path / "run" / "config.json").read_text())["trained_with"] == [1, 2]


def test_other_configuration_is_refused(tmp_path):
    RunFolder(tmp_path / "run", CONFIG)
    with pytest.raises(RunError, match=r"another configuration: rank: 1 there, 2 here.*left as it was"):
        RunFolder(tmp_path / "run", {**CONFIG, "rank": 2})


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("do not lose me")
    with pytest.raises(RunError, match=r"is not empty and holds no config\.json"):
        RunFolder(tmp_path, CONFIG)


def test_a_run_that_another_host_is_just_making_is_not_foreign(tmp_path):
    text = json.dumps(sealed({"trained_with": [1]}))
    folders = [tmp_path / str(i) for i in range(150)]
    other = threading.Thread(target=lambda: [write_atomically(each / "config.json", text) for each in folders])
    other.start()
    for folder in folders:
        while other.is_alive() and read_config(folder) is None:
            continue
    other.join()
    assert all(read_config(folder) for folder in folders)


@pytest.mark.parametrize(("text", "message"), [("{", "is damaged"), ("{}", "was not written by be_jax")])
def test_damaged_or_foreign_configuration_is_refused(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=message):
        RunFolder(tmp_path, CONFIG)
    assert (tmp_path / "config.json").read_text() == text


@pytest.mark.parametrize("where", ["config.json", "metrics.jsonl"])
def test_every_flipped_bit_of_a_record_is_refused(tmp_path, where):
    """Of its checksum's name too; a last line that is no JSON any more is one that was cut short by a kill."""
    run = RunFolder(tmp_path / "run", CONFIG)
    for epoch in range(2):
        run.log({"epoch": epoch, "seconds": 0.5})
    file = run.path / where
    raw, expected = file.read_bytes(), (run.epochs(), CONFIG)
    for at in range(8 * len(raw)):
        damaged = bytearray(raw)
        damaged[at // 8] ^= 1 << at % 8
        file.write_bytes(damaged)
        try:
            found = RunFolder(tmp_path / "run", CONFIG).epochs(), CONFIG
        except RunError:
            continue
        white = at // 8 == len(raw) - 1 or raw[at // 8 : at // 8 + 1].isspace()
        assert found == expected or white, at


def test_records_from_before_there_were_checksums_are_read(tmp_path):
    run = RunFolder(tmp_path / "run", CONFIG)
    (run.path / "config.json").write_text(json.dumps({**CONFIG, "trained_with": [7]}))
    (run.path / "metrics.jsonl").write_text('{"epoch": 0, "seconds": 0.5}\n{"status": "stopped"}\n')
    again = RunFolder(tmp_path / "run", CONFIG)
    assert again.epochs() == [{"epoch": 0, "seconds": 0.5}]
    assert again.outcome() == {"status": "stopped"}
    assert programs(tmp_path, [7], 1) == [(7,)]


def test_missing_epochs_are_refused(tmp_path):
    run = RunFolder(tmp_path / "run", CONFIG)
    for epoch in (0, 2):
        run.log({"epoch": epoch})
    with pytest.raises(RunError, match=r"metrics\.jsonl is damaged: epochs are missing"):
        run.epochs()
    short = RunFolder(tmp_path / "short", CONFIG)
    short.log({"epoch": 0})
    before = short._log_path.read_bytes()
    with pytest.raises(RunError, match=r"it ends after 1 epochs, and the checkpoint after 2"):
        short.rewind_log(2)
    assert short._log_path.read_bytes() == before


def test_predictions_that_the_run_did_not_write_are_refused(tmp_path):
    run = RunFolder(tmp_path / "run", CONFIG)
    run.save_predictions({"test/log_probs": np.zeros((1, 2, 3), np.float32)})
    run.log({"status": "finished"})
    assert run.load_predictions()["test/log_probs"].shape == (1, 2, 3)
    run.save_predictions({"test/log_probs": np.ones((1, 2, 3), np.float32)})
    with pytest.raises(RunError, match=r"predictions\.npz is not what the run wrote.*move it away to predict anew"):
        run.load_predictions()


@pytest.mark.parametrize("array", [np.zeros((2, 3), np.float32), np.zeros((1, 2, 3), int), np.array(["a"])])
def test_predictions_of_another_kind_are_refused(tmp_path, array):
    run = RunFolder(tmp_path / "run", CONFIG)
    run.save_predictions({"test/log_probs": array})
    with pytest.raises(RunError, match=r"test/log_probs is .*where predictions have <set>/log_probs \[m, n, c\]"):
        run.load_predictions()


def test_log_rewinds_and_survives_a_torn_line(tmp_path):
    run = RunFolder(tmp_path / "run", CONFIG)
    for epoch in range(3):
        run.log({"epoch": epoch})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "tra')
    assert [line["epoch"] for line in run.epochs()] == [0, 1, 2]
    run.rewind_log(2)
    assert [line["epoch"] for line in run.epochs()] == [0, 1]
    assert run.outcome() is None


def test_finished_needs_an_outcome_and_predictions_unless_diverged(tmp_path):
    run = RunFolder(tmp_path / "run", CONFIG)
    run.log({"epoch": 0})
    assert not run.finished
    run.log({"status": "stopped"})
    assert not run.finished
    run.save_predictions({"test/log_probs": np.zeros((1, 2, 3), np.float32)})
    assert run.finished
    assert run.load_predictions()["test/log_probs"].shape == (1, 2, 3)
    diverged = RunFolder(tmp_path / "diverged", CONFIG)
    diverged.log({"status": "diverged"})
    assert diverged.finished


def test_damaged_predictions_are_named(tmp_path):
    run = RunFolder(tmp_path / "run", CONFIG)
    run.predictions_path.write_bytes(b"PK not a zip")
    with pytest.raises(RunError, match=r"predictions\.npz cannot be read"):
        run.load_predictions()


def test_programs_keep_the_groups_that_were_begun(tmp_path):
    assert programs(tmp_path, [1, 2, 3], 3) == [(1, 2, 3)]
    assert programs(tmp_path, [1, 2, 3], 2) == [(1, 2), (3,)]
    assert programs(tmp_path, [1, 2, 3], 1) == [(1,), (2,), (3,)]
    for seed in (1, 2):
        RunFolder(seed_folder(tmp_path, seed), CONFIG, trained_with=[1, 2])
    assert programs(tmp_path, [2, 3, 4], 3) == [(1, 2), (3, 4)]


def test_a_kill_before_the_configuration_was_whole_leaves_a_usable_folder(tmp_path):
    (tmp_path / "config.json.partial").write_text("{")
    RunFolder(tmp_path, CONFIG)
    assert json.loads((tmp_path / "config.json").read_text())["rank"] == 1


def test_a_folder_in_use_is_refused(tmp_path):
    with exclusive(tmp_path), pytest.raises(RunError, match="is in use by another process"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass
