"""What an audit refuses, and what it says first: copies, labels out of order, one run given twice."""

import subprocess
import sys

import numpy as np
import pytest
from test_audit import found, groups, of_study, run_command_line, with_members  # noqa: F401  (fixtures)

from be_jax.audit import AuditError, References, audit, write_audit
from be_jax.runs import seed_folder


def changed(run, key, change):
    return {**run, key: change(run[key])}


def few(runs):
    return [{key: array[:, :9] if array.ndim == 3 else array[:9] for key, array in run.items()} for run in runs]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs, single, deep: (runs, References(single)), "must be given together"),
        (lambda runs, single, deep: (runs, References(single, deep, single)), "a pool is both kinds of reference"),
        (lambda runs, single, deep: (single, None), "at least 2 members; the audited predictions have 1"),
        (lambda runs, single, deep: ([], None), "no run to audit"),
        (lambda runs, single, deep: (runs, References(deep, deep)), "single 0 has 4 members where 1 are needed"),
        (lambda runs, single, deep: (runs, References(single, single)), "deep-ensemble 0 has 1 members where 4"),
        (lambda runs, single, deep: (runs, References(pool=single)), "no interval can be given; it has 3"),
        (lambda runs, single, deep: (few(runs), References(few(single), few(deep))), "test/log_probs has 9 examples"),
        (
            lambda runs, single, deep: ([runs[0], changed(runs[1], "test/labels", lambda a: (a + 1) % 10)], None),
            "test/labels differs at 100 of 100 examples",
        ),
        (
            lambda runs, single, deep: ([runs[0], {k: a for k, a in runs[1].items() if "letters" not in k}], None),
            "run 1 and run 0 differ in ood/letters/log_probs",
        ),
        (
            lambda runs, single, deep: ([runs[0], changed(runs[1], "ood/letters/log_probs", lambda a: a[:, 1:])], None),
            "ood/letters/log_probs has shape",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(groups, change, message):
    runs, references = change(*groups)
    with pytest.raises(AuditError, match=message):
        audit(runs, references)


@pytest.mark.parametrize("name", ["single", "single_wide", "deep_ensemble", "deep ensemble"])
def test_the_name_of_a_reference_is_refused(groups, name):
    with pytest.raises(AuditError, match="is the name of a reference"):
        audit(groups[0], name=name)


def test_command_line(of_study, tmp_path, monkeypatch, capsys):
    file = seed_folder(of_study / "batch_ensemble", 42) / "predictions.npz"
    run_command_line(monkeypatch, file, "--out", tmp_path / "out")
    assert "for want of a reference" in capsys.readouterr().out.replace("\n", " ")
    assert (tmp_path / "out" / "report.html").exists()
    with pytest.raises(SystemExit, match=r"error: .*none\.npz cannot be read"):
        run_command_line(monkeypatch, tmp_path / "none.npz")


def test_identical_members_are_said_first_of_all(groups, tmp_path):
    """Nothing was lifted, say: whatever the figures are, this is one network."""
    copies = [with_members(run, lambda array: array[:1].repeat(4, axis=0)) for run in groups[0]]
    found = audit(copies, name="copies")
    assert found.answer[0].startswith("The 4 members of copies are identical in 3 of its 3 runs")
    page = write_audit(found, copies, None, tmp_path, {"command": "x"}).read_text()
    assert page.index(found.answer[0][:40]) < page.index(found.headline[:40])
    rounded = with_members(copies[0], lambda array: array + np.float32(1e-6) * np.arange(4, dtype="f4")[:, None, None])
    assert "are identical:" in audit([rounded]).answer[0], "to rounding"


def test_some_identical_members_are_named(groups):
    (run,) = [with_members(run, lambda array: array[[0, 1, 1, 0]]) for run in groups[0][:1]]
    assert audit([run], name="mine").answer[0] == (
        "Some members of mine are identical on test, so that it has 2 and not 4: 0 and 3; 1 and 2."
    )


def test_labels_out_of_order_are_asked_about(groups):
    shuffled = changed(groups[0][0], "test/labels", lambda labels: np.zeros_like(labels))
    assert "are the labels in the order of the predictions" in audit([shuffled]).answer[0]
    assert audit(groups[0][:1]).caveats == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs, single, deep: ([runs[0]] * 3, None), "run 0 and run 1 hold the same predictions"),
        (lambda runs, single, deep: ([runs[0], runs[1], dict(runs[0])], None), "run 0 and run 2 hold the same"),
        (lambda runs, single, deep: (runs, References([single[0]] * 3, deep)), "single 0 and single 1 hold the same"),
        (
            lambda runs, single, deep: (runs, References(single, [*deep, deep[2]])),
            "deep-ensemble 2 and deep-ensemble 3",
        ),
        (lambda runs, single, deep: (runs, References(pool=[*single, *deep, deep[0]])), "network 3 and network 15"),
    ],
)
def test_one_run_given_twice_is_no_second_seed(groups, change, message):
    runs, references = change(*groups)
    with pytest.raises(AuditError, match=message):
        audit(runs, references)


def test_without_its_extra_it_names_the_extra():
    code = "import sys, runpy; sys.modules['tyro'] = None; runpy.run_module('be_jax.audit', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'be-jax[audit]'" in done.stderr
    assert "Traceback" not in done.stderr
