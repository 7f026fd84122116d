"""The check of approvals: what the catalogue in force rules, and the version before a pilot."""

from typing import cast

import pytest

from rules.catalogue.applied import Applied
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.pilots import with_before
from streams.operations.applying import approved
from streams.operations.applying.options import Options
from streams.operations.applying.situation import InForce, Situation
from streams.operations.approving.demands import Standing
from streams.operations.servers import Servers
from tests.rules.catalogues import load, segment

FILES = {
    "policy.yaml": "author: ana\nmarket_trait: country\napprovals: {activations: [owner.team], policy: [head]}\n",
    "segments/root.yaml": segment("root"),
    "activations/told.yaml": """\
activation: told
version: 1
status: approved
author: ana
channel: email
audience: hcp
segments: {all: [root]}
content: {intent: access, review: {status: approved}}
""",
}
PILOT = {
    **FILES,
    "activations/told.yaml": FILES["activations/told.yaml"].replace("version: 1", "version: 2\npilot: {markets: [US]}"),
}


def in_force(catalogue: Catalogue | None) -> InForce:
    files = {"policy.yaml": {"approvals": {"policy": ["head"]}}}
    return InForce("0" * 64, 0, {"files": files}, catalogue, None)


def situation(new: Catalogue, old: Catalogue, options: Options | None = None) -> Situation:
    return Situation(cast("Servers", None), in_force(old), new, options or Options(), Applied("ana", 0), {})


def test_what_is_in_force_asks_also_where_it_does_not_load_here() -> None:
    assert approved.standing(in_force(None)).approvals.of("policy") == ("head",)
    assert approved.standing(None) == Standing(approved.standing(None).approvals, None)
    assert not approved.standing(None).approvals


@pytest.fixture
def all_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every demand as fulfilled: these tests are of what no demand is made for."""
    monkeypatch.setattr(approved, "rule", lambda *_: [])


@pytest.mark.usefixtures("all_signed")
async def test_the_version_before_a_pilot_may_be_what_is_in_force() -> None:
    old = load(FILES)
    new = with_before(load(PILOT), old)
    assert await approved.check(situation(new, old)) == ()
    assert await approved.check(situation(with_before(load(PILOT), new), new)) == ()


@pytest.mark.usefixtures("all_signed")
@pytest.mark.parametrize(
    ("files", "part"),
    [
        (
            {"before/activations/told.yaml": FILES["activations/told.yaml"].replace("intent: access", "intent: other")},
            "intent",
        ),
        ({"segments/root.yaml": segment("root", "max_stay: 1d\n")}, "segment root"),
    ],
)
async def test_a_version_before_that_nobody_signed_is_refused(files: dict[str, str], part: str) -> None:
    old = load(FILES)
    new = with_before(load({**PILOT, **files}), old)
    with pytest.raises(approved.BeforeNotApproved) as refused:
        await approved.check(situation(new, old))
    assert refused.value.said[0].startswith("activation told: the version before its pilot is not as it is in force")
    assert part in refused.value.said[0]
