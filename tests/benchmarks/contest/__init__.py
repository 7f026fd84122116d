"""The contest: Segue, the null engine and peers under one load, on the embedded servers, in one run.

`python -m tests.benchmarks.contest --help`; docs/operations/speed.md says what is measured and how to read it.
"""
