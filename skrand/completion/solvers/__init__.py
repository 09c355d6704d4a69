"""Solvers of the tasks of this domain."""
