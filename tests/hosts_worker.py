"""One of the processes of `test_hosts.py`: trains with the others, saves and restores with them, writes what it got.

python tests/hosts_worker.py FOLDER EPOCHS [PORT PROCESS_ID [DIES_AFTER [HOW]]]

One that dies after epoch -1 joins the others, and then does nothing. How: "killed", of an "error"; or it is "late" at
the end, longer than a silent process counts as alive.
"""

import os
import signal
import sys
import time
from pathlib import Path

import jax
import numpy as np

import be_jax
from be_jax import parallel
from be_jax.config import TrainConfig
from be_jax.evaluate import make_predict
from be_jax.fit import fit
from be_jax.nn.models import LeNet
from be_jax.parallel import Hosts, connect, devices_of_hosts, from_all_hosts, is_first_host, replicate, share_of_host
from be_jax.runs import RunFolder

folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
COUNT = 32
rng = np.random.default_rng(0)
IMAGES = rng.normal(size=(COUNT, 16, 16, 1)).astype(np.float32)
LABELS = rng.integers(0, 10, COUNT).astype(np.int32)


def main(port: str = "", process_id: str = "0", dies_after: str = "", how: str = "killed") -> None:
    if port:
        silent = dies_after == "-1"
        if silent:
            parallel.wait_for_hosts = lambda _: time.sleep(1000)
        connect(Hosts(False, f"127.0.0.1:{port}", 2, int(process_id), 20, start_timeout_s=40 if silent else 15))
    share = share_of_host(COUNT)
    images = from_all_hosts(IMAGES[share.start : share.stop], COUNT)
    ensemble = be_jax.batch_ensemble(LeNet(), 2)
    config = TrainConfig(epochs=epochs, batch_size=COUNT, optimizer="sgd", patience=0)
    run = RunFolder(folder, {"test": 1})

    def on_epoch(state, _):
        if dies_after and int(state.epoch[0]) == int(dies_after) and how != "late":
            if how == "error":
                raise OSError("the disk is full")
            os.kill(os.getpid(), signal.SIGKILL)

    train, validation = (images, LABELS), (images[:20], LABELS[:20])
    options = {"save_every_s": 0.0, "on_epoch": on_epoch}
    state = fit(ensemble, config, train, validation, lambda x: x, {42: run}, **options)[42]
    jax.tree.map(np.testing.assert_array_equal, run.checkpoints.restore(epochs, state), state)
    predict = make_predict(ensemble, lambda x: x)
    log_probs = predict(replicate(state.kept, devices_of_hosts()), 42, "test", IMAGES)
    assert [line["epoch"] for line in run.epochs()] == list(range(epochs))
    leaves = {str(i): leaf for i, leaf in enumerate(jax.tree.leaves(state.train.variables))}
    np.savez(folder / f"process_{jax.process_index()}.npz", log_probs=log_probs, images=images, **leaves)
    if how == "late":
        time.sleep(45)
    parallel.wait_for_hosts("all is done")
    print("devices", len(jax.devices()), "first" if is_first_host() else "other")


main(*sys.argv[3:])
