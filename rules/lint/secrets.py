"""Lint of secrets: a key that stands in the catalogue, and a setting that holds another key."""

from collections.abc import Iterator

from rules.catalogue.assignment_key import SETTING
from rules.catalogue.catalogue import Catalogue
from rules.lint.suspicions import Suspicion, in_policy


def check_secrets(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Find a plain assignment key, and say what to write; find a setting that holds another key than it should.

    A setting that is not set is no finding: most machines that check a catalogue have no business with the key.
    """
    key = catalogue.policy.key
    if key is None:
        return
    path = ("assignment_key",)
    if key.is_plain:
        written = f"{{setting: {SETTING}, fingerprint: {key.fingerprint}}}"
        message = (
            "the key stands in the catalogue, so everybody who reads it can compute who is held out and who sees which"
            f" arm; keep it where your secrets are, set {SETTING} to it, and write assignment_key: {written}"
        )
        yield in_policy(catalogue, path, "plain-key", message)
    elif key.secret is None and key.holds_another:
        yield in_policy(catalogue, path, "other-key", key.wrong)
