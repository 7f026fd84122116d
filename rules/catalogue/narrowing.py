"""Tell whether a catalogue only narrows another one: what may go into force without approvals, in an emergency.

A change narrows if nobody can become a member, or be contacted, by a rule that the catalogue before does not have. The
two catalogues are compared key by key. A key that may change has a row in a table here, with the changes that narrow;
every other key must stay as it is. A definition may always be retired, or taken out. What is new is no narrowing.

A segment that keeps people out somewhere (`none`, `suppress_while`, or a condition `segment:` of any rule) must not
become smaller, nor must a segment above it: fewer members there are more elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.files import DICTIONARY
from rules.catalogue.segment import references
from rules.ground.instants import FOREVER, parse_duration, parse_instant
from rules.language.problems import canonical_json

Test: TypeAlias = Callable[[Any, Any], bool]
"""Takes the old and the new value of a key, None where it is not given; tells whether the change narrows."""


class _Row(NamedTuple):
    narrows: Test
    may: str
    """What the key may do, after `may only`."""


def widenings(old: Catalogue, new: Catalogue) -> list[str]:
    """Say everything that does not narrow, a sentence each, in the order of the files; empty: the catalogue narrows."""
    return [
        *_dictionary(old, new),
        *_policy(old.policy.raw, new.policy.raw),
        *_segments(old, new),
        *_activations(old, new),
    ]


# -- what may change of a value


def _anything(was: Any, now: Any) -> bool:
    return True


def _same(was: Any, now: Any) -> bool:
    return canonical_json(was) == canonical_json(now)


def _added(was: Any, now: Any) -> bool:
    return was is None or _same(was, now)


def _fewer(was: Any, now: Any) -> bool:
    """A list that admits what it holds; without it, everything is admitted."""
    return was is None or (now is not None and _texts(now) <= _texts(was))


def _more(was: Any, now: Any) -> bool:
    """A list that refuses what it holds, or asks for all that it holds."""
    return _texts(was or ()) <= _texts(now or ())


def _texts(values: Iterable[Any]) -> set[str]:
    return {canonical_json(value) for value in values}


def _shorter(was: Any, now: Any) -> bool:
    return was is None or (now is not None and parse_duration(now) <= parse_duration(was))


def _shorter_or_gone(was: Any, now: Any) -> bool:
    return now is None or (was is not None and parse_duration(now) <= parse_duration(was))


def _longer(was: Any, now: Any) -> bool:
    def length(value: Any) -> int:
        return FOREVER if value == "never" else parse_duration(value)

    return was is None or (now is not None and length(now) >= length(was))


def _inside(group: str) -> Test:
    """Make the test that a rule has become one part of a group, or its group has got more parts."""

    def test(was: Any, now: Any) -> bool:
        if _same(was, now):
            return True
        if was is None or not isinstance(now, dict) or set(now) != {group}:
            return False
        parts = [canonical_json(part) for part in now[group]]
        before = was[group] if isinstance(was, dict) and set(was) == {group} else [was]
        return all(canonical_json(part) in parts for part in before)

    return test


def _layers(was: Any, now: Any) -> bool:
    was, now = was or {}, now or {}
    rest = [{key: value for key, value in each.items() if key != "audience"} for each in (was, now)]
    return _same(*rest) and _added(was.get("audience"), now.get("audience"))


def _all_of(rows: Mapping[str, _Row]) -> Test:
    """Make the test of a mapping whose keys have rows of their own; a key without a row must stay."""

    def test(was: Any, now: Any) -> bool:
        was, now = was or {}, now or {}
        return all(
            rows[key].narrows(was.get(key), now.get(key)) if key in rows else _same(was.get(key), now.get(key))
            for key in {*was, *now}
        )

    return test


def _caps(same: str) -> Test:
    """Make the test of caps: each old one has a new one with the same key that lets fewer through."""

    def test(was: Any, now: Any) -> bool:
        return all(
            any(
                cap[same] == old[same]
                and cap["at_most"] <= old["at_most"]
                and parse_duration(cap["within"]) >= parse_duration(old["within"])
                for cap in now or ()
            )
            for old in was or ()
        )

    return test


def _holdout(was: Any, now: Any) -> bool:
    return was is None or (now is not None and now["salt"] == was["salt"] and now["percent"] >= was["percent"])


def _review(was: Any, now: Any) -> bool:
    if now["status"] != "approved":
        return True
    if was["status"] != "approved" or was.get("reference") != now.get("reference"):
        return False
    before, after = was.get("expires"), now.get("expires")
    return before is None or (after is not None and parse_instant(after) <= parse_instant(before))


def _membership(was: Any, now: Any) -> bool:
    return now == "restricted" or (was or "public") == (now or "public")


def _classes(was: Any, now: Any) -> bool:
    ruling = _all_of(
        {
            "channels": _Row(lambda before, after: _texts(after or ()) <= _texts(before or ()), ""),
            "membership": _Row(_membership, ""),
            "refuse": _Row(_added, ""),
        }
    )
    now = now or {}
    return all(name in now and ruling(each, now[name]) for name, each in (was or {}).items())


def _intents(was: Any, now: Any) -> bool:
    ruling = _all_of({"audiences": _Row(_fewer, ""), "markets": _Row(_fewer, ""), "consent": _Row(_added, "")})
    return was is None or (now is not None and all(name in was and ruling(was[name], now[name]) for name in now))


_TEXTS: Final = dict.fromkeys(
    ("version", "author", "title", "decision", "description", "tags"), _Row(_anything, "change")
)
SEGMENT_ROWS: Final[Mapping[str, _Row]] = {
    **_TEXTS,
    "markets": _Row(_fewer, "lose markets"),
    "layers": _Row(_layers, "get an audience"),
    "parent": _Row(_added, "be added"),
    "enter": _Row(_inside("all"), "get more conditions under 'all'"),
    "exit": _Row(_inside("any"), "get more conditions under 'any'"),
    "min_stay": _Row(_shorter_or_gone, "become shorter"),
    "max_stay": _Row(_shorter, "become shorter"),
    "reenter_after": _Row(_longer, "become longer"),
}
ACTIVATION_ROWS: Final[Mapping[str, _Row]] = {
    "version": _TEXTS["version"],
    "author": _TEXTS["author"],
    "markets": _Row(_fewer, "lose markets"),
    "segments": _Row(
        _all_of({"all": _Row(_more, ""), "any": _Row(_fewer, ""), "none": _Row(_more, "")}),
        "get more under 'all' and 'none', and less under 'any'",
    ),
    "suppress_while": _Row(_more, "get more segments"),
    "requires_consent": _Row(_added, "be added"),
    "frequency_cap": _Row(_caps("of"), "let fewer messages through"),
    "holdout": _Row(_holdout, "hold out more, by the same salt"),
    "content": _Row(_all_of({"review": _Row(_review, "")}), "be withdrawn, or expire sooner"),
}
POLICY_ROWS: Final[Mapping[str, _Row]] = {
    "author": _TEXTS["author"],
    "caps": _Row(_caps("channel"), "let fewer messages through"),
    "restrictions": _Row(_classes, "restrict more"),
    "intents": _Row(_intents, "lose intents, or allow less"),
}


# -- what differs


def _compared(what: str, was: Mapping[str, Any], now: Mapping[str, Any], rows: Mapping[str, _Row]) -> Iterator[str]:
    for key in dict.fromkeys([*was, *now]):
        before, after = was.get(key), now.get(key)
        if _same(before, after):
            continue
        if key not in rows:
            yield f"{what}: {key!r} must stay as it is"
        elif not rows[key].narrows(before, after):
            yield f"{what}: {key!r} may only {rows[key].may}"


def _dictionary(old: Catalogue, new: Catalogue) -> Iterator[str]:
    was, now = (
        {key: value for key, value in (each.files.get(DICTIONARY) or {}).items() if key != "author"}
        for each in (old, new)
    )
    if not _same(was, now):
        yield f"{DICTIONARY} must stay as it is"


def _policy(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    yield from _compared("policy.yaml", was, now, POLICY_ROWS)


def _segments(old: Catalogue, new: Catalogue) -> Iterator[str]:
    keepers = dict(_keepers(new))
    for name in sorted(new.approved):
        if name not in old.approved:
            yield f"segment {name} is new"
            continue
        was, now = old.approved[name].raw, new.approved[name].raw
        wrong = list(_compared(f"segment {name}", was, now, SEGMENT_ROWS))
        yield from wrong
        smaller = any(not _same(was.get(key), now.get(key)) for key in {*was, *now} - set(_TEXTS))
        if smaller and not wrong and name in keepers:
            yield f"segment {name} must stay as it is: it keeps people out of {keepers[name]}"
    for name in sorted(new.before):
        # the version before a pilot is in force; a folder may bring another one
        if name not in old.before or not _same(old.before[name].raw, new.before[name].raw):
            yield f"segment {name}: the version before its pilot must stay as it is"


def _keepers(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Yield the approved segments that keep people out, and of what; also those above them."""
    for name, by in _direct_keepers(catalogue):
        above: str | None = name
        while above is not None:
            yield above, by
            above = catalogue.segments[above].parent


def _direct_keepers(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for activation in catalogue.approved_activations.values():
        for name in (*(activation.segments.none or ()), *activation.suppress_while):
            yield name, f"activation {activation.id}"
    for segment in catalogue.approved.values():
        for mention in references(segment.raw):
            if mention.kind == "segment" and mention.path != ("parent",):
                yield mention.name, f"segment {segment.id}"


def _activations(old: Catalogue, new: Catalogue) -> Iterator[str]:
    before, after = old.approved_activations, new.approved_activations
    for name in sorted(after):
        if name not in before:
            yield f"activation {name} is new"
        else:
            yield from _compared(f"activation {name}", before[name].raw, after[name].raw, ACTIVATION_ROWS)
            if before[name].arms != after[name].arms:
                yield f"activation {name}: the order of 'arms' must stay as it is"
    for name in sorted(new.activations_before):
        if name not in old.activations_before or not _same(
            old.activations_before[name].raw, new.activations_before[name].raw
        ):
            yield f"activation {name}: the version before its pilot must stay as it is"
