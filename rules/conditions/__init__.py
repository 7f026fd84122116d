"""Conditions: a module a kind (its definition, memory, verdict, facts, mentions, sentence), and a row in `kinds`."""
