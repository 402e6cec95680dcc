"""What an ensemble costs: `python -m experiments.cost`."""
