"""Tutorials, each a notebook that runs from its top; `python -m experiments.notebooks` runs and saves them again."""
