"""The toy: five Gaussians, regions of the plane, and a run that is small but whole."""

import json

import numpy as np
import pytest

from be_jax import batch_ensemble
from be_jax.config import ConfigError, TrainConfig
from be_jax.nn.fast_init import normal
from experiments import small, toy, toy_plane
from experiments.together import train_together
from experiments.toy_figures import draw_surfaces, draw_sweep, to_markdown

pytestmark = pytest.mark.slow

TINY = {
    "seeds": (1, 2),
    "members": 3,
    "train": TrainConfig(epochs=3, batch_size=32, milestones=(), weight_decay=0.0),
    "sweep_members": (2,),
    "sweep_stds": (0.0, 0.5),
    "resolution": 9,
}


@pytest.fixture(scope="module")
def outcome():
    config = toy.Config(**TINY)
    return config, *toy.run(config)


def test_gaussians_are_around_their_centres():
    x, y = toy_plane.gaussians(0, points=4000)
    means = np.stack([x[y == k].mean(0) for k in range(5)])
    np.testing.assert_allclose(means, toy_plane.centres(), atol=0.1)
    np.testing.assert_allclose(np.linalg.norm(toy_plane.centres(), axis=1), 5)
    np.testing.assert_allclose(x[y == 0].std(0), 1, atol=0.1)


def test_held_out_points_are_others():
    data = toy_plane.draw_data((1, 2))
    assert data.x.shape == data.validation_x.shape == (2, 200, 2)
    assert not np.isin(data.x[0], data.validation_x[0]).any()
    assert (data.x[0] != data.x[1]).all()


def test_regions():
    """A surface that is 1 within four standard deviations of the nearest centre and 0 elsewhere."""
    distance = np.linalg.norm(toy_plane.grid(81)[:, None] - toy_plane.centres()[None], axis=-1).min(1)
    surface = np.stack([distance < 4] * 3).astype(float)
    regions = toy_plane.by_region([surface], 81)
    assert regions["near"] == {key: [1.0] for key in toy_plane.MEASURES}
    assert regions["far"] == {key: [0.0] for key in toy_plane.MEASURES}


def test_every_method_has_its_surfaces(outcome):
    config, result, drawn = outcome
    assert [each["method"] for each in result["methods"]] == list(drawn) == list(toy.methods(config))
    for surfaces in drawn.values():
        total, epistemic, disagreement = surfaces
        assert surfaces.shape == (3, 81)
        assert (epistemic <= total + 1e-5).all()
        assert ((disagreement >= 0) & (disagreement <= 1)).all()


def test_what_has_one_member_in_effect_has_no_epistemic_uncertainty(outcome):
    _, result, drawn = outcome
    for name in ("single", "copies"):
        np.testing.assert_allclose(drawn[name][1:], 0, atol=1e-6)
    alike = [each for each in result["sweep"] if each["init"] == "normal(0)"]
    assert len(alike) == 1
    for each in alike:
        np.testing.assert_allclose(each["far"]["epistemic"], 0, atol=1e-6)


def test_members_are_as_far_apart_as_their_kernels(outcome):
    _, result, _ = outcome
    of = {each["method"]: each["kernel_distance"] for each in result["methods"]}
    assert of["single"] == of["mc_dropout"] == []
    np.testing.assert_allclose(of["copies"], np.zeros((2, 2)), atol=1e-5)  # layers, seeds
    assert (np.array(of["deep_ensemble"]) > np.array(of["rank_4"])).all()
    assert np.shape(of["rank_4"]) == (2, 2)


def test_the_record_and_the_figures_are_written(outcome, tmp_path):
    config, result, drawn = outcome
    figures = {"toy": draw_surfaces(result, drawn, toy_plane.gaussians(1)), "toy_sweep": draw_sweep(result)}
    small.save(result, tmp_path, figures)
    saved = json.loads((tmp_path / "toy.json").read_text())
    assert len(saved["sweep"]) == len(TINY["sweep_stds"]) + 2
    for name in figures:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    text = to_markdown(saved)
    assert text.count("\n| ") == 2 + len(toy.methods(config))
    assert "(0.168)" in text
    assert "(0.51 / 0.53)" in text


def test_runs_together_are_those_alone():
    """Two starts by two seeds in one program, and each by itself."""
    config, data = TINY["train"], toy_plane.draw_data((1, 2))
    ensembles = [batch_ensemble(toy.MODEL, 2, init=normal(std)) for std in (0.1, 0.5)]
    together, _ = train_together(ensembles, config, (1, 2), data)
    for e, ensemble in enumerate(ensembles):
        for s, seed in enumerate((1, 2)):
            own = type(data)(*(array[s : s + 1] for array in data))
            alone, _ = train_together([ensemble], config, (seed,), own)
            kernel, expected = (state.train.weights["params"]["Dense_0"]["kernel"] for state in (together, alone))
            np.testing.assert_allclose(kernel[e, s], expected[0, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"), [({"members": 1}, "members must be"), ({"seeds": ()}, "seeds must be")]
)
def test_bad_input(changes, message):
    with pytest.raises(ConfigError, match=message):
        toy.Config(**changes)
