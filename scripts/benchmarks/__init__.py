"""Benchmarks: each a list of cells of at most 20 minutes, and the table that they fill."""
