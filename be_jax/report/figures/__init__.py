"""The figures of a report, each a matplotlib `Figure` with its caption; no global state is touched."""

from be_jax.report.digest import digest
from be_jax.report.figures.corruptions import corruption_dots
from be_jax.report.figures.detection import detection_dots
from be_jax.report.figures.disagreement import disagreement_matrices
from be_jax.report.figures.histograms import epistemic_histograms
from be_jax.report.figures.illustration import Illustration
from be_jax.report.figures.learning import learning_curves
from be_jax.report.figures.pool import pool_curves
from be_jax.report.figures.reliability import reliability_diagrams
from be_jax.report.figures.severity import severity_curves
from be_jax.report.predictions import Load
from be_jax.results import StudyResult

__all__ = ["Illustration", "draw_figures"]


def draw_figures(result: StudyResult, load: Load) -> list[Illustration]:
    """All figures for which there is something to draw, in reading order. Reads each run's predictions once."""
    examples = digest(result, load)
    drawn = [
        pool_curves(result),
        severity_curves(result),
        corruption_dots(result),
        detection_dots(result),
        reliability_diagrams(result, examples),
        epistemic_histograms(result, examples),
        disagreement_matrices(result, examples),
        learning_curves(result),
    ]
    return [illustration for illustration in drawn if illustration is not None]
