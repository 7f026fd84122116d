"""Decides who belongs. Pure: values in, values out; no I/O, no clock, no randomness, no logging, no async.

Imports: the standard library, pydantic, orjson, and google-re2 (in `rules.ground.patterns` only: `matches`
is defined as RE2 syntax, and no other engine has exactly that syntax and linear time).
"""
