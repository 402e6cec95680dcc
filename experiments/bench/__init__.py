"""Benchmarks, the dry run, and what is run on a device that is lent: commands, from which nothing is imported."""
