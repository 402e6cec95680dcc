"""A notebook from its top: run in a process of its own, with other settings where asked, and cleaned for a commit."""

import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
PARAMETERS = "parameters"
"""Tag of the one cell whose settings may be replaced."""

TIMEOUT_S = 600


def notebooks() -> list[Path]:
    """The tutorials, in order."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path, settings: str = "", check: str = "") -> NotebookNode:
    """The notebook with the outputs of a run from its top, in its own folder, as Jupyter runs it.

    Args:
      path: of the notebook, which is not changed.
      settings: code that runs after the cell tagged `parameters`.
      check: code that runs after the last cell.

    Raises:
      ValueError: settings, and not exactly one cell tagged `parameters`.
      nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    if settings:
        tagged = [i for i, cell in enumerate(notebook.cells) if PARAMETERS in cell.metadata.get("tags", ())]
        if len(tagged) != 1:
            raise ValueError(f"{path} must have one cell tagged {PARAMETERS!r}; it has {len(tagged)}")
        notebook.cells.insert(tagged[0] + 1, nbformat.v4.new_code_cell(settings))
    if check:
        notebook.cells.append(nbformat.v4.new_code_cell(check))
    with tempfile.TemporaryDirectory() as sockets:  # files and not ports, which other processes may take meanwhile
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
            config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"}),
        )
        # This clone's code, wherever be_jax is installed.
        return client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what differs from run to run and from machine to machine: times, versions, folders."""
    notebook.metadata = nbformat.from_dict({"kernelspec": _KERNEL, "language_info": {"name": "python"}})
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_cleaned_output, cell.outputs) if output is not None]
    return notebook


_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
_TEMPORARY = re.compile(r"/(?:tmp|var/folders)/[\w./-]*?tmp\w+")
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


def _cleaned_output(output: NotebookNode) -> NotebookNode | None:
    """Its picture and its plain text; None where it has neither."""
    if output.output_type == "stream":
        output.text = _plain(output.text)
        return output
    output.metadata = nbformat.from_dict({})
    texts = {"text/plain": _plain(output.data.get("text/plain", ""))}
    pictures = {kind: data for kind, data in output.data.items() if kind.startswith("image/")}
    output.data = nbformat.from_dict(pictures | texts)
    return output if pictures or texts["text/plain"].strip() else None


def _plain(text: str) -> str:
    return _TEMPORARY.sub("<temporary folder>", _COLOURS.sub("", text))
