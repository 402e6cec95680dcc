"""Predictions from a run folder: of runs, and of deep ensembles from the pool."""

import numpy as np
from report_fakes import NETWORKS, cifar_study, predictions, study_at

from be_jax.report import predictions_in
from be_jax.runs import seed_folder


def save(folder, method, seed):
    path = seed_folder(folder / method, seed)
    path.mkdir(parents=True)
    np.savez(path / "predictions.npz", **predictions(method, seed, count=20))


def test_a_run_is_read_from_its_folder(tmp_path):
    save(tmp_path, "deep_ensemble", 42)
    result = study_at({"deep_ensemble": 1.0})
    assert ("deep_ensemble", 42) in result.predicted
    read = predictions_in(tmp_path, result)("deep_ensemble", 42)
    np.testing.assert_array_equal(read["test/log_probs"], predictions("deep_ensemble", 42, count=20)["test/log_probs"])


def test_deep_ensembles_of_a_pool_share_no_network(tmp_path):
    for network in NETWORKS:
        save(tmp_path, "single", network)
    result = cifar_study()
    load = predictions_in(tmp_path, result)
    groups = [load(method, number) for method, number in result.predicted if method == "deep_ensemble"]
    assert [group["test/log_probs"].shape for group in groups] == [(4, 20, 10)] * 2
    members = np.concatenate([group["test/log_probs"] for group in groups])
    expected = [predictions("single", network, count=20)["test/log_probs"] for network in NETWORKS]
    np.testing.assert_array_equal(members, np.concatenate(expected))
