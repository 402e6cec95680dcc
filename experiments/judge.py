"""The same as `python -m be_jax.judge`."""

import runpy

if __name__ == "__main__":
    runpy.run_module("be_jax.judge", run_name="__main__")
