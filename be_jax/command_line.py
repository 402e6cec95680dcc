"""What commands have in common: errors are one line, Ctrl-C ends them at once, and they can write to any terminal."""

import codecs
import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

INTERRUPTED = 130
"""The exit status of a command that was interrupted, as shells have it."""

_SHOW_CURSOR = "\x1b[?25h"

_WRITTEN = {
    "±": "+/-",
    "−": "-",
    "–": "-",
    "—": "-",
    "•": "*",
    "…": "...",
    "×": "x",
    "²": "2",
    "√": "root ",
    "←": "<-",
    "∞": "inf",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "≈": "~",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "─": "-",
    "│": "|",
    "╭": "+",
    "╮": "+",
    "╰": "+",
    "╯": "+",
}
_ERRORS = "be_jax.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_WRITTEN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _plain)


def writable(text: str, encoding: str) -> str:
    """The text as this encoding can have it: "±" as "+/-" in ASCII, what has no likeness as "?"."""
    return text.encode(encoding, _ERRORS).decode(encoding)


def run_main(
    main: Callable[[], None],
    *errors: type[Exception],
    interrupted: str = "interrupted: nothing was changed",
) -> None:
    """Runs a command to its end: `error: ...` and status 1 for `errors`, a message and status 130 for Ctrl-C.

    Args:
      main: the command.
      errors: those that are the user's to mend, beside files that cannot be read or written (OSError) and a platform
        that jax has not got.
      interrupted: what to say on Ctrl-C.
    """
    spec = sys.modules["__main__"].__spec__
    if spec is not None:  # started by -m, as its help then says
        sys.argv[0] = f"python -m {spec.name.removesuffix('.__main__')}"
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # replaced by something that writes elsewhere
            stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]
    with _ended_by_interrupt(interrupted):
        try:
            main()
        except (OSError, *errors) as error:  # type: ignore[misc]
            sys.exit(f"error: {error}")
        except Exception as error:
            if not _is_of_platform(error):
                raise
            told = (str(error).splitlines() or [type(error).__name__])[0]
            wanted = os.environ.get("JAX_PLATFORMS", "")
            sys.exit(
                f"error: jax cannot use the platform JAX_PLATFORMS={wanted} here: {told}. Unset it, or install the jax "
                'for it, such as pip install "jax[cuda12]"'
            )


@contextlib.contextmanager
def _ended_by_interrupt(message: str) -> Iterator[None]:
    """Ctrl-C inside ends the process at once, as a kill would, with a message and status 130.

    Not by an exception: what raises inside a callback of the garbage collector, of which jax has one, is lost; a
    program that compiles for a minute would answer after it; and an interpreter that comes to its own end while jax's
    threads still compute ends in a segmentation fault. The signal wakes a thread instead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    awake, wake = socket.socketpair()
    wake.setblocking(False)

    def watch() -> None:
        while signals := awake.recv(16):
            if signal.SIGINT in signals:
                _end(message)

    before = signal.signal(signal.SIGINT, lambda *_: _end(message))
    old = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(old)
        signal.signal(signal.SIGINT, before)
        wake.close()
        watcher.join()
        awake.close()


_ending = threading.Lock()


def _end(message: str) -> None:
    if not _ending.acquire(blocking=False):
        return
    shown = _SHOW_CURSOR if sys.stdout.isatty() else ""  # which progress bars hide
    os.write(2, f"{shown}\n{message}\n".encode(errors="replace"))
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def _is_of_platform(error: Exception) -> bool:
    """Whether it was raised where jax looks for devices: a RuntimeError or, for CUDA, an assertion without words."""
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)][-1].endswith("xla_bridge.py")
