"""The README is true: its Python runs, its tables are those of the committed results, its commands are CI's."""

import re
from pathlib import Path

import pytest

from experiments import readme

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_python_runs(index, capsys):
    assert len(BLOCKS[index].splitlines()) < 40
    exec(compile(BLOCKS[index], f"README.md, block {index}", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip(), "it shows something"


def test_there_is_python_to_run():
    assert BLOCKS


def test_generated_parts_are_current():
    assert readme.regenerated(README) == README, "run: python -m experiments.readme"


def test_ci_runs_the_test_command_of_the_readme():
    (pattern,) = re.findall(r"grep -m1 -E '(.*?)' README.md", (ROOT / ".ci" / "run").read_text())
    assert re.search(pattern, README, re.MULTILINE)
    assert "python -m experiments.mnist" in README
