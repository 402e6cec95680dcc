"""The tutorials run from their tops with small settings, end in what they say, and are saved with what they show."""

import re
import textwrap

import nbformat
import pytest
from conftest import FAST_TO_COMPILE

from experiments.notebooks.run import cleaned, executed, notebooks

PATHS = {path.stem[:2]: path for path in notebooks()}

SMALL = {
    "01": (
        "members, steps, batch_size = 2, 40, 50",
        """
        assert log_probs.shape == (2, 500, 10)
        assert jnp.allclose(uncertainty.total, uncertainty.aleatoric + uncertainty.epistemic, atol=1e-5)
        assert all(0.5 < float(column["accuracy"]) for column in table.values())
        assert table["BatchEnsemble"]["numbers trained"] < table["deep ensemble"]["numbers trained"]
        assert table["BatchEnsemble"]["epistemic of letters"] > 1e-3
        """,
    ),
    "02": (
        "members, epochs, adaptation_epochs, batch_size = 2, 1, 1, 400",
        """
        for way in ("ones, same batches", "ones, own batches"):
            trained, start = rows["the trained network"], rows[f"{way}: before"]
            np.testing.assert_allclose(start["scaled NLL"], trained["scaled NLL"], rtol=1e-4)
            assert start["disagreement"] == 0
        assert rows["ones, same batches: after"]["epistemic"] < 1e-6 < rows["ones, own batches: after"]["epistemic"]
        assert rows["normal(0.1), own batches: after"]["epistemic"] > 1e-5
        """,
    ),
    "03": (
        "networks, runs, snapshots, epochs = 6, 3, 2, 5",
        """
        assert [run["test/log_probs"].shape for run in audited] == [(2, 1200, 10)] * 3
        assert found.judgement.methods[0].name == "checkpoint ensemble"
        assert page.exists() and (folder / "networks.npz").exists()
        """,
    ),
    "04": (
        "members, steps = 3, 300",
        """
        means, variances = predict("deep ensemble", test_x)
        assert means.shape == variances.shape == (3, 1000)
        split = regression.decompose(means, variances)
        np.testing.assert_allclose(split.total, means.var(0) + variances.mean(0), rtol=1e-4)
        assert rows["deep ensemble, gap"]["epistemic sd"] > rows["deep ensemble, data"]["epistemic sd"]
        """,
    ),
    "05": (
        "pool_size, seeds, epochs, stds = 3, (1000, 1001), 2, (0.2,)",
        """
        assert [run.method for run in result.runs] == ["single"] * 3 + ["batch_ensemble"] * 2
        assert list(diversity) == [0.2, 0.5] and all(len(values) == 2 for values in diversity.values())
        assert [each.name for each in judgement.methods] == ["batch_ensemble"]
        """,
    ),
    "06": (
        "networks, seeds, epochs = 3, (1000, 1001), 2",
        """
        assert result.methods == ("single", "ends", "deep_ensemble")
        assert ENDS.label in page.read_text() and ENDS.label in found.headline.lower()
        assert ensemble.lift.chooses("Dense_0") and not ensemble.lift.chooses("Dense_1")
        """,
    ),
}


def test_every_tutorial_is_tested():
    assert list(PATHS) == list(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("number", SMALL)
def test_runs_with_small_settings(number, monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", FAST_TO_COMPILE)  # on one device, as a reader's
    settings, check = SMALL[number]
    notebook = executed(PATHS[number], settings, textwrap.dedent(check))
    warned = [o.text for cell in notebook.cells for o in cell.get("outputs", ()) if o.get("name") == "stderr"]
    assert warned == []


@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.stem)
def test_is_saved_as_a_run_from_its_top_left_it(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert cleaned(nbformat.read(path, as_version=4)) == notebook
    assert path.stat().st_size < 150_000


@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.stem)
def test_opens_with_what_its_reader_will_have(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    assert first.startswith("# ")
    assert "At the end" in first


def test_nothing_of_a_machine_is_saved():
    text = "".join(path.read_text() for path in PATHS.values())
    assert not re.findall(r"/(?:tmp|work|home|root|Users)/\w+", text)
    assert "\\u001b[" not in text


def test_settings_have_one_place(tmp_path):
    path = tmp_path / "untagged.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), path)
    with pytest.raises(ValueError, match="must have one cell tagged 'parameters'; it has 0"):
        executed(path, "x = 1")
