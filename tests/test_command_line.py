"""What every command does on Ctrl-C, on a full disk, on a terminal of another encoding, and without a platform."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from be_jax.command_line import writable

ROOT = Path(__file__).parent.parent

LONG = """
import jax, jax.numpy as jnp, numpy as np
def main():
    x = jnp.ones((600, 600)) / 600
    {work}
"""
COMPUTING = """print("now", flush=True)
    np.asarray(jax.jit(lambda x: jax.lax.fori_loop(0, 10**9, lambda i, x: x @ x, x))(x))"""
COMPILING = """
    def f(x):
        for i in range(1500):
            x = jnp.sin(x @ x) + i
        return x
    lowered = jax.jit(f).lower(x)
    print("now", flush=True)
    lowered.compile()
    print("compiled", flush=True)"""
COLLECTING = """import gc
    gc.callbacks.append(lambda *_: sum(range(20_000)))  # nearly all of the time is spent in here, as in tracing
    print("now", flush=True)
    while True:
        gc.collect(0)"""
SWALLOWING = """print("now", flush=True)
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass"""


def start(code, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": "", "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("work", [COMPUTING, COMPILING, COLLECTING, SWALLOWING])
def test_an_interrupt_ends_a_command_at_once_and_without_a_crash(work):
    """By an exception: lost while garbage is collected, late while a program compiles, a crash while one runs."""
    ended = "from be_jax.command_line import run_main\nrun_main(main, interrupted='interrupted: what to do')"
    process = start(LONG.format(work=work) + ended)
    assert process.stdout.readline() == "now\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err[-500:]
    assert err.strip() == "interrupted: what to do"
    assert "compiled" not in out


@pytest.mark.slow
def test_an_interrupted_save_goes_on(tmp_path):
    """The interrupt comes while a checkpoint is being written; the run that goes on ends where a whole one does."""
    code = """
import sys
from pathlib import Path
import numpy as np
from be_jax.runs import RunFolder
from experiments.command_line import run
def main():
    run = RunFolder(Path(sys.argv[1]), {"rank": 1})
    steps = run.checkpoints.steps()
    first = int(run.checkpoints.restore(steps[-1], {"w": np.zeros(10)})["w"][0]) if steps else 0
    assert first == (steps[-1] if steps else 0)
    print("now", first, flush=True)
    for step in range(first + 1, int(sys.argv[2]) + 1):
        run.checkpoints.save(step, {"w": np.full(10, step, float)})
    print("saved", run.checkpoints.steps(), flush=True)
run(main)
"""
    for _ in range(2):
        process = start(code, tmp_path / "run", 10_000)
        assert process.stdout.readline().startswith("now")
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        assert "goes on from the last checkpoint" in process.communicate(timeout=60)[1]
        assert process.returncode == 130
    last = max(int(path.name) for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit())
    process = start(code, tmp_path / "run", last + 2)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err[-500:]
    assert out.splitlines() == [f"now {last}", f"saved [{last + 1}, {last + 2}]"]


def test_afterwards_an_interrupt_is_an_exception_again():
    from be_jax.command_line import run_main

    before = signal.getsignal(signal.SIGINT)
    run_main(lambda: None)
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize("platform", ["cuda", "no_such_platform", "tpu"])
def test_a_platform_that_is_not_there_is_one_line(platform):
    code = "import jax\nfrom be_jax.command_line import run_main\nrun_main(lambda: jax.devices())"
    process = start(code, JAX_PLATFORMS=platform)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    *_, last = [line for line in err.splitlines() if line.startswith("error: ")]
    assert re.search(f"cannot use the platform JAX_PLATFORMS={platform} here: .*Unset it", last)
    assert "Traceback" not in err


def test_a_mistake_of_ours_is_still_a_traceback():
    process = start("from be_jax.command_line import run_main\nrun_main(lambda: [][1])")
    assert "IndexError" in process.communicate(timeout=60)[1]


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "• 7 % ± 2 [−16, 32] – “like” …", '* 7 % +/- 2 [-16, 32] - "like" ...'),
        ("cp1252", "• 7 % ± 2 [−16, ∞]", "• 7 % ± 2 [-16, inf]"),
        ("latin-1", "m² ≤ 3 → 日本", "m² <= 3 -> ??"),
        ("utf-8", "± − 日本", "± − 日本"),
    ],
)
def test_text_for_any_terminal(encoding, text, shown):
    assert writable(text, encoding) == shown


@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", "a +/- b - inf"), ("cp1252", "a ± b - inf"), ("utf-8", "a ± b − ∞")]
)
def test_a_command_prints_in_any_encoding(encoding, shown):
    code = "from be_jax.command_line import run_main\nrun_main(lambda: print('a ± b − ∞'))"
    process = start(code, PYTHONIOENCODING=encoding)
    process.stdout.reconfigure(encoding=encoding)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.strip() == shown
