"""Transcripts: timing rules told as (catalogue, events with their record times, expected changes), and their runner.

`transcript.py` says the format. Every case runs through the naive evaluator and through the engine.
"""
