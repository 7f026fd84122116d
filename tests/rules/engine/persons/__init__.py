"""Tests of rules.engine.persons."""
