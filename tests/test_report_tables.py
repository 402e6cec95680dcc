"""Tables as cells, on the terminal, and in Markdown."""

import dataclasses
import io
import math
import re

import pytest
from report_fakes import (
    CIFAR_SETS,
    METHODS,
    POSITIONS,
    SEEDS,
    cifar_study,
    predictions,
    quality,
    run_record,
    study,
    study_at,
)
from rich.console import Console

from be_jax.report import answer, markdown_table, print_tables, summarise
from be_jax.report.columns import ACCURACY, MUTUAL_INFORMATION, NLL, percent
from be_jax.report.summary import Estimate, look_up
from be_jax.report.table import Table, column
from be_jax.report.tables import OF_LABELLED, OF_OOD, fit_tables, tables
from be_jax.report.terminal import fitted
from be_jax.scores import score_predictions
from be_jax.stats import judge_results

RESULT = study_at(POSITIONS)
DIVERGED = study([run_record(r.method, r.seed, r.scores, 123 if r.seed == 69 else None) for r in RESULT.runs])
ALL_DIVERGED = study([run_record(m, s, {}, 7) for m in METHODS for s in SEEDS])
NUMBER = r"−?[\d,]+(?:\.\d+)?"


def printed(result, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_tables(result, console)
    return console.file.getvalue()


def by_title(result) -> dict[str, Table]:
    return {table.title: table for table in tables(result)}


@pytest.mark.parametrize(
    ("metric", "estimate", "shown"),
    [
        (ACCURACY, Estimate(0.97214, 0.00123, 5), "97.21 ± 0.12"),
        (NLL, Estimate(0.0921, math.nan, 1), "0.092"),
        (NLL, Estimate(-0.0001, 0.0002, 5), "0.000 ± 0.000"),
        (NLL, Estimate(-1.5, math.nan, 1), "−1.500"),
        (NLL, Estimate(math.inf, math.nan, 5), "inf"),
        (NLL, Estimate(math.nan, math.nan, 0), "–"),
    ],
)
def test_cells_by_hand(metric, estimate, shown):
    assert metric.shown(estimate) == shown


def test_best_is_marked_by_what_is_displayed():
    estimates = [Estimate(m, 0.1, 5) for m in (0.1004, 0.1001, 0.2, math.nan)]
    assert [cell.best for cell in column(NLL, estimates).cells] == [True, True, False, False]
    assert [cell.best for cell in column(ACCURACY, estimates).cells] == [False, False, True, False]
    assert not any(cell.best for cell in column(MUTUAL_INFORMATION, estimates).cells)
    assert not any(cell.best for cell in column(NLL, estimates[:1]).cells)


def test_tables_hold_the_summary():
    table, summary = by_title(RESULT)["Test"], summarise(RESULT)
    nll = next(c for c in table.columns if c.title == "NLL")
    assert [cell.text for cell in nll.cells] == [NLL.shown(look_up(summary, m, "test", "nll")) for m in METHODS]
    assert [cell.best for cell in nll.cells] == [m == "deep_ensemble" for m in METHODS]


def test_a_single_network_has_no_uncertainty_of_members():
    test = {c.title: c.cells[0].text for c in by_title(RESULT)["Test"].columns}
    ood = {c.title: c.cells[0].text for c in by_title(RESULT)["Out of distribution: letters"].columns}
    assert test["mutual inf."] == test["disagr. %"] == ood["AUROC epist."] == ood["FPR95 epist."] == "–"
    assert ood["max prob."].startswith("0.880 ± ")


@pytest.mark.parametrize("sets", [("test",), ("test", "shift"), ("test", "ood/a", "ood/b")])
def test_no_tables_of_sets_that_were_not_scored(sets):
    titles = set(by_title(study_at(POSITIONS, sets=sets)))
    assert ("Shifted test" in titles) == ("shift" in sets)
    assert {t for t in titles if "Out of" in t} == {f"Out of distribution: {s[4:]}" for s in sets if s[:3] == "ood"}


def test_tables_of_a_judgement_come_first_and_need_one():
    judged = tables(RESULT, judge_results(RESULT))
    titles = [table.title for table in judged]
    assert titles[:3] == [
        "Claims",
        "Gain recovered, % of the deep ensemble's",
        "Diversity of the members, % of a deep ensemble's",
    ]
    assert not set(titles[:3]) & set(by_title(RESULT))
    assert judged[1].rows == ("MC dropout", "BatchEnsemble N(1, 0.5)", "BatchEnsemble ±1")


def test_gains_are_those_of_the_judgement():
    judgement = judge_results(cifar_study())
    gains = {t.title: t for t in tables(cifar_study(), judgement)}["Gain recovered, % of the deep ensemble's"]
    titles = [column.title for column in gains.columns]
    assert titles[:3] == ["test NLL scaled", "shift NLL scaled", "shift accuracy"]
    rows = [judged.row("shift", "accuracy") for judged in judgement.methods]
    assert [cell.text for cell in gains.columns[2].cells] == [percent(row.position) for row in rows]


def test_temperature_scaled_scores_stand_beside_the_raw_ones():
    result = cifar_study()
    summary, found = summarise(result), by_title(result)
    table = found["Temperature-scaled: shifted test"]
    titles = ["temperature", "cNLL", "cNLL scaled", "cECE %", "cECE % scaled", "Brier", "Brier scaled"]
    assert [c.title for c in table.columns] == titles
    keys = [("validation", "temperature"), ("shift", "nll"), ("shift", "nll_scaled")]
    for (name, key), shown in zip(keys, table.columns, strict=False):
        expected = [NLL.shown(look_up(summary, m, name, key)) for m in result.methods]
        assert [cell.text for cell in shown.cells] == expected
    assert result.methods[-1] == "deep_ensemble"
    assert re.fullmatch(rf"1\.3\d* ± {NUMBER}", table.columns[0].cells[-1].text), "of ensembles from the pool"
    assert "Temperature-scaled: test" in found
    assert not any("scaled" in title for title in by_title(RESULT))


def test_cifar_names_its_means_over_corruptions_and_its_ood_sets():
    found = by_title(cifar_study())
    assert [c.title for c in found["Shifted test"].columns][:3] == ["cAcc %", "cNLL", "cECE %"]
    assert "after CIFAR-10-C's definitions, not CIFAR-10-C" in found["Shifted test"].note
    assert {"Near out of distribution: cifar100", "Far out of distribution: mnist_in_colour"} <= set(found)
    assert "published as CIFAR-10-C" in by_title(cifar_study("cifar10_c"))["Shifted test"].note
    assert "not MNIST-C" in by_title(RESULT)["Shifted test"].note


def test_runs_tell_what_became_of_them():
    table = by_title(DIVERGED)["Runs"]
    cells = {c.title: c.cells[0].text for c in table.columns}
    assert table.rows[0] == "single network (4/5)"
    assert cells["runs"] == "4 stopped, 1 diverged"
    assert cells["parameters"] == "53,018"
    assert "deep ensemble: 4 of 5 runs; seed 69 diverged at step 123." in table.note


def test_the_fit_is_that_of_the_last_epoch():
    def trained(seed, nll):
        curve = {"epoch": (1, 2), "train_nll": (9.0, nll), "train_accuracy": (0.1, 0.9), "validation_nll": (9.0, 0.5)}
        return dataclasses.replace(run_record("single", seed, {}), curve=curve)

    diverged = dataclasses.replace(trained(2, 9.0), status="diverged")
    (table,) = fit_tables(study([trained(0, 0.1), trained(1, 0.3), diverged, run_record("copies", 0, {})]))
    cells = {column.title: [cell.text for cell in column.cells] for column in table.columns}
    assert cells["training NLL"][0].startswith("0.2000 ± ")
    assert cells["training accuracy %"] == ["90.00 ± 0.00", "–"]
    assert cells["validation NLL"] == ["0.500 ± 0.000", "–"]
    assert fit_tables(RESULT) == []  # runs of before curves were kept


def test_all_diverged_leaves_the_runs():
    assert list(by_title(ALL_DIVERGED)) == ["Runs"]
    assert "single network (0/5)" in printed(ALL_DIVERGED, 80)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("result", [RESULT, DIVERGED], ids=["whole", "diverged"])
def test_terminal_fits_and_cuts_no_number(width, result):
    text = printed(result, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "…" not in text
    for table in tables(result, judge_results(result)):
        shown = [c for c in table.columns if c.title in {str(d.header) for d in drawn_columns(table, width)}]
        assert len(shown) >= 2
        for row, name in enumerate(table.rows):
            line = "  ".join(c.cells[row].text.replace(" ± ", "±") for c in shown)
            flat = [re.sub(r"\s{2,}", "  ", line.strip()) for line in text.splitlines()]
            assert f"{name}  {line}" in flat


def drawn_columns(table: Table, width: int):
    return fitted(table, Console(file=io.StringIO(), width=width)).columns


def test_a_wide_terminal_shows_every_column_and_a_narrow_one_says_what_it_left_out():
    table = by_title(RESULT)["Test"]
    assert len(drawn_columns(table, 120)) == 1 + len(table.columns)
    assert len(drawn_columns(table, 80)) == 5
    assert "Left out, for a wider terminal: disagr. %, Brier, AURC." in re.sub(r"\s+", " ", printed(RESULT, 80))
    assert len(drawn_columns(table, 20)) == 2


def test_terminal_opens_with_the_answer():
    text = re.sub(r"\s+", " ", printed(RESULT, 120))
    assert text.startswith(f"• {answer(RESULT)[0]} • {answer(RESULT)[1]}")


def test_names_from_the_study_are_not_markup():
    result = study_at({"single": 0.0, "[red]x[/red]": 0.5})
    assert "[red]x[/red]" in printed(result, 120)


def test_bold_is_on_the_best_of_a_terminal_column():
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system="standard")
    console.print(fitted(by_title(RESULT)["Test"], console))
    best = next(c for c in by_title(RESULT)["Test"].columns if c.title == "NLL").cells[-1].text.replace(" ± ", "±")
    assert f"\x1b[1m{best}" in console.file.getvalue()


@pytest.mark.slow
def test_every_column_is_a_score():
    scores = score_predictions(predictions("batch_ensemble", 1, ("fog",), (1,), ("letters",), count=20))
    assert {metric.key for metric in OF_LABELLED} <= set(scores["test"])
    assert {metric.key for metric in OF_OOD} <= set(scores["ood/letters"])
    assert {"test", "shift", "shift/severity_1", "ood/letters"} <= set(scores)
    assert set(quality(0.5, 1)["ood/letters"]) <= set(scores["ood/letters"])


def test_markdown_table():
    lines = markdown_table(RESULT).splitlines()
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    assert header == [
        *("method", "test accuracy %", "test NLL", "test ECE %", "shift accuracy %", "shift NLL", "letters AUROC"),
        *("test mutual inf.", "letters mutual inf.", "parameters"),
    ]
    assert len(lines) == 2 + len(METHODS) + 2
    assert {line.count("|") for line in lines[:-2]} == {len(header) + 1}
    single = dict(zip(header, (cell.strip() for cell in lines[2].strip("|").split("|")), strict=True))
    deep = dict(zip(header, (cell.strip() for cell in lines[6].strip("|").split("|")), strict=True))
    summary = summarise(RESULT)
    of_single = f"{look_up(summary, 'single', 'ood/letters', 'auroc_max_probability').mean:.3f}"
    assert re.fullmatch(rf"{re.escape(of_single)} ± \d\.\d+", single["letters AUROC"])
    assert single["test mutual inf."] == "–"
    assert re.fullmatch(rf"\*\*{NUMBER} ± {NUMBER}\*\*", deep["test NLL"])
    assert "maximum probability" in lines[-1]


def test_markdown_table_of_several_ood_sets_has_few_columns():
    sets = (*CIFAR_SETS, "ood/uniform_noise")
    header = [cell.strip() for cell in markdown_table(cifar_study(sets=sets)).splitlines()[0].strip("|").split("|")]
    assert header == [
        *("method", "test accuracy %", "test NLL scaled", "test NLL", "test ECE %", "cAcc %", "cNLL scaled", "cNLL"),
        *("cifar100 (near) AUROC", "mnist_in_colour (far) AUROC", "uniform_noise (far) AUROC"),
        *("test mutual inf.", "parameters"),
    ]


@pytest.mark.parametrize("result", [ALL_DIVERGED, study_at(POSITIONS, seeds=(42,), sets=("test",))])
def test_markdown_without_intervals(result):
    text = markdown_table(result)
    assert "AUROC" not in text
    assert "nan" not in text
