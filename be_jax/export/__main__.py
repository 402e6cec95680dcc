"""`python -m be_jax.export score ARTEFACT SOURCE` scores a folder of images, or an array, with an exported ensemble;
`python -m be_jax.export show ARTEFACT` says what it is."""

import json
import sys

from be_jax.export.artefact import ArtefactError, load, main

USAGE = "usage: python -m be_jax.export score ARTEFACT SOURCE [--help]\n       python -m be_jax.export show ARTEFACT"


def show(path: str) -> None:
    """Prints the metadata of an artefact."""
    try:
        print(json.dumps(load(path).metadata, indent=1))
    except (OSError, ImportError, ArtefactError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["score", *arguments]:
            main(arguments, "python -m be_jax.export score")
        case ["show", path]:
            show(path)
        case _:
            sys.exit(USAGE)
