"""Catalogues written inline, for tests: texts by file name."""

from collections.abc import Mapping
from textwrap import dedent

import pytest

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.language.problems import CatalogueErrors
from streams.operations.yaml_files import read_yaml

DICTIONARY = """\
traits:
  specialty: {type: string}
  country: {type: string}
  opted_out: {type: boolean}
  score: {type: number}
  diagnosis: {type: string, restricted: health}
events:
  portal.login: {}
  portal.viewed: {data: {topic: {type: string}}}
  lab.resulted: {data: {result: {type: number, restricted: lab}, days: {type: number}}}
  therapy.started: {restricted: health, data: {days: {type: number}}}
"""
"""What the catalogues of these tests declare, unless they bring their own."""


def texts(files: Mapping[str, str]) -> dict[str, str]:
    """Complete a catalogue with the dictionary."""
    return {"dictionary.yaml": DICTIONARY, **{name: dedent(text) for name, text in files.items()}}


def load(files: Mapping[str, str]) -> Catalogue:
    """Load a catalogue of texts."""
    return load_catalogue([read_yaml(text.encode(), name) for name, text in texts(files).items()])


def refused(files: Mapping[str, str]) -> list[str]:
    """Load a catalogue that must not load; what is wrong with it, as printed."""
    with pytest.raises(CatalogueErrors) as caught:
        load(files)
    return [str(problem) for problem in caught.value.problems]


def segment(name: str, more: str = "", *, enter: str = "{everyone: true}", status: str = "approved") -> str:
    """Write a segment file; `more` are further lines."""
    return f"segment: {name}\nversion: 1\nstatus: {status}\nenter: {enter}\n{more}"
