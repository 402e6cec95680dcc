"""An exported ensemble answers as the ensemble did: here, in a process that has neither this library nor flax, and as a
command; and it says what it cannot do."""

import json
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from command_line import answer
from PIL import Image

from be_jax import (
    batch_ensemble,
    count_parameters,
    deep_ensemble,
    export,
    mc_dropout,
    metrics,
    models,
    single,
)
from be_jax.data import as_float
from be_jax.export import artefact

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 3)
SIZES = (1, 3, 7)


def images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def trained(ensemble):
    """Variables as a training may leave them: statistics moved, logits of a few nats, members that differ."""
    x = as_float(jnp.asarray(images(16)))
    variables = ensemble.init(jax.random.key(0), x)
    move = jax.jit(lambda v: {**v, **ensemble.apply(v, x, train=True, mutable=["batch_stats"])[1]})
    for _ in range(30 if "batch_stats" in variables else 0):
        variables = move(variables)
    return variables


@partial(jax.jit, static_argnames="ensemble")
def expected(ensemble, variables, x, key=None):
    members = metrics.temper(ensemble.predict(variables, as_float(x), key), 1.5)
    found = {"log_probs": metrics.mixture(members), **metrics.decompose(members)._asdict()}
    return {**found, "member_log_probs": members}


ENSEMBLES = {
    "single": lambda: single(models.MLP()),
    "batch_ensemble": lambda: batch_ensemble(models.cifar_resnet(8, 4), 3, init="normal"),
    "deep_ensemble": lambda: deep_ensemble(models.cifar_resnet(8, 4), 2),
    "mc_dropout": lambda: mc_dropout(models.MLP(dropout_rate=0.5), 3),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Of each ensemble: its file, itself and its variables."""
    folder = tmp_path_factory.mktemp("exported")
    found = {}
    for name, build in ENSEMBLES.items():
        ensemble, path = build(), folder / f"{name}.zip"
        variables = trained(ensemble)
        export.save(path, ensemble, variables, images(1), preprocess=as_float, temperature=1.5)
        found[name] = path, ensemble, variables
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("size", SIZES)
def test_it_predicts_what_the_ensemble_does(saved, name, size):
    path, ensemble, variables = saved[name]
    key = jax.random.key(5) if name == "mc_dropout" else None
    found = export.load(path)(images(size), seed=5, members=True)
    for part, values in expected(ensemble, variables, images(size), key).items():
        np.testing.assert_allclose(found[part], values, atol=1e-6, err_msg=part)


def test_members_are_given_on_request(saved):
    predict = export.load(saved["batch_ensemble"][0])
    assert set(predict(images(2))) == {"log_probs", "total", "aleatoric", "epistemic"}
    assert predict(images(2), members=True)["member_log_probs"].shape == (3, 2, 10)


def test_dropout_masks_follow_the_seed(saved):
    predict = export.load(saved["mc_dropout"][0])
    first, again, other = (predict(images(2), seed=seed)["epistemic"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


ALONE = """
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from be_jax_artefact import load
predict = load(sys.argv[1])
x = np.load(sys.argv[2])
found = [{name: value.tolist() for name, value in predict(x[:n], members=True).items()} for n in (1, 3, 7)]
print(json.dumps({"found": found, "foreign": [name for name in ("be_jax", "flax") if name in sys.modules]}))
"""


def run_alone(*arguments, cwd):
    """A fresh process, which does not see this repository."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_alone_it_predicts_the_same(saved, tmp_path):
    path, ensemble, variables = saved["batch_ensemble"]
    np.save(tmp_path / "images.npy", images(7))
    answered = json.loads(run_alone("-c", ALONE, path, tmp_path / "images.npy", cwd=tmp_path))
    assert answered["foreign"] == []
    assert float(expected(ensemble, variables, images(7))["epistemic"].min()) > 1e-3
    for size, found in zip(SIZES, answered["found"], strict=True):
        for part, values in expected(ensemble, variables, images(size)).items():
            np.testing.assert_allclose(found[part], values, atol=1e-6, err_msg=part)


def test_the_file_is_a_command(saved, tmp_path):
    path, ensemble, variables = saved["batch_ensemble"]
    np.save(tmp_path / "images.npy", images(5))
    run_alone(path, tmp_path / "images.npy", "--batch", "2", "--out", "scores.csv", cwd=tmp_path)
    header, *rows = (line.split(",") for line in (tmp_path / "scores.csv").read_text().splitlines())
    assert header == ["name", "class", "probability", "total", "aleatoric", "epistemic"]
    wanted = expected(ensemble, variables, images(5))
    assert [int(row[1]) for row in rows] == wanted["log_probs"].argmax(1).tolist()
    np.testing.assert_allclose([float(row[5]) for row in rows], wanted["epistemic"], rtol=1e-3, atol=1e-6)


def test_its_size_and_what_is_in_it(tmp_path):
    ensemble = batch_ensemble(models.ResNet18(), 4)
    shapes = jax.eval_shape(ensemble.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    variables = jax.tree.map(lambda s: jnp.ones(s.shape, s.dtype), shapes)
    x = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.uint8)
    about = {"study": "cifar10", "seed": 3}
    export.save(tmp_path / "a.zip", ensemble, variables, x, preprocess=as_float, classes="abcdefghij", about=about)
    parameters = sum(leaf.nbytes for name in ("params", "fast") for leaf in jax.tree.leaves(variables[name]))
    assert (tmp_path / "a.zip").stat().st_size < parameters + 2e6
    metadata = export.load(tmp_path / "a.zip").metadata
    assert metadata["input"] == {"shape": [None, 32, 32, 3], "dtype": "uint8"}
    assert (metadata["members"], metadata["parameters"]) == (4, count_parameters(variables))
    assert metadata["classes"] == list("abcdefghij")
    assert metadata["platforms"] == ["cpu", "cuda", "tpu"]
    assert metadata["about"] == about
    assert metadata["versions"]["jax"] == jax.__version__


def test_the_same_ensemble_makes_the_same_file(saved, tmp_path):
    """The program does not say from where it was exported."""
    path, ensemble, variables = saved["single"]
    export.save(tmp_path / "again.zip", ensemble, variables, images(1), preprocess=as_float, temperature=1.5)
    assert (tmp_path / "again.zip").read_bytes() == path.read_bytes()


class OfVectors(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(2)(x)


def test_a_folder_of_images(saved, tmp_path):
    stored = images(3)
    for name, image in zip(("c.png", "a.png", "b.png"), stored, strict=True):
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    metadata = export.load(saved["single"][0]).metadata
    names, x = artefact.images_in(tmp_path, metadata)
    assert names == ["a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(x, stored[[1, 2, 0]])
    Image.fromarray(images(1)[0]).resize((9, 8)).convert("L").save(tmp_path / "z.png")
    with pytest.raises(export.ArtefactError, match=r"z\.png has 9 x 8 pixels, not 8 x 8; --resize"):
        artefact.images_in(tmp_path, metadata)
    assert artefact.images_in(tmp_path, metadata, resize=True)[1].shape == (4, *SHAPE)


def test_the_command_scores_and_shows(saved, tmp_path, monkeypatch, capsys):
    path = str(saved["single"][0])
    np.save(tmp_path / "images.npy", images(2))
    artefact.main([path, str(tmp_path / "images.npy")], "score")
    assert capsys.readouterr().out.splitlines()[0].startswith("name,class,probability")
    np.save(tmp_path / "none.npy", images(0))
    for arguments, told in (
        (["score", path, str(tmp_path / "none.npy")], "holds no example"),
        (["score", path, str(tmp_path / "nothing.txt")], "must be a folder of images, or an array in a .npy file"),
        (["score", path, str(tmp_path / "images.npy"), "--batch", "0"], "--batch must be at least 1; got 0"),
        (["show", str(tmp_path / "images.npy")], "is no exported ensemble, or is damaged"),
        (["show", str(tmp_path / "missing.zip")], "No such file"),
        ([], "usage: python -m be_jax.export score"),
    ):
        assert told in answer("be_jax.export.__main__", arguments, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (images(2).astype("float32"), r"x must be uint8 \[b >= 1, 8, 8, 3\]; got float32 \[2, 8, 8, 3\]"),
        (images(2)[:, :4], r"got uint8 \[2, 4, 8, 3\]"),
        (images(2)[0], r"got uint8 \[8, 8, 3\]"),
        (images(0), r"got uint8 \[0, 8, 8, 3\]"),
    ],
)
def test_other_inputs_are_refused(saved, x, told):
    with pytest.raises(export.ArtefactError, match=told):
        export.load(saved["single"][0])(x)


def test_other_platforms_are_refused(tmp_path):
    ensemble = single(OfVectors())
    variables = ensemble.init(jax.random.key(0), jnp.zeros((1, 3)))
    export.save(tmp_path / "a.zip", ensemble, variables, jnp.zeros((1, 3)), platforms=("tpu",))
    predict = export.load(tmp_path / "a.zip")
    with pytest.raises(export.ArtefactError, match="exported for tpu; this is cpu"):
        predict(np.zeros((1, 3), np.float32))
    with pytest.raises(export.ArtefactError, match=r"takes float32 \[3\], and no images"):
        artefact.images_in(tmp_path, predict.metadata)


def test_a_damaged_file_is_refused(saved, tmp_path):
    content = bytearray(saved["single"][0].read_bytes())
    with zipfile.ZipFile(saved["single"][0]) as archive:
        (info,) = (each for each in archive.infolist() if each.filename.endswith("Dense_0/kernel.npy"))
    content[info.header_offset + info.file_size // 2] ^= 1
    (tmp_path / "damaged.zip").write_bytes(content)
    with pytest.raises(export.ArtefactError, match="damaged: Bad CRC-32"):
        export.load(tmp_path / "damaged.zip")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"temperature": 0.0}, r"temperature must be finite and > 0; got 0\.0"),
        ({"classes": ("a", "b")}, "classes must be 10 different names; got 2"),
        ({"classes": "aabcdefghi"}, "classes must be 10 different names"),
        ({"platforms": ()}, "platforms must name at least one"),
    ],
)
def test_bad_exports(saved, tmp_path, fields, told):
    _, ensemble, variables = saved["single"]
    with pytest.raises(ValueError, match=told):
        export.save(tmp_path / "a.zip", ensemble, variables, images(1), preprocess=as_float, **fields)
    assert not list(tmp_path.iterdir())


def test_weights_that_no_file_holds_are_refused(tmp_path):
    ensemble = single(nn.Sequential([nn.Dense(3, param_dtype=jnp.bfloat16)]))
    x = jnp.ones((1, 4))
    with pytest.raises(ValueError, match=r"is bfloat16, which \.npy files do not hold"):
        export.save(tmp_path / "a.zip", ensemble, ensemble.init(jax.random.key(0), x), x)
    assert not list(tmp_path.iterdir())


def test_the_loader_needs_jax_and_numpy_alone():
    import ast

    roots = set()
    for node in ast.walk(ast.parse(Path(artefact.__file__).read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        roots |= {name.split(".")[0] for name in names}
    assert roots - set(sys.stdlib_module_names) == {"jax", "numpy", "PIL"}
