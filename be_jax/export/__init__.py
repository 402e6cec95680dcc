"""A trained ensemble leaves the laboratory: `save` writes it as one file, `load` opens it, anywhere jax is.

    be_jax.export.save("model.zip", ensemble, variables, images, preprocess=preprocess, temperature=1.3)
    prediction = be_jax.export.load("model.zip")(images)
    prediction["log_probs"], prediction["total"], prediction["aleatoric"], prediction["epistemic"]

Serialisation needs the extra `export`. Elsewhere the file needs neither this library nor flax: see
`be_jax.export.artefact`. A program that jax exported is promised to run for six months of later versions of jax.
"""

from be_jax.export.artefact import ArtefactError, Predictor, load
from be_jax.export.save import PLATFORMS, save

__all__ = ["PLATFORMS", "ArtefactError", "Predictor", "load", "save"]
