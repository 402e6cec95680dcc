"""The tables for those who look closer."""

import re

import pytest
from report_fakes import POSITIONS, cifar_study, study_at

from be_jax.report import summarise
from be_jax.report.columns import ECE, detection
from be_jax.report.details import detailed_tables
from be_jax.report.summary import look_up

RESULT = cifar_study()


def by_title(result):
    return {table.title: table for table in detailed_tables(result)}


def test_titles_in_order():
    assert list(by_title(RESULT)) == [
        *("Accuracy % by severity", "NLL by severity", "ECE % by severity"),
        *("Detection of cifar100 (near) by every score", "Detection of mnist_in_colour (far) by every score"),
    ]


@pytest.mark.parametrize(("sets", "count"), [(("test",), 0), (("test", "shift"), 0), (("test", "ood/a", "ood/b"), 2)])
def test_no_tables_of_sets_that_were_not_scored(sets, count):
    assert len(detailed_tables(study_at(POSITIONS, sets=sets))) == count


def test_severities_from_test_on():
    table, summary = by_title(RESULT)["ECE % by severity"], summarise(RESULT)
    assert [column.title for column in table.columns] == ["test", "severity 1", "severity 5"]
    for column, name in zip(table.columns, ("test", "shift/severity_1", "shift/severity_5"), strict=True):
        assert [cell.text for cell in column.cells] == [
            ECE.shown(look_up(summary, method, name, "ece")) for method in RESULT.methods
        ]


def test_detection_by_every_score_raw_and_scaled():
    table, summary = by_title(RESULT)["Detection of cifar100 (near) by every score"], summarise(RESULT)
    assert [column.title for column in table.columns] == [
        *("AUROC", "AUPR", "FPR95", "AUROC scaled", "AUPR scaled", "FPR95 scaled")
    ]
    assert len(table.rows) == 4 * len(RESULT.methods)
    row = table.rows.index("mutual inf.: deep ensemble")
    for column, key in ((0, "auroc_epistemic"), (2, "fpr95_epistemic"), (5, "fpr95_epistemic_scaled")):
        expected = detection("AUROC", "epistemic").shown(look_up(summary, "deep_ensemble", "ood/cifar100", key))
        assert table.columns[column].cells[row].text == expected
    single = table.rows.index("mutual inf.: single network")
    assert {column.cells[single].text for column in table.columns} == {"–"}


def test_the_best_score_and_method_is_marked():
    (table,) = detailed_tables(study_at(POSITIONS, sets=("test", "ood/letters")))
    assert len(table.columns) == 3, "no temperature was fitted"
    for column, best in zip(table.columns, (max, max, min), strict=True):
        means = [float(re.match(r"[\d.]+", cell.text)[0]) if cell.text != "–" else None for cell in column.cells]
        target = best(mean for mean in means if mean is not None)
        assert [cell.best for cell in column.cells] == [mean == target for mean in means]
