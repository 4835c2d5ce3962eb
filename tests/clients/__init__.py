"""Scenarios driven by clients that are not ours, against a real grid of processes."""
