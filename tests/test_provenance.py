"""A command as it is recorded: what was typed, without folders of one machine."""

import io
import shlex
import sys

import pytest
from rich.console import Console

from be_jax.provenance import command, suggested
from be_jax.report.terminal import print_plain


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


@pytest.mark.parametrize("folder", ["runs [a-b]", "two words", "it's $HOME", "a[/b]", "*", "x" * 300])
def test_a_suggested_command_is_for_the_shell_as_it_is_printed(folder):
    """Quoted; and not broken, or read as markup, on its way to the terminal."""
    printed = Console(file=io.StringIO(), width=40)
    print_plain(suggested("experiments.weights", folder), printed)
    assert shlex.split(printed.file.getvalue()) == ["python", "-m", "experiments.weights", folder]
