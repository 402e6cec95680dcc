"""A command as it is recorded: what was typed, without folders of one machine."""

import sys

import pytest

from be_jax.provenance import command


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["--seeds", "1", "2"], "python -m x --seeds 1 2"),
        (["--data-dir", "/home/me/data", "--rank", "2"], "python -m x --data-dir DATA_DIR --rank 2"),
        (["--out=/tmp/here", "--name", "two words"], "python -m x --out OUT --name 'two words'"),
        (["/home/me/runs/mnist", "runs/cifar10"], "python -m x mnist runs/cifar10"),
    ],
)
def test_folders_of_this_machine_are_left_out(monkeypatch, typed, shown):
    monkeypatch.setattr(sys, "argv", ["x", *typed])
    assert command("x") == shown
