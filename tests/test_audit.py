"""An audit says of a study's predictions what the study itself says, and of one ensemble no more than it can."""

import io
import json
import math
import runpy
import subprocess
import sys
from importlib.resources import files

import jax.numpy as jnp
import numpy as np
import pytest
from report_fakes import predictions, study
from rich.console import Console

from be_jax import metrics
from be_jax.audit import References, audit, print_audit, read_predictions, score_test_members, write_audit
from be_jax.pool import ensemble_of, score_pool
from be_jax.report.columns import percent
from be_jax.report.tables import tables
from be_jax.results import PoolRecord, RunRecord, StudyResult
from be_jax.runs import RunFolder, seed_folder
from be_jax.scores import score_predictions, temperature_of
from be_jax.stats import Judgement, judge_study, networks_of

SEEDS = (42, 69, 123)


def predicted(method, seed):
    return predictions(method, seed, ("fog",), (1,), ("letters",), count=100)


def record(method, seed, arrays):
    return RunRecord(method, seed, "finished", 10, 1.0, 1, 0, None, score_predictions(arrays))


@pytest.fixture(scope="module")
def of_study(tmp_path_factory):
    """The folder of a finished study with a run of each kind for each seed."""
    folder, records = tmp_path_factory.mktemp("study"), []
    for method in ("single", "batch_ensemble", "deep_ensemble"):
        for seed in SEEDS:
            run = RunFolder(seed_folder(folder / method, seed), {"seed": seed})
            run.save_predictions(predicted(method, seed))
            records.append(record(method, seed, run.load_predictions()))
    study(records).save(folder / "results.json")
    return folder


def read(folder, method):
    return [read_predictions(seed_folder(folder / method, seed) / "predictions.npz") for seed in SEEDS]


def with_members(run, change):
    return {key: change(array) if key.endswith("/log_probs") else array for key, array in run.items()}


def run_command_line(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["be_jax.audit", *map(str, arguments)])
    runpy.run_module("be_jax.audit", run_name="__main__")


@pytest.fixture(scope="module")
def groups(of_study):
    return tuple(read(of_study, method) for method in ("batch_ensemble", "single", "deep_ensemble"))


@pytest.fixture(scope="module")
def found(groups):
    runs, single, deep = groups
    return audit(runs, References(single, deep), "mine")


@pytest.fixture(scope="module")
def alone(groups):
    return audit(groups[0][:1], name="mine")


@pytest.mark.slow
def test_every_score_is_that_of_the_study(found, of_study, tmp_path):
    found.result.save(tmp_path / "results.json")
    ours, theirs = (StudyResult.load(path / "results.json") for path in (tmp_path, of_study))
    names = {"mine": "batch_ensemble"}
    mine = {(names.get(run.method, run.method), SEEDS[run.seed]): run.scores for run in ours.runs}
    assert mine == {(run.method, run.seed): run.scores for run in theirs.runs}
    assert len(mine) == 9


@pytest.mark.slow
def test_every_verdict_is_that_of_the_study(found, of_study):
    theirs, mine = judge_study(of_study).method("batch_ensemble"), found.judgement.method("mine")
    assert mine.verdicts == theirs.verdicts
    assert str(mine.rows) == str(theirs.rows).replace("batch ensemble", "mine")
    assert set(mine.equivalents) > set(theirs.equivalents)
    for place, worth in theirs.equivalents.items():
        assert mine.equivalents[place] == worth


def test_tables_are_those_of_the_study_but_for_its_training(found, of_study):
    theirs = tables(StudyResult.load(of_study / "results.json"))
    mine = {table.title: table for table in found.tables}
    for table in theirs[:-1]:
        assert [column.title for column in table.columns] == [column.title for column in mine[table.title].columns]
        assert [column.cells for column in table.columns] == [column.cells for column in mine[table.title].columns]
    assert "Runs" not in mine


@pytest.mark.slow
def test_a_pool_of_networks_in_one_file_or_in_many(groups):
    runs, single, _ = groups
    two = [with_members(run, lambda array: array[:2]) for run in runs]
    networks = [single[0], *networks_of(groups[2])[:3]]
    one_file = ensemble_of(networks)
    pooled = audit(two, References(pool=[one_file]), "mine")
    assert str(pooled.result) == str(audit(two, References(pool=networks), "mine").result)  # has NaN
    assert [r.size for r in pooled.result.pool] == [1, 2, 3, 4]
    assert pooled.result.pool[1].scores == score_pool(networks, 2)
    assert isinstance(pooled.result.pooled, PoolRecord)
    assert [r.scores for r in pooled.result.runs if r.method == "single"] == [score_predictions(n) for n in networks]
    judged = pooled.judgement.method("mine")
    assert judged.units == {"seeds of mine": 3, "networks": 4}
    assert {worth.largest for worth in judged.equivalents.values()} == {3}
    assert pooled.judgement.controls[1].reason.startswith("a pool of 4 networks is too small")


def test_copies_of_one_network_are_worth_one_and_have_no_diversity(groups):
    _, single, deep = groups
    copies = [with_members(run, lambda array: array.repeat(4, axis=0)) for run in single]
    result = audit(copies, References(single, deep), "copies")
    for row in result.judgement.method("copies").rows:
        assert math.isnan(row.position.value) or abs(row.position.value) < 1e-3, row
    alike = score_test_members(copies[0])
    own = score_predictions(single[0])["test"]
    assert [alike[metric] for metric in ("accuracy", "nll", "brier", "ece")] == pytest.approx(
        [own[metric] for metric in ("accuracy", "nll", "brier", "ece")]
    )
    assert alike["same_error"] == pytest.approx(1 - own["accuracy"])
    assert alike["error_kappa"] == pytest.approx(1)


def test_references_have_seeds_of_their_own(groups):
    runs, single, deep = groups
    extra = predicted("single", 7)
    result = audit(runs, References([*single, extra], deep), "mine")
    assert result.judgement.method("mine").units == {"seeds of mine": 3, "single networks": 4, "deep ensembles": 3}
    assert not {run.seed for run in result.result.runs if run.method == "single"} & {0, 1, 2}


def test_members_on_average(groups):
    run = groups[0][0]
    scores = score_test_members(run)
    members, labels = run["test/log_probs"], run["test/labels"]
    assert scores["nll"] == pytest.approx(np.mean([metrics.nll(member, labels).mean() for member in members]))
    assert scores["accuracy"] == pytest.approx((members.argmax(-1) == labels[None]).mean())
    assert scores["error_kappa"] == pytest.approx(float(metrics.error_kappa(jnp.asarray(members), labels)))


def test_one_ensemble_says_what_it_cannot_say(alone):
    said = " ".join(alone.answer)
    assert "1 run of 4 members" in said
    for claim in ("C1", "C2", "C3", "C4"):
        assert f"{claim} (" in said
    assert "for want of a reference" in said
    assert "gain recovered" not in said
    members = alone.tables[0]
    assert members.rows == ("a member, on average", "the ensemble")
    assert not any("deep ensemble" in table.title for table in alone.tables)


def test_the_terminal_opens_with_the_verdicts(found):
    console = Console(record=True, width=300, file=io.StringIO())
    print_audit(found, console)
    text = console.export_text()
    assert text.startswith(f"• {found.headline[:40]}")
    assert "Deep-ensemble equivalent" in text


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_few_seeds_against_a_pool_are_inconclusive_and_have_equivalents(groups, count):
    runs, single, deep = groups
    networks = [*single, *networks_of(deep)]
    result = audit(runs[:count], References(pool=networks), "mine")
    assert any(
        text.startswith("It is undecided which end mine is nearer to: needs at least 3 of each, got")
        for text in result.answer
    )
    table = next(table for table in result.tables if table.title == "Deep-ensemble equivalent")
    assert not any("nan" in column.cells[0].text for column in table.columns)
    print_audit(result, Console(file=io.StringIO()))


@pytest.mark.slow
def test_files_of_an_audit(found, groups, tmp_path):
    runs, single, deep = groups
    page = write_audit(found, runs, References(single, deep), tmp_path / "new" / "folder", {"command": "c <d>"})
    text = page.read_text()
    assert "<h1>Does mine behave like an ensemble?</h1>" in text
    assert "repeats the study" not in text
    assert "c &lt;d&gt;" in text
    assert text.count("<figure") >= 4
    assert "Runs</h3>" not in text
    saved = Judgement.load(page.parent / "verdicts.json")
    assert saved.method("mine").verdicts == found.judgement.method("mine").verdicts
    assert json.loads((page.parent / "audit.json").read_text())["members"][0].keys() >= {"same_error"}
    assert StudyResult.load(page.parent / "results.json").methods == ("single", "mine", "deep_ensemble")


def test_the_headline_says_where_it_stands_or_what_is_missing(found, alone):
    (method,) = found.judgement.methods
    row = method.row(*found.judgement.config.primary)
    assert (percent(row.position) in found.headline) == bool(row.position.pieces)
    assert str(method.equivalents["test nll"]) in found.headline
    assert "Averaging the 4 members of mine takes NLL on test from" in alone.headline
    assert "`--pool`, or `--single` with `--deep-ensemble`" in alone.headline
    assert alone.standing.figure.axes[0].get_yticklabels()[0].get_text() == "a member, on average"
    assert len(found.standing.figure.axes[0].get_yticklabels()) == 4
    assert len(alone.standing.figure.axes[0].get_yticklabels()) == 2


def test_the_page_opens_with_a_sentence_and_a_figure(found, groups, tmp_path):
    runs, single, deep = groups
    page = write_audit(found, runs, References(single, deep), tmp_path, {"command": "c"}).read_text()
    places = [
        page.index(text)
        for text in ("<h1>", "On test mine has NLL", 'id="standing"', "Of its members alone", "<h2>Tables")
    ]
    assert places == sorted(places)
    assert page.index('id="position"') < page.index("Of its members alone") < page.index("Two of its members")


def test_results_are_printed_before_anything_is_written(of_study, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").write_text("a file where the folder would be")
    file = seed_folder(of_study / "batch_ensemble", 42) / "predictions.npz"
    with pytest.raises(SystemExit, match=f"error: .*{tmp_path / 'taken'}"):
        run_command_line(monkeypatch, file, "--out", tmp_path / "taken")
    assert "for want of a reference" in capsys.readouterr().out.replace("\n", " ")


def test_json_for_scripts(of_study, tmp_path, monkeypatch, capsys):
    file = seed_folder(of_study / "batch_ensemble", 42) / "predictions.npz"
    run_command_line(monkeypatch, file, "--out", tmp_path, "--format", "json")
    record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    (expected,) = [
        run.scores
        for run in StudyResult.load(of_study / "results.json").runs
        if run.seed == 42 and run.method == "batch_ensemble"
    ]
    assert record["scores"][0]["test"]["nll"] == pytest.approx(expected["test"]["nll"], rel=1e-5)
    assert json.loads((tmp_path / "audit.json").read_text())["headline"] == record["headline"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_another_encoding(found, encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_audit(found, Console(file=file, width=300))
    file.flush()
    text = file.buffer.getvalue().decode(encoding)
    assert {"ascii": "+/-", "cp1252": "±"}[encoding] in text
    assert "?" not in text.replace("were loaded?", "")


@pytest.mark.slow
def test_to_audit_loads_nothing_of_training():
    code = (
        "import sys, runpy; sys.argv = ['be_jax.audit', '--help']\n"
        "try:\n    runpy.run_module('be_jax.audit', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "import be_jax.audit; be_jax.audit.audit, be_jax.audit.read_predictions\n"
        "heavy = 'flax', 'optax', 'orbax', 'tensorstore', 'tensorflow_datasets'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_page_for_users_names_what_there_is():
    text = (files("be_jax.audit") / "README.md").read_text()
    for block in text.split("```python\n")[1:]:
        compile(block.split("```")[0], "README.md", "exec")
    for flag in ("--pool", "--single", "--deep-ensemble", "--name", "--out"):
        assert flag in text


@pytest.mark.slow
def test_impossible_validation_examples_are_counted_and_left_out(groups):
    """One label that no member gives any probability: the temperature is what it is without that example."""
    (run,) = (dict(each) for each in groups[0][:1])
    count = 60
    run |= {"validation/log_probs": run["test/log_probs"][:, :count], "validation/labels": run["test/labels"][:count]}
    wrong = run["validation/log_probs"].copy()
    wrong[:, 7, run["validation/labels"][7]] = -np.inf
    rest = np.arange(count) != 7
    without = {"validation/log_probs": wrong[:, rest], "validation/labels": run["validation/labels"][rest]}
    spoiled = {**run, "validation/log_probs": wrong}
    assert temperature_of(spoiled) == pytest.approx(temperature_of({**run, **without}), rel=1e-5)
    assert "1 of 60 validation examples have probability 0" in " ".join(audit([spoiled]).caveats)
    assert not any("probability 0" in caveat for caveat in audit([run]).caveats)
