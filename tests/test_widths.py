"""The ladder of widths, small: each width has a network, a pool and a judgement of its own."""

import dataclasses
import json

import pytest

from be_jax.config import ConfigError, TrainConfig
from be_jax.study import Execution
from experiments import small, widths, widths_report

TINY = widths.Config(
    widths=(0.25, 0.5),
    size=100,
    methods=("deep_same_batches", "deep_mixture"),
    seeds=(1000, 1001, 1002),
    pool_size=5,
    members=2,
    train=TrainConfig(epochs=2, batch_size=20, milestones=()),
    execution=Execution(num_devices=1),
)


@pytest.mark.slow
def test_every_width_has_a_network_a_judgement_and_a_row_of_its_own(tmp_path):
    record = widths.run(dataclasses.replace(TINY, out=tmp_path))
    record = json.loads(small.to_json(record))
    assert [each["width"] for each in record["widths"]] == [0.25, 0.5]
    narrow, wide = record["widths"]
    assert narrow["parameters"] < wide["parameters"] / 1.9
    for each in record["widths"]:
        assert each["over_same_batches"].keys() == {"deep_mixture"}
        assert each["over_same_batches"]["deep_mixture"]["test nll_scaled"]["n"] == 3
    for name in ("test", "ood"):
        first, second = (each["epistemic"][name] for each in (narrow, wide))
        assert first["of_narrowest"] is None
        assert second["of_narrowest"]["value"] == pytest.approx(second["value"] / first["value"], rel=1e-4)
    for each in record["widths"]:  # as a control that failed would leave none
        each |= {"failed": "", "undertrained": {}, "methods": {name: {} for name in TINY.methods}}
    text = widths_report.to_markdown(record)
    assert "| 0.5, deep ensemble, same batches, loss of the mixture | – | – | – | – |" in text
    assert f"| 0.5 ({wide['parameters']:,}) | {wide['epistemic']['test']['value']:.4f} |" in text
    (figure,) = widths_report.draw(record).values()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0.25", "0.5"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": (1.0,)}, r"widths must be ascending numbers > 0, at least two; got \(1.0,\)"),
        ({"widths": (1.0, 0.5)}, "widths must be ascending"),
        ({"width": 0.0}, "width must be a number > 0; got 0.0"),
        ({"width": 2.0}, "width must be left out: the ladder's are `widths`; got 2.0"),
        ({"methods": ("single",)}, "methods must be different ones of"),
    ],
)
def test_bad_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(TINY, **change)
