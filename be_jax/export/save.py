"""A trained ensemble as one file that needs neither the model's code nor this library."""

import json
import math
import platform
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import export

from be_jax import metrics
from be_jax.ensemble import Ensemble, Variables
from be_jax.export import artefact
from be_jax.files import replacing
from be_jax.steps import count_parameters

PLATFORMS = ("cpu", "cuda", "tpu")
LOADER, MAIN = "be_jax_artefact.py", "__main__.py"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of all entries, so that the same ensemble makes the same file."""

Preprocess = Callable[[jax.Array], jax.Array]


def save(
    path: str | Path,
    ensemble: Ensemble,
    variables: Variables,
    x: Any,
    *,
    preprocess: Preprocess = lambda x: x,
    preprocessing: str = "none",
    classes: Sequence[str] | None = None,
    temperature: float = 1.0,
    platforms: Sequence[str] = PLATFORMS,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Writes `ensemble.predict` of a trained classifier, with what the members' predictions say together.

    The file is a zip archive: the program (StableHLO, for any batch size), the weights as .npy files, metadata as JSON,
    and `be_jax.export.artefact`, by which it is opened and called, and is a command itself. The weights are arguments
    of the program, so that they are kept, and put on a device, once for all batch sizes.

    Args:
      path: of the file, which appears under its name only once it is whole.
      ensemble: that was trained.
      variables: its own.
      x: an example batch `[b, ...]` as stored, or its `jax.ShapeDtypeStruct`; only shape and type matter.
      preprocess: maps stored examples to the model's input; becomes part of the program.
      preprocessing: what it does, in words, for the metadata.
      classes: names, c of them; "0", "1", ... where they are not given.
      temperature: of all members, such as one fitted on validation data.
      platforms: of "cpu", "cuda", "tpu" and "rocm".
      about: JSON-compatible record of where it comes from, for the metadata.

    Raises:
      ValueError: names that are not c different ones, a temperature that is not finite and > 0, no platform, or
        weights of a type that .npy files do not hold, such as bfloat16.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be finite and > 0; got {temperature}")
    if not platforms:
        raise ValueError(f"platforms must name at least one, such as {', '.join(PLATFORMS)}; got none")
    weights = {name: np.asarray(array) for name, array in flatten_dict(dict(variables), sep="/").items()}
    for name, array in weights.items():
        if array.dtype.kind == "V":
            raise ValueError(f"{name} is {array.dtype}, which .npy files do not hold: convert it to float32")
    shapes = {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in weights.items()}
    (batch,) = export.symbolic_shape("b")
    inputs = jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype)
    program = jax.jit(_program(ensemble, preprocess, temperature))
    with _without_locations():
        exported = export.export(program, platforms=list(platforms))(shapes, inputs, np.uint32(0))
    outputs = jax.tree.unflatten(exported.out_tree, exported.out_avals)
    metadata = {
        "format": artefact.FORMAT,
        "members": ensemble.members,
        "parameters": count_parameters(variables),
        "classes": _names(classes, outputs["log_probs"].shape[-1]),
        "temperature": temperature,
        "input": {"shape": [None, *x.shape[1:]], "dtype": np.dtype(x.dtype).name},
        "preprocessing": preprocessing,
        "draws_masks": ensemble.samples_at_prediction,
        "platforms": list(platforms),
        "calling_convention_version": exported.calling_convention_version,
        "versions": _versions(),
        "about": dict(about or {}),
    }
    _write(Path(path), metadata, exported.serialize(), weights)


@contextmanager
def _without_locations() -> Iterator[None]:
    """Programs are lowered without the lines that they come from, which name folders of this machine."""
    limit = jax.config.jax_traceback_in_locations_limit  # type: ignore[attr-defined]
    jax.config.update("jax_traceback_in_locations_limit", 0)
    try:
        yield
    finally:
        jax.config.update("jax_traceback_in_locations_limit", limit)


def _program(ensemble: Ensemble, preprocess: Preprocess, temperature: float) -> Callable[..., dict[str, jax.Array]]:
    def predict(weights: dict[str, jax.Array], x: jax.Array, seed: jax.Array) -> dict[str, jax.Array]:
        key = jax.random.key(seed) if ensemble.samples_at_prediction else None
        member_log_probs = ensemble.predict(unflatten_dict(weights, sep="/"), preprocess(x), key)
        if temperature != 1:
            member_log_probs = metrics.temper(member_log_probs, temperature)
        return {
            "log_probs": metrics.mixture(member_log_probs),
            **metrics.decompose(member_log_probs)._asdict(),
            "member_log_probs": member_log_probs,
        }

    return predict


def _names(classes: Sequence[str] | None, count: int) -> list[str]:
    names = [str(k) for k in range(count)] if classes is None else list(classes)
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"classes must be {count} different names; got {len(names)}: {names}")
    return names


def _versions() -> dict[str, str]:
    packages = ("be-jax", "jax", "jaxlib", "flax", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _write(path: Path, metadata: Mapping[str, Any], program: bytearray, weights: Mapping[str, np.ndarray]) -> None:
    with replacing(path) as whole, zipfile.ZipFile(whole, "w") as archive:
        texts: dict[str, str | bytes] = {
            artefact.METADATA: json.dumps(metadata, indent=1),
            MAIN: "from be_jax_artefact import main\n\nmain()\n",
            LOADER: Path(artefact.__file__).read_text(),
            artefact.PROGRAM: bytes(program),
        }
        for name, content in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        for name, array in weights.items():
            with archive.open(zipfile.ZipInfo(f"{artefact.WEIGHTS}{name}.npy", _EPOCH), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
