"""Lint: what a catalogue says that its author cannot mean."""
