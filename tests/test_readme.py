"""The README is true: its Python runs, its tables are those of the committed results, its commands are CI's."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from report_fakes import SEEDS, cifar_study, predictions, run_record, study

from be_jax.report.columns import percent
from be_jax.runs import seed_folder
from be_jax.stats import judge_results
from experiments import published, readme

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


def test_every_figure_is_there():
    linked = re.findall(r"\]\((experiments/results/\S+\.png)\)", README)
    assert linked
    assert all((ROOT / path).exists() for path in linked)


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """The run folder of a study, and a repository with its result and a README that links two of its figures."""
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    monkeypatch.setattr(readme, "RESULTS", tmp_path / "experiments" / "results")
    result, runs = cifar_study(), tmp_path / "runs"
    result.save(readme.RESULTS / "cifar10_small.json")
    dataclasses.replace(result, provenance={"date": "another day"}).save(runs / "results.json")
    for run in result.runs:
        folder = seed_folder(runs / run.method, run.seed)
        folder.mkdir(parents=True)
        np.savez(folder / "predictions.npz", **predictions(run.method, run.seed, ood=("cifar100",), count=20))
    (readme.RESULTS / "bench.json").write_text('{"seconds": 1}')
    links = "".join(f"![](experiments/results/cifar10_small_{name}.png)" for name in ("severity", "pool"))
    readme.README.write_text(f"{links}\n<!-- cifar10_small -->\n<!-- end of cifar10_small -->\n")
    return runs


def test_figures_that_are_linked_are_drawn_under_the_name_of_the_result(finished):
    assert {path.name for path in readme.save_figures(finished)} == {
        "cifar10_small_pool.png",
        "cifar10_small_severity.png",
    }
    assert len(list(readme.RESULTS.glob("*.png"))) == 2


def test_a_part_is_made_from_its_result(finished):
    provenance = {"command": "python -m x", "date": "2026-01-01", "processor": "p", "jax": "0"}
    dataclasses.replace(cifar_study(), provenance=provenance).save(readme.RESULTS / "cifar10_small.json")
    text = readme.regenerated(readme.README.read_text())
    assert "| cAcc % | cNLL | cifar100 (near) AUROC |" in text
    assert "not CIFAR-10-C." in text


def test_a_part_is_made_from_verdicts(finished):
    result = cifar_study()
    judge_results(result).save(readme.RESULTS / "verdicts_cifar10_small.json")
    text = readme.regenerated("<!-- verdicts_cifar10_small -->\n<!-- end of verdicts_cifar10_small -->\n")
    assert "#### Claims" in text
    row = judge_results(result).method("batch_ensemble").row("test", "nll_scaled")
    assert f"| {percent(row.position)} |" in text


def test_figures_of_a_result_that_is_not_committed_or_not_shown_are_refused(finished):
    text = readme.README.read_text()
    readme.README.write_text("no figures")
    with pytest.raises(ValueError, match=r"links none of cifar10_small_pool\.png, .*_ood\.png"):
        readme.save_figures(finished)
    readme.README.write_text(text)
    (readme.RESULTS / "cifar10_small.json").unlink()
    with pytest.raises(ValueError, match=r"copy its results\.json there first"):
        readme.save_figures(finished)


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
    lines = published.markdown(study(runs)).splitlines()
    assert lines[0] == "|  | published | here, BatchEnsemble N(1, 0.5) |"
    assert "| gain, test NLL | 47 % (a) | 47 % [47, 47] |" in lines
    assert "| ratio, fashion_mnist mutual information | 14 % (a) | 14 % [14, 14] |" in lines
    assert lines[-1].startswith("(a) arXiv 2601.16936")
