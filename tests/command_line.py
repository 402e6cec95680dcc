"""`python -m module arguments` inside the test's own process, which need not import everything anew."""

import runpy
import sys
from collections.abc import Sequence

import pytest


def answer(module: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys) -> str:
    """What a command that must fail says, on one line; any exception but an exit is a traceback, and fails the test."""
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module(module, run_name="__main__")
    assert exit_.value.code not in (None, 0)
    printed = capsys.readouterr()
    return " ".join(f"{printed.out} {printed.err} {exit_.value.code}".replace("│", " ").split())
