"""One member's mathematics: fast weights, initialisers, convolutions that are fast on a CPU, and plain models."""
