"""The check of a device, small, on a CPU: each part leaves its findings, a failing one its error, time ends it."""

import json

import jax
import numpy as np
import pytest
from command_line import answer

from be_jax.config import ConfigError
from be_jax.cost import Seconds
from experiments.bench import device_check

pytestmark = pytest.mark.slow

METHODS = ["single", "batch_ensemble"]


def checked(tmp_path, **fields):
    config = device_check.Config(tmp_path / "device.json", small=True, **fields)
    device_check.device_check(config)
    return json.loads(config.out.read_text())


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(device_check, "matmul_rate", lambda dtype: 1e9)
    monkeypatch.setattr(device_check.cost, "matmul_rate", lambda dtype: 1e9)


def test_costs_are_kept_method_by_method(tmp_path, fast):
    found = checked(tmp_path, parts=("costs",))
    (table,) = found["costs"]
    assert [costs["method"] for costs in table["costs"]] == METHODS
    assert Seconds(**table["costs"][0]["step"]["seconds"]).median > 0
    assert found["matmul_rates"] == {"float32": 1e9, "bfloat16": 1e9}
    assert found["provenance"]["jax"] == jax.__version__


def test_images_are_trained_on(tmp_path, monkeypatch):
    """Classes that differ in brightness are learned from a few batches, by both methods."""
    labels = np.arange(400) % 10
    images = np.broadcast_to((25 * labels)[:, None, None, None], (400, 32, 32, 3)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    monkeypatch.setattr(device_check, "crop_and_flip", lambda key, image: image)
    record = device_check.Record(device_check.Config(tmp_path / "device.json"))
    data = device_check.load_images(tmp_path / "images.npz")
    device_check.train_epochs(record, data, device_check.size_of(small=True), epochs=4)
    found = json.loads((tmp_path / "device.json").read_text())["epochs"]
    assert (found["images"], found["training_images"]) == ("images.npz", 360)
    for method in METHODS:
        losses = [epoch["train_loss"] for epoch in found[method]["epochs"]]
        assert len(losses) == 4
        assert losses[-1] < losses[0]


def test_devices_and_tests_have_processes_of_their_own(tmp_path, monkeypatch):
    record = device_check.Record(device_check.Config(tmp_path / "device.json"))
    assert device_check.ask_devices(record)["devices"].endswith("x cpu")
    device_check.run_tests(record, ("tests/test_metrics_ood.py", "--collect-only"))
    found = json.loads((tmp_path / "device.json").read_text())
    assert (found["tests"]["whole"], found["tests"]["passed"]) == (True, True)
    device_check.run_tests(record, ("tests/no_such_file.py",))
    assert json.loads((tmp_path / "device.json").read_text())["tests"]["passed"] is False


def test_without_time_all_is_skipped_and_said(tmp_path, fast):
    found = checked(tmp_path, minutes=1e-6, parts=("costs",))
    assert [skipped["why"] for skipped in found["costs"][0]["skipped"]] == ["no time was left"] * 2
    assert checked(tmp_path, minutes=1e-6, parts=("epochs",))["epochs"]["single"] == {"note": "no time was left"}
    record = device_check.Record(device_check.Config(tmp_path / "device.json", minutes=1e-6))
    device_check.run_tests(record, ("tests/test_metrics_ood.py",))
    assert json.loads((tmp_path / "device.json").read_text())["tests"]["whole"] is False


def test_a_part_that_fails_leaves_its_error(tmp_path, fast, monkeypatch):
    monkeypatch.setattr(device_check, "measure_costs", lambda *_: 1 / 0)
    monkeypatch.setattr(device_check, "train_epochs", lambda record, *_: record.put("epochs", "trained"))
    found = checked(tmp_path, parts=("costs", "epochs"))
    assert found["costs_error"] == "ZeroDivisionError: division by zero"
    assert found["epochs"] == "trained"


def test_an_accelerator_measures_what_matters_most_first():
    networks = [(config.networks, config.methods) for config in device_check.size_of(small=False).costs]
    assert networks[:2] == [
        (("resnet18",), ("single", "batch_ensemble")),
        (("wrn28_10",), ("single", "batch_ensemble")),
    ]
    assert all(config.dtypes == ("float32", "bfloat16") for config in device_check.size_of(small=False).costs)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": np.zeros(3)}, r"images must be a file with images.*got \{'x': 'float64 \[3\]'\}"),
        ({"images": np.zeros((300, 8, 8, 3), np.uint8), "labels": np.zeros(300, int)}, r"uint8 \[300, 8, 8, 3\]"),
        ({"images": np.zeros((300, 32, 32, 3), np.uint8), "labels": np.full(300, 10)}, "in 0 to 9"),
    ],
)
def test_other_images_are_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "images.npz", **arrays)
    with pytest.raises(ConfigError, match=told):
        device_check.load_images(tmp_path / "images.npz")


def test_bad_input(tmp_path, monkeypatch, capsys):
    told = answer("experiments.bench.device_check", ["--out", "a.json", "--minutes", "0"], monkeypatch, capsys)
    assert "minutes must be a number > 0; got 0.0" in told
    missing = ["--out", str(tmp_path / "a.json"), "--images", str(tmp_path / "none.npz")]
    assert "No such file" in answer("experiments.bench.device_check", missing, monkeypatch, capsys)
