"""Several processes on loopback: they train one network, save and restore it together, and notice when one dies."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import FAST_TO_COMPILE

from be_jax.config import ConfigError
from be_jax.parallel import Hosts
from be_jax.runs import RunFolder

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parent / "hosts_worker.py"


def start(folder, num_devices, *args):
    flags = f"--xla_force_host_platform_device_count={num_devices} {FAST_TO_COMPILE}"
    return subprocess.Popen(
        [sys.executable, WORKER, folder, *map(str, args)],
        env={**os.environ, "XLA_FLAGS": flags},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def outputs(*processes, timeout=240):
    """What each process has printed, once all have ended; a process that does not end is killed, and fails the test."""
    try:
        return [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def run_pair(folder, epochs, dies_after=()):
    """Two processes of two devices each: their folder, the processes and outputs."""
    port = free_port()
    pair = start(folder, 2, epochs, port, 0), start(folder, 2, epochs, port, 1, *dies_after)
    return folder, pair, outputs(*pair)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What two processes of two devices each saw, and one process of four."""
    folder = tmp_path_factory.mktemp("hosts")
    two, pair, printed = run_pair(folder / "two", epochs=1)
    alone = start(folder / "one", 4, 1)
    for process, output in zip((*pair, alone), printed + outputs(alone), strict=True):
        assert process.returncode == 0, output
    saw = [dict(np.load(two / f"process_{i}.npz")) for i in range(2)]
    return saw, dict(np.load(folder / "one" / "process_0.npz"))


def test_two_processes_train_the_same_parameters_as_one(outcome):
    (first, second), one = outcome
    for name, value in one.items():
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
        np.testing.assert_allclose(first[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_each_process_has_all_images_and_all_predictions(outcome):
    (first, second), one = outcome
    assert first["images"].shape == second["images"].shape == (32, 16, 16, 1)
    assert first["log_probs"].shape == (2, 32, 10)
    np.testing.assert_allclose(np.exp(one["log_probs"]).sum(-1), 1, rtol=1e-5)


def test_a_process_that_waits_for_a_silent_one_ends_with_an_error(tmp_path):
    _, (waiting, _), (output, _) = run_pair(tmp_path, 1, dies_after=(-1,))
    assert waiting.returncode == 1
    assert "error: process 0 of 2 has exchanged nothing with the others in 15 s. Start all of them anew" in output


def test_a_process_that_dies_ends_the_other_and_leaves_the_checkpoint_whole(tmp_path):
    folder, (survivor, dying), (output, _) = run_pair(tmp_path, epochs=6, dies_after=(3,))
    assert dying.returncode == -signal.SIGKILL
    assert survivor.returncode not in (0, -signal.SIGKILL), output
    saved = RunFolder(folder, {"test": 1}).checkpoints.steps()
    assert 1 <= max(saved) <= 3
    alone = start(folder, 4, 6)
    (output,) = outputs(alone)
    assert alone.returncode == 0, output


def test_a_process_waits_for_another_that_has_more_to_do(tmp_path):
    _, pair, printed = run_pair(tmp_path, epochs=1, dies_after=(0, "late"))
    for process, output in zip(pair, printed, strict=True):
        assert process.returncode == 0, output


def test_a_process_that_fails_ends_the_other(tmp_path):
    _, (survivor, failing), (_, output) = run_pair(tmp_path, epochs=6, dies_after=(3, "error"))
    assert "the disk is full" in output, output
    assert survivor.returncode != 0
    assert failing.returncode != 0


@pytest.mark.parametrize("given", [{"coordinator_address": "a:1"}, {"process_id": 0, "num_processes": 2}])
def test_flags_that_belong_together(given):
    with pytest.raises(ConfigError, match="together"):
        Hosts(**given)
