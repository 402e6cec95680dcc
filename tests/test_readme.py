"""README.md and the pages of results are true: the Python runs, pages are current, the commands are CI's."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from report_fakes import SEEDS, cifar_study, predictions, run_record, study

from be_jax.config import ConfigError
from be_jax.runs import seed_folder
from be_jax.stats import judge_results
from experiments import headlines, pages, published

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_python_runs(index, capsys):
    assert len(BLOCKS[index].splitlines()) < 40
    exec(compile(BLOCKS[index], f"README.md, block {index}", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip(), "it shows something"


def test_there_is_python_to_run_and_not_too_much_to_read():
    assert BLOCKS
    assert len([word for word in README.split() if re.search(r"\w", word)]) <= 900


def test_pages_are_current():
    for path, text in pages.pages():
        assert path.read_text() == text, f"{path}: run python -m experiments.pages"


def test_every_figure_and_page_that_is_linked_is_there():
    for folder, text in ((ROOT, README), *((pages.RESULTS, p.read_text()) for p in pages.RESULTS.glob("*.md"))):
        linked = [path for path in re.findall(r"\]\(([^)\s]+)\)", text) if not path.startswith(("http", "#"))]
        assert all((folder / path.partition("#")[0]).exists() for path in linked), linked


def test_no_command_of_a_result_names_a_folder_of_one_machine():
    texts = [path.read_text() for path in (*pages.RESULTS.glob("*.json"), *pages.RESULTS.glob("*.md"))]
    commands = [command for text in texts for command in re.findall(r"python -m [^`\"\n]*", text)]
    assert commands
    assert [command for command in commands if re.search(r"[ =]/", command)] == []


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """The run folder of a judged study, and a repository with no results."""
    monkeypatch.setattr(pages, "README", tmp_path / "README.md")
    for module in (pages, headlines):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    pages.RESULTS.mkdir()
    pages.README.write_text("<!-- findings -->\n<!-- end of findings -->\n<!-- costs -->\n<!-- end of costs -->\n")
    made = {"command": "python -m x", "date": "2026-01-01", "processor": "p", "jax": "0", "python": "3"}
    result, runs = dataclasses.replace(cifar_study(), provenance=made), tmp_path / "runs"
    result.save(runs / "results.json")
    judge_results(result).save(runs / "verdicts.json")
    for run in result.runs:
        folder = seed_folder(runs / run.method, run.seed)
        folder.mkdir(parents=True)
        np.savez(folder / "predictions.npz", **predictions(run.method, run.seed, ood=("cifar100",), count=20))
    return runs


def test_a_committed_study_has_its_page_and_figures(finished):
    drawn = pages.commit(finished, "cifar10_cpu")
    assert {path.name for path in drawn} == {f"cifar10_cpu_{each}.png" for each in ("position", "severity", "pool")}
    texts = {path.name: text for path, text in pages.pages()}
    assert set(texts) == {"cifar10_cpu.md", "findings.md", "README.md"}
    page = pages.page("cifar10_cpu")
    assert "| cAcc % | cNLL scaled | cNLL | cifar100 (near) AUROC |" in page
    assert "](cifar10_cpu_position.png)" in page
    assert "## Beside published figures" in page
    assert "](cifar10_cpu.md)" in pages.index(["cifar10_cpu"])
    ((title, ours, *_),) = headlines.gains()
    assert title.startswith("[CIFAR-10")
    assert re.fullmatch(r".* % \[.*\]", ours)


def test_a_study_without_a_name_of_its_own_is_refused():
    with pytest.raises(ConfigError, match="name must be one of mnist_embedded"):
        pages.Config(Path("runs"), "cifar")
    with pytest.raises(ConfigError, match="name must be given with runs"):
        pages.Config(Path("runs"))


def test_a_part_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no part"):
        pages.with_part("no parts", "findings", "")


def test_ci_runs_the_test_command_of_the_readme():
    (pattern,) = re.findall(r"grep -m1 -E '(.*?)' README.md", (ROOT / ".ci" / "run").read_text())
    assert re.search(pattern, README, re.MULTILINE)
    assert "python -m experiments.mnist" in README


def test_published_figures_stand_beside_ours():
    """A study whose BatchEnsemble recovers exactly what was published, in every seed."""

    def scores(part):
        kept = {}
        for figure in published.FIGURES["mnist"]:
            reached = figure.single + part(figure) * (figure.deep_ensemble - figure.single)
            kept.setdefault(figure.set_name, {})[figure.metric] = reached
        return kept

    parts = {"single": lambda _: 0.0, "batch_ensemble": lambda figure: figure.ratio, "deep_ensemble": lambda _: 1.0}
    runs = [run_record(method, seed, scores(part)) for method, part in parts.items() for seed in SEEDS]
    lines = published.markdown(study(runs), judge_results(study(runs))).splitlines()
    assert lines[0] == "|  | published | here, BatchEnsemble N(1, 0.5) |"
    assert "| gain, test NLL | 47 % (a) | 47 % [47, 47] |" in lines
    assert "| ratio, fashion_mnist mutual information | 14 % (a) | 14 % [14, 14] |" in lines
    assert lines[-1].startswith("(a) arXiv 2601.16936")
