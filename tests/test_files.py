"""Files are whole or not there, a full disk is told with the file's name, and archives are read to the last bit."""

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from be_jax.checkpoint import CheckpointFolder
from be_jax.files import replacing, write_atomically
from be_jax.npz import Npz, NpzError, read_npz
from be_jax.results import StudyResult
from be_jax.runs import RunFolder

ARRAYS = {"test/log_probs": np.random.default_rng(0).normal(size=(2, 30, 4)).astype(np.float32), "y": np.arange(30)}


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    write_atomically(path, "±")
    assert path.read_text(encoding="utf-8") == "±"
    with contextlib.suppress(ZeroDivisionError), replacing(path) as file:
        file.write(b"half")
        file.write(bytes(1 // 0))
    assert path.read_text(encoding="utf-8") == "±"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


class FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch):
    """A disk on which files can be made, but nothing written."""
    monkeypatch.setattr("pathlib.Path.open", lambda path, mode="r", **_: path.touch() or FullDisk())


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("any.html", lambda folder: write_atomically(folder / "any.html", "x")),
        ("results.json", lambda folder: StudyResult("x", "", {}, {}, ()).save(folder / "results.json")),
        ("config.json", lambda folder: RunFolder(folder, {})),
        ("metrics.jsonl", lambda folder: RunFolder.log(folder_of(folder), {"epoch": 0})),
        ("predictions.npz", lambda folder: RunFolder.save_predictions(folder_of(folder), ARRAYS)),
    ],
)
def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path, name, write):
    with pytest.raises(OSError, match=f"No space left on device: .*{name}"):
        write(tmp_path)
    assert not (tmp_path / f"{name}.partial").exists()


def folder_of(path):
    folder = RunFolder.__new__(RunFolder)
    folder.path = path
    return folder


@pytest.mark.parametrize(
    "name",
    ["runs [2]", "[a-b]", "{a,b}", "*", "why?", "a b", "日本語", "ü", "back\\slash", "gs:", "a\nb", "%20", "~", "'\""],
)
def test_checkpoints_are_read_back_from_a_folder_of_any_name(tmp_path, name):
    tree = {"w": np.arange(3.0)}
    folder = CheckpointFolder(tmp_path / name / "checkpoints", {"rank": 1}, keep=1)
    folder.save(1, tree)
    folder.save(2, {"w": 2 * tree["w"]})
    again = CheckpointFolder(tmp_path / name / "checkpoints", {"rank": 1})
    assert again.steps() == [2]
    np.testing.assert_array_equal(again.restore(2, tree)["w"], 2 * tree["w"])


def test_without_fcntl_all_but_training_is_imported(tmp_path):
    """As on Windows: the audit, the report and the judgement, and even run folders."""
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import be_jax.audit.report, be_jax.report, be_jax.runs, be_jax.metrics, be_jax.results, be_jax.data\n"
        "import be_jax.audit; be_jax.audit.audit; import experiments.mnist"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_without_fcntl_a_folder_is_locked_by_what_windows_has(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from be_jax.runs import RunError, exclusive

    held = []

    def locking(number, mode, count):
        if held:
            raise OSError("locked")
        held.append(number)

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    with exclusive(tmp_path), pytest.raises(RunError, match="is in use"), exclusive(tmp_path):
        pass


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3)),
        np.float64(2),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.array([True, False]),
        np.array(["a", "bc"]),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_read_as_numpy_reads_it(tmp_path, array, save):
    save(tmp_path / "a.npz", **{"x/y": array})
    with np.load(tmp_path / "a.npz") as file:
        expected = file["x/y"]
    read = read_npz(tmp_path / "a.npz")["x/y"]
    np.testing.assert_array_equal(read, expected)
    assert read.dtype == expected.dtype


def test_arrays_are_read_when_they_are_asked_for(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    raw = bytearray(path.read_bytes())
    raw[raw.index(ARRAYS["test/log_probs"].tobytes()[:16])] ^= 1
    path.write_bytes(raw)
    archive = Npz(path)
    assert list(archive) == list(ARRAYS)
    assert "test/log_probs" in archive
    assert "z" not in archive
    assert archive.keys() == ARRAYS.keys()
    np.testing.assert_array_equal(archive["y"], ARRAYS["y"])
    with pytest.raises(NpzError, match=r"a\.npz cannot be read as \.npz: test/log_probs: BadZipFile: Bad CRC-32"):
        archive["test/log_probs"]
    with pytest.raises(KeyError):
        archive["z"]


def test_a_header_that_asks_for_less_than_there_is(tmp_path):
    """`numpy.load` gives half of the array, and says nothing."""
    path, out = tmp_path / "a.npz", io.BytesIO()
    np.lib.format.write_array(out, ARRAYS["y"])
    half = out.getvalue().replace(b"(30,)", b"(15,)")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("y.npy", half)
    assert len(np.load(path)["y"]) == 15
    with pytest.raises(NpzError, match=r"y: .*its header says int64\[15\], but it has 240 bytes"):
        read_npz(path)


def test_names_twice_and_things_that_are_no_arrays_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(NpzError, match=r"it holds 'readme\.txt', which is no array"):
        read_npz(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("x.npy", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", "2")
    with pytest.raises(NpzError, match="two arrays of one name"):
        read_npz(tmp_path / "b.npz")


def test_results_are_json_of_every_reader(tmp_path):
    StudyResult("x", "", {}, {}, ()).save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)["runs"] == []


def test_an_archive_is_read_to_its_end_though_another_takes_its_place(tmp_path):
    path = tmp_path / "replaced.npz"
    np.savez(path, **ARRAYS)
    archive = Npz(path)
    path.unlink()
    np.savez(path, other=np.zeros(3))
    assert dict(archive).keys() == ARRAYS.keys()
