"""Transcripts and their runner. A transcript tells a timing rule: a catalogue, timed events, the expected changes.

`transcript.py` describes the format. Every case runs through the naive evaluator and through the engine.
"""
