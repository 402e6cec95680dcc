"""A run killed with SIGKILL in mid-training and started again ends in the same bits as one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
EPOCHS = 10
SEEDS = (42, 69)
RUN = "import tyro; from experiments import mnist; mnist.run(tyro.cli(mnist.Config))"


def start(out):
    runs = f"--methods batch_ensemble --seeds {' '.join(map(str, SEEDS))} --num-devices 1 --save-every-s 0"
    protocol = f"--train.epochs {EPOCHS} --train.patience 0 --corruptions rotate --severities 3"
    command = [sys.executable, "-c", RUN, "--out", str(out), *runs.split(), *protocol.split()]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output.decode()


def run_folders(out):
    return [out / "batch_ensemble" / f"seed_{seed}" for seed in SEEDS]


def epochs_logged(run):
    log = run / "metrics.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_killed_and_started_again_ends_in_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    finish(start(whole))

    process = start(broken)
    deadline = time.monotonic() + 300
    while len(epochs_logged(run_folders(broken)[0])) < 3:
        assert process.poll() is None, process.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    killed_at = len(epochs_logged(run_folders(broken)[0]))
    assert killed_at < EPOCHS, "it was killed in mid-training"
    assert not (run_folders(broken)[0] / "predictions.npz").exists()
    finish(start(broken))

    for ours, theirs in zip(run_folders(broken), run_folders(whole), strict=True):
        with np.load(ours / "predictions.npz") as a, np.load(theirs / "predictions.npz") as b:
            assert sorted(a) == sorted(b)
            assert all(a[name].tobytes() == b[name].tobytes() for name in a)
        digests = [
            json.loads((run / "checkpoints" / str(EPOCHS) / "manifest" / "metadata").read_text())["sha256"]
            for run in (ours, theirs)
        ]
        assert digests[0] == digests[1], "trained weights, optimiser state and best weights"
        losses = [
            [(e["epoch"], e["train_loss"]) for e in epochs_logged(run) if "train_loss" in e] for run in (ours, theirs)
        ]
        assert losses[0] == losses[1]
        assert len(losses[0]) == EPOCHS
