"""The scale of logits is not thrown away: OOD detection by energy and maximum logit, where a file tells them."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from scipy.special import log_softmax, logsumexp
from sklearn.metrics import average_precision_score, roc_auc_score

from be_jax import metrics
from be_jax.audit import References, audit, checked, print_audit, write_audit

MEMBERS, EXAMPLES, CLASSES = 3, 80, 5


def logits_of(seed, members=MEMBERS, weaker=0.0):
    """Of `test`, and of an OOD set whose logits are lower by a constant, which probabilities do not show."""
    random = np.random.default_rng(seed)
    return {
        "test/logits": 3 * random.normal(size=(members, EXAMPLES, CLASSES)).astype(np.float32),
        "ood/far/logits": 3 * random.normal(size=(members, EXAMPLES, CLASSES)).astype(np.float32) - np.float32(weaker),
        "test/labels": np.random.default_rng(0).integers(0, CLASSES, EXAMPLES),
    }


def as_log_probs(arrays):
    return {
        key.replace("logits", "log_probs"): log_softmax(array, -1) if key.endswith("logits") else array
        for key, array in arrays.items()
    }


EXPECTED = {"energy": lambda z: -logsumexp(z.astype(float), -1).mean(0), "max_logit": lambda z: -z.max(-1).mean(0)}


@pytest.mark.slow
def test_known_answers():
    arrays = logits_of(1, weaker=1.5)
    (run,) = audit([checked(arrays)]).result.runs
    by_metrics = metrics.detection_by_logits(arrays["test/logits"], arrays["ood/far/logits"])
    is_out = np.r_[np.zeros(EXAMPLES), np.ones(EXAMPLES)]
    for name, score in EXPECTED.items():
        scores = np.r_[score(arrays["test/logits"]), score(arrays["ood/far/logits"])]
        found = run.scores["ood/far"]
        assert found[f"auroc_{name}"] == pytest.approx(roc_auc_score(is_out, scores), abs=1e-6)
        assert found[f"aupr_{name}"] == pytest.approx(average_precision_score(is_out, scores), abs=1e-6)
        for measure in ("auroc", "aupr", "fpr95"):
            assert found[f"{measure}_{name}"] == pytest.approx(float(getattr(by_metrics[name], measure)), abs=1e-6)


@pytest.mark.slow
def test_a_constant_is_seen_by_logits_alone():
    arrays = logits_of(1)
    arrays["ood/far/logits"] = arrays["test/logits"] - 40
    (run,) = audit([checked(arrays)]).result.runs
    assert run.scores["ood/far"]["auroc_energy"] == run.scores["ood/far"]["auroc_max_logit"] == 1
    assert run.scores["ood/far"]["auroc_total"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.slow
def test_members_are_combined_by_the_mean_of_their_scores():
    """One member of a large scale does not drown the others, as a sum of partition functions would."""
    test, out = np.zeros((2, EXAMPLES, 2)), np.zeros((2, EXAMPLES, 2))
    test[0], test[1] = 50, 2.0
    out[0], out[1] = 50.5, 0.0
    arrays = {"test/logits": test, "ood/far/logits": out, "test/labels": np.zeros(EXAMPLES, int)}
    assert audit([checked(arrays)]).result.runs[0].scores["ood/far"]["auroc_energy"] == 1


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f4", "f8"])
def test_every_float_and_members_of_probability_0(dtype):
    arrays = logits_of(2, weaker=1.0)
    arrays = {k: np.round(4 * a) / 4 if k.endswith("logits") else a for k, a in arrays.items()}
    arrays["test/logits"][:, 3, 1] = -np.inf
    run = checked({k: a.astype(dtype) if k.endswith("logits") else a for k, a in arrays.items()})
    for name in ("test", "ood/far"):
        z = arrays[f"{name}/logits"].astype(float)
        np.testing.assert_allclose(run[f"{name}/energy"], -logsumexp(z, -1), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(run[f"{name}/max_logit"], -z.max(-1))


@pytest.mark.parametrize(
    "rename", [as_log_probs, lambda a: {k: log_softmax(v, -1) if v.ndim == 3 else v for k, v in a.items()}]
)
def test_without_a_scale_there_are_no_such_scores(rename):
    """Log-probabilities, by their name or under that of logits: their energy is 0 but for rounding."""
    found = audit([checked(rename(logits_of(1, weaker=1.5)))])
    assert not [key for key in found.result.runs[0].scores["ood/far"] if "energy" in key or "max_logit" in key]
    (table,) = [table for table in found.tables if table.title == "Out of distribution: far"]
    assert not {"energy", "max logit"} & {column.title for column in table.columns}


def test_tables_page_and_json(tmp_path):
    runs = [checked(logits_of(1, weaker=1.5))]
    found = audit(runs, name="mine")
    (table,) = [table for table in found.tables if table.title == "Out of distribution: far"]
    assert [column.title for column in table.columns][2:4] == ["energy", "max logit"]
    (details,) = [each for each in found.task.detailed(found.result) if each.title.startswith("Detection of far")]
    assert details.rows[-2:] == ("energy: mine", "max logit: mine")
    assert details.columns[0].cells[-2].text == f"{found.record['scores'][0]['ood/far']['auroc_energy']:.3f}"
    assert "energy: mine" in write_audit(found, runs, None, tmp_path, {"command": "c"}).read_text()
    assert "fpr95_max_logit" in json.loads((tmp_path / "audit.json").read_text())["scores"][0]["ood/far"]
    console = Console(record=True, width=200, file=io.StringIO())
    print_audit(found, console)
    assert "max logit" in console.export_text()


@pytest.mark.slow
def test_networks_of_a_pool_too():
    runs = [checked(logits_of(seed)) for seed in range(2)]
    networks = [checked(logits_of(10 + seed, members=1)) for seed in range(5)]
    pooled = audit(runs, References(pool=networks)).result.pooled.scores["ood/far"]
    assert pooled["auroc_energy"].mean == pytest.approx(0.5, abs=0.2)
    assert pooled["auroc_energy"].mean != pooled["auroc_max_logit"].mean


@pytest.mark.slow
def test_some_with_logits_and_some_without(tmp_path):
    """As many as give log-probabilities decide: what cannot be compared is not shown."""
    runs = [checked(logits_of(0)), checked(as_log_probs(logits_of(1)))]
    assert "auroc_energy" not in audit(runs).result.runs[0].scores["ood/far"]
    networks = [checked(logits_of(10 + seed, members=1)) for seed in range(4)]
    networks.append(checked(as_log_probs(logits_of(14, members=1))))
    found = audit(runs[:1], References(pool=networks))
    assert "auroc_energy" not in found.result.runs[0].scores["ood/far"]
    assert write_audit(found, runs[:1], References(pool=networks), tmp_path, {}).exists()
