"""An exported ensemble, opened and called with jax and numpy alone. This file travels inside every artefact.

    import sys

    sys.path.insert(0, "model.zip")
    from be_jax_artefact import load

    predict = load("model.zip")
    prediction = predict(images)  # [b, ...], as the metadata say: predict.metadata["input"]
    prediction["log_probs"], prediction["epistemic"]

From a shell, `python model.zip images/ --out scores.csv` scores a folder of images or an array in a .npy file. It needs
jax and flatbuffers, and Pillow for images.
"""

import argparse
import csv
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

FORMAT = "be_jax/export/1"
METADATA, PROGRAM, WEIGHTS = "metadata.json", "program.stablehlo", "weights/"
PER_EXAMPLE = ("total", "aleatoric", "epistemic")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class ArtefactError(ValueError):
    """An artefact, or an input, that cannot be used."""


class Predictor:
    """A trained ensemble as a function; its weights are put on the default device once.

    Attributes:
      metadata: what the artefact says of itself: input, classes, members, temperature, preprocessing, versions.
    """

    def __init__(self, program: bytearray, weights: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
        self.metadata = metadata
        self._call = jax.jit(export.deserialize(program).call)
        self._weights = jax.device_put(weights)

    def __call__(self, x: Any, *, seed: int = 0, members: bool = False) -> dict[str, jax.Array]:
        """Predictions for `x [b, ...]`; each new b compiles the program once more.

        Args:
          x: of the shape and type that the metadata name, b >= 1.
          seed: of the dropout masks of MC dropout; to others it is nothing.
          members: whether every member's prediction is wanted too.

        Returns:
          `log_probs [b, c]` of the mixture, `total`, `aleatoric` and `epistemic` uncertainty `[b]`; with `members`,
          `member_log_probs [m, b, c]`. All in nats, float32, at the artefact's temperature.

        Raises:
          ArtefactError: another shape or type, or a platform that it was not exported for.
        """
        shape, dtype = tuple(self.metadata["input"]["shape"][1:]), self.metadata["input"]["dtype"]
        x_shape, x_dtype = np.shape(x), np.dtype(getattr(x, "dtype", type(None)))
        if len(x_shape) != len(shape) + 1 or x_shape[1:] != shape or x_shape[0] < 1 or x_dtype != dtype:
            wanted = ", ".join(["b >= 1", *map(str, shape)])
            raise ArtefactError(f"x must be {dtype} [{wanted}]; got {x_dtype} {list(x_shape)}")
        if (here := platform()) not in self.metadata["platforms"]:
            raise ArtefactError(f"exported for {', '.join(self.metadata['platforms'])}; this is {here}")
        found = self._call(self._weights, x, np.uint32(seed))
        return {name: value for name, value in found.items() if members or name != "member_log_probs"}


def load(path: str | Path) -> Predictor:
    """Opens an artefact.

    Raises:
      ArtefactError: the file is not one, or is damaged.
      OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read(METADATA))
            if metadata.get("format") != FORMAT:
                raise ArtefactError(f"{path} is of format {metadata.get('format')!r}, not {FORMAT!r}")
            program, weights = bytearray(archive.read(PROGRAM)), {}
            for name in archive.namelist():
                if name.startswith(WEIGHTS):
                    with archive.open(name) as file:
                        weights[name.removeprefix(WEIGHTS).removesuffix(".npy")] = _whole(file)
    except (zipfile.BadZipFile, KeyError, AttributeError) as error:
        raise ArtefactError(f"{path} is no exported ensemble, or is damaged: {error}") from error
    return Predictor(program, weights, metadata)


def _whole(file: Any) -> np.ndarray:
    """The array, after reading to the end, where the archive checks its sum."""
    array = np.lib.format.read_array(file, allow_pickle=False)
    file.read()
    return array


def platform() -> str:
    """The one that programs run on here, as exports name it: "cpu", "cuda", "rocm", "tpu"."""
    backend = jax.default_backend()
    return "cuda" if backend == "gpu" and "rocm" not in jax.local_devices()[0].client.platform_version else backend


def images_in(source: Path, metadata: dict[str, Any], resize: bool = False) -> tuple[list[str], np.ndarray]:
    """Names and examples `[n, ...]`: of a .npy file its rows, of a folder its images, by name.

    Args:
      source: a .npy file, or a folder of images.
      metadata: of the artefact.
      resize: whether images of another size are resized; else they are refused.

    Raises:
      ArtefactError: there is nothing to score, or an image has another size.
    """
    if not source.is_dir():
        if source.suffix != ".npy":
            raise ArtefactError(f"{source} must be a folder of images, or an array in a .npy file")
        array = np.load(source, allow_pickle=False)
        return [str(row) for row in range(len(array))], array
    shape, dtype = tuple(metadata["input"]["shape"][1:]), metadata["input"]["dtype"]
    if len(shape) != 3 or shape[2] not in MODES or dtype != "uint8":
        raise ArtefactError(f"this ensemble takes {dtype} {list(shape)}, and no images; score an array in a .npy file")
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ArtefactError(f"{source} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return [file.name for file in files], np.stack([_image(file, shape, resize) for file in files])


def _image(file: Path, shape: Sequence[int], resize: bool) -> np.ndarray:
    from PIL import Image

    height, width, channels = shape
    with Image.open(file) as opened:
        image = opened.convert(MODES[channels])
    if image.size != (width, height):
        if not resize:
            sizes = f"{image.size[0]} x {image.size[1]} pixels, not {width} x {height}"
            raise ArtefactError(f"{file} has {sizes}; --resize resizes it, which shifts the distribution")
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(shape)


def scores(predict: Predictor, names: Sequence[str], x: np.ndarray, batch: int, seed: int = 0) -> Iterator[list[str]]:
    """Rows of a table: a header, then of each example its name, class, probability and uncertainties in nats.

    Args:
      predict: the artefact.
      names: of the examples.
      x: examples `[n, ...]`.
      batch: examples at a time; the last ones are padded, so that one program does for all.
      seed: see `Predictor`.
    """
    yield ["name", "class", "probability", *PER_EXAMPLE]
    batch = min(batch, len(x))
    for start in range(0, len(x), batch):
        chunk = x[start : start + batch]
        padded = np.concatenate([chunk, np.repeat(chunk[:1], batch - len(chunk), axis=0)])
        found = jax.device_get(predict(padded, seed=seed + start // batch))
        for row, name in enumerate(names[start : start + batch]):
            best = int(found["log_probs"][row].argmax())
            numbers = (np.exp(found["log_probs"][row, best]), *(found[each][row] for each in PER_EXAMPLE))
            yield [name, predict.metadata["classes"][best], *(f"{number:.6g}" for number in numbers)]


def main(arguments: Sequence[str] | None = None, program: str | None = None) -> None:
    """The command: scores a folder of images, or an array.

    Args:
      arguments: of the command line, sys.argv by default; without `program` they begin with the images.
      program: how the command is called; inside an artefact, which then is the model, None.
    """
    parser = argparse.ArgumentParser(prog=program, description="Class and uncertainty of every example, as CSV.")
    if program is not None:
        parser.add_argument("artefact", type=Path, help="an exported ensemble")
    parser.add_argument("source", type=Path, help="a folder of images, or an array [n, ...] in a .npy file")
    parser.add_argument("--out", type=Path, help="file to write; the terminal where it is not given")
    parser.add_argument("--batch", type=int, default=256, help="examples at a time (default: 256)")
    parser.add_argument("--seed", type=int, default=0, help="of the dropout masks of MC dropout")
    parser.add_argument("--resize", action="store_true", help="resize images of another size")
    given = parser.parse_args(arguments)
    try:
        if given.batch < 1:
            raise ArtefactError(f"--batch must be at least 1; got {given.batch}")
        predict = load(given.artefact if program is not None else Path(sys.argv[0]))
        names, x = images_in(given.source, predict.metadata, given.resize)
        if not len(x):
            raise ArtefactError(f"{given.source} holds no example")
        rows = list(scores(predict, names, x, given.batch, given.seed))
    except (OSError, ImportError, ValueError) as error:
        sys.exit(f"error: {error}")
    _write(rows, given.out)


def _write(rows: list[list[str]], out: Path | None) -> None:
    if out is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
        return
    with out.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(f"{len(rows) - 1:,} examples scored: {out}")
