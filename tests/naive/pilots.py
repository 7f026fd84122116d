"""Pilots: from docs/language.md, Pilots. Which version of each definition governs one profile at one instant.

An era is turned into one of its variants, whose catalogue has at each place the version that governs the profile. The
other version stands in the place of the version before: so what concerns both of them is the same in every variant.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.naive.conditions import trait_value
from tests.naive.membership import sight
from tests.naive.pending import Era
from tests.naive.profile import Profile
from tests.naive.reading import Catalogue, place


def governed(profile: Profile, era: Era, t: int) -> Era:
    """Return the variant of an era that governs a profile, after the variant of the era before that governed it."""
    if not era.catalogue.has_pilots and not (era.before and era.before[-1].catalogue.has_pilots):
        return era
    outside = left_out(profile, era, t)
    old = era.before[-1:]
    outside_old = left_out(profile, old[0], t) if old else frozenset()
    key = (outside, outside_old)
    if key not in era.variants:
        before = tuple(replace(one, catalogue=one.catalogue.seen_from(outside_old)) for one in old)
        era.variants[key] = replace(era, catalogue=era.catalogue.seen_from(outside), before=(*era.before[:-1], *before))
    return era.variants[key]


def left_out(profile: Profile, era: Era, t: int) -> frozenset[str]:
    """Name the pilots of a catalogue that do not govern a profile, as `segment ID` or `activation ID`."""
    catalogue = era.catalogue
    found = set()
    for kind, definitions in (("segment", catalogue.segments), ("activation", catalogue.activations)):
        for name, definition in definitions.items():
            pilot = definition.get("pilot") if definition["status"] == "approved" else None
            if pilot is not None and not in_pilot(profile, era, pilot, t):
                found.add(f"{kind} {name}")
    return frozenset(found)


def in_pilot(profile: Profile, era: Era, pilot: Mapping[str, Any], t: int) -> bool:
    """Tell whether a profile is one of the subjects of a pilot."""
    policy = era.catalogue.policy
    if "markets" in pilot:
        market = trait_value(policy["market_trait"], sight(profile, era, "", "refuse", t))
        if market not in pilot["markets"]:
            return False
    if "percent" in pilot:
        return bool(place(policy["assignment_key"], f"{pilot['salt']}|{profile.subject}") < pilot["percent"] / 100)
    return True


def completed(catalogue: Catalogue, old: Catalogue) -> Catalogue:
    """Give the pilots of a new catalogue their versions before, out of the catalogue in force."""
    return replace(
        catalogue,
        segments_before=versions_before(
            catalogue.segments, catalogue.segments_before, old.segments, old.segments_before
        ),
        activations_before=versions_before(
            catalogue.activations, catalogue.activations_before, old.activations, old.activations_before
        ),
    )


def versions_before(
    new: Mapping[str, Any], given: Mapping[str, Any], old: Mapping[str, Any], old_before: Mapping[str, Any]
) -> dict[str, Any]:
    """Map each pilot to the last version that governed everybody."""
    found = dict(given)
    for name, definition in new.items():
        known = old.get(name)
        if "pilot" not in definition or definition["status"] != "approved" or name in found:
            continue
        if known is None or known["status"] != "approved":
            continue
        if "pilot" not in known:
            found[name] = known
        elif name in old_before:
            found[name] = old_before[name]
    return found
