"""Conditions, kind by kind."""
