"""Decides who belongs. Pure: values in, values out; no I/O, no clock, no randomness, no logging, no async.

Imports: the standard library, pydantic, orjson, msgspec, google-re2 (in `rules.ground.patterns` only: `matches`
is defined as RE2 syntax, and no other engine has exactly that syntax and linear time), and mypy_extensions, which says
how mypyc compiles a class (docs/decisions/23-the-rules-compiled.md). Python runs the same source where nothing is
compiled.
"""
