"""Checkpoints of one run. The only file that imports orbax.

Beside the arrays each checkpoint holds a manifest: the configuration that made it, the name, shape and type of every
array, and their digest. What does not match is refused, and nothing on disk is touched.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from be_jax.files import checksum_of, write_atomically
from be_jax.identity import differences, under_todays_names
from be_jax.parallel import is_first_host, wait_for_hosts

FORMAT = "be_jax/1"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used: damaged, foreign, or of another configuration. It was left as it was."""


class CheckpointFolder:
    """The checkpoints in one folder, the newest `keep` of them; each appears under its name only once it is whole.

    Args:
      folder: where they are, created at the first save.
      config: JSON-compatible record of what determines the arrays; restoring demands the same.
      keep: how many to keep.
      defaults: of fields that `config`, or a checkpoint from before they existed, does not name.
    """

    def __init__(
        self, folder: Path, config: Mapping[str, Any], keep: int = 2, defaults: Mapping[str, Any] | None = None
    ) -> None:
        self._folder = Path(folder).absolute()
        self._config = dict(under_todays_names(config))
        self._defaults = defaults
        self._keep = keep

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, ascending."""
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.is_dir() and path.name.isdigit())

    def save(self, step: int, tree: Any) -> None:
        """Writes `tree` as checkpoint `step`; removes the oldest one past `keep`. Every host calls it, one writes.

        Raises:
          OSError: it cannot be written; names the folder.
        """
        leaves = _leaves(tree)
        manifest = {
            "format": FORMAT,
            "config": self._config,
            "arrays": _described(leaves),
            "sha256": _digest(leaves.values()),
        }
        state = {_slot(i): leaf for i, leaf in enumerate(leaves.values())}
        options = ocp.CheckpointManagerOptions(max_to_keep=self._keep, enable_async_checkpointing=False)
        self._folder.mkdir(parents=True, exist_ok=True)
        with _plainly_named(self._folder) as folder, ocp.CheckpointManager(folder, options=options) as manager:
            manager.save(
                step, args=ocp.args.Composite(state=ocp.args.StandardSave(state), manifest=ocp.args.JsonSave(manifest))
            )
        if is_first_host():
            where = self._folder / str(step)
            write_atomically(where / _CHECKSUMS, json.dumps(_checksums(where)))
        wait_for_hosts(f"checkpoint {step} is whole")

    def restore(self, step: int, like: Any) -> Any:
        """The tree saved at `step`, with the structure of `like` (arrays or `jax.ShapeDtypeStruct`s).

        Raises:
          CheckpointError: it cannot be read, was not written by this class, or does not match `config`, `like` or its
            own digest.
        """
        where = self._folder / str(step)
        arrays, manifest = self._read(where)
        if manifest.get("format") != FORMAT or not {"config", "arrays", "sha256"} <= manifest.keys():
            raise CheckpointError(
                f"{where} was not written by be_jax: format {manifest.get('format')!r}, not {FORMAT!r}"
            )
        if differ := differences(under_todays_names(manifest["config"]), self._config, self._defaults):
            raise CheckpointError(f"{where} was made with another configuration: {differ}. {_ADVICE}")
        wanted = _described(_leaves(like, convert=False))
        if manifest["arrays"] != wanted:
            raise CheckpointError(f"{where} holds other arrays: {differences(manifest['arrays'], wanted)}. {_ADVICE}")
        leaves = [arrays.get(_slot(i)) for i in range(len(wanted))]
        if any(leaf is None for leaf in leaves) or _digest(leaves) != manifest["sha256"]:
            raise CheckpointError(f"{where} is damaged: its arrays do not match their digest. {_ADVICE}")
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    def _read(self, where: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        _check_files(where)
        handler = ocp.CompositeCheckpointHandler()
        args = ocp.args.Composite(state=ocp.args.StandardRestore(), manifest=ocp.args.JsonRestore())
        try:
            with _plainly_named(where) as folder, ocp.Checkpointer(handler) as checkpointer:
                restored = checkpointer.restore(folder, args=args)
        except Exception as error:  # orbax raises many kinds, which share no base class
            raise CheckpointError(f"{where} cannot be read: {type(error).__name__}: {error}. {_ADVICE}") from error
        if not restored.state or not isinstance(restored.manifest, dict):
            raise CheckpointError(f"{where} was not written by be_jax: it has no state or no manifest. {_ADVICE}")
        return restored.state, restored.manifest


_CHECKSUMS = "files.json"
_ADVICE = "It was left as it was; move it away to train anew, or choose another output folder"


def _checksums(where: Path) -> dict[str, str]:
    files = (path for path in sorted(where.rglob("*")) if path.is_file() and path.name != _CHECKSUMS)
    return {path.relative_to(where).as_posix(): checksum_of(path) for path in files}


def _check_files(where: Path) -> None:
    """Raises CheckpointError unless the files are those that were written.

    Orbax finds damage too, but prints the tracebacks of its threads. A checkpoint without checksums (one from before
    there were any, or whose process was killed before it wrote them) is left to it, and to the digest of its arrays.
    """
    try:
        wanted = json.loads((where / _CHECKSUMS).read_bytes())
    except FileNotFoundError:
        return
    except ValueError as error:
        raise CheckpointError(f"{where / _CHECKSUMS} is damaged: {error}. {_ADVICE}") from error
    if differ := differences(wanted if isinstance(wanted, dict) else {}, _checksums(where)):
        raise CheckpointError(f"{where} is damaged: checksums of files differ: {differ}. {_ADVICE}")


@contextmanager
def _plainly_named(folder: Path) -> Iterator[Path]:
    """The folder under a name that orbax understands: it takes `[x]` for a pattern, `x:/` for a protocol."""
    if re.fullmatch(r"[\w\s/.,+=@~-]*", str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="be_jax_") as temporary:
        link = Path(temporary) / folder.name
        link.symlink_to(folder, target_is_directory=True)
        yield link


def _leaves(tree: Any, *, convert: bool = True) -> dict[str, Any]:
    with_paths = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): np.asarray(leaf) if convert else leaf for path, leaf in with_paths}


def _described(leaves: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}" for name, leaf in leaves.items()}


def _digest(leaves: Any) -> str:
    digest = hashlib.sha256()
    for leaf in leaves:
        digest.update(np.ascontiguousarray(leaf).tobytes())
    return digest.hexdigest()


def _slot(index: int) -> str:
    return f"array_{index:04d}"
