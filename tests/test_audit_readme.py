"""The examples of the audit's page are run, and what they save is audited."""

import dataclasses
import math
from importlib.resources import files

import numpy as np
import pytest

from be_jax.audit import audit, read_predictions

BLOCKS = [block.split("```")[0] for block in (files("be_jax.audit") / "README.md").read_text().split("```python\n")[1:]]


def block_of(*words):
    (found,) = [block for block in BLOCKS if all(word in block for word in words)]
    return found


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_a_forest_of_scikit_learn(tmp_path):
    exec(block_of("RandomForestClassifier"), {})
    found = audit([read_predictions(tmp_path / "forest.npz")], name="forest")
    assert "Averaging the 8 members of forest takes NLL on test from" in found.headline
    (run,) = found.result.runs
    assert run.scores["test"]["accuracy"] > found.of_members[0]["accuracy"] > 0.7
    assert run.scores["test"]["nll"] < found.of_members[0]["nll"] < 2


@pytest.mark.slow
def test_a_regression_of_scikit_learn(tmp_path):
    exec(block_of("BayesianRidge"), {})
    found = audit([read_predictions(tmp_path / "bagged.npz")], name="bagged")
    (run,) = found.result.runs
    assert run.scores["test"]["nll"] < found.of_members[0]["nll"]
    assert 0.85 < run.scores["test"]["coverage_95"] <= 1
    assert 40 < run.scores["test"]["rmse"] < 70


@dataclasses.dataclass
class Loader:
    """As `torch.utils.data.DataLoader`, of two batches."""

    batches: list

    def __iter__(self):
        return iter(self.batches)


def test_both_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x, y = torch.randn(120, 3), torch.randint(0, 4, (120,))
    loader = Loader([(x[:70], y[:70]), (x[70:], y[70:])])
    names = {"members": [torch.nn.Linear(3, 4) for _ in range(3)], "test_loader": loader, "svhn_loader": loader}
    exec(block_of("logits_of"), names)
    run = read_predictions(tmp_path / "predictions.npz")
    expected = torch.log_softmax(names["members"][1](x), -1).detach().numpy()
    np.testing.assert_allclose(run["test/log_probs"][1], expected, atol=1e-5)
    energy = -torch.logsumexp(names["members"][1](x), -1).detach().numpy()
    np.testing.assert_allclose(run["ood/svhn/energy"][1], energy, atol=1e-5)
    found = audit([run], name="linear")
    assert found.result.runs[0].scores["ood/svhn"]["auroc_energy"] == 0.5, "the same examples"
    assert "Averaging the 3 members of linear takes NLL on test from" in found.headline
    loader = Loader([(x[:70], x[:70, 0]), (x[70:], x[70:, 0])])
    exec(block_of("gaussians_of"), {"members": [torch.nn.Linear(3, 2) for _ in range(3)], "test_loader": loader})
    found = audit([read_predictions(tmp_path / "regression.npz")])
    assert math.isfinite(found.result.runs[0].scores["test"]["crps"])
