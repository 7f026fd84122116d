"""Laws of persons with several subjects, and of erasure. They follow from the text; the naive evaluator obeys them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, note
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.naive.candidates import instants
from tests.naive.happenings import Now
from tests.naive.lives import Lives
from tests.naive.pending import Era
from tests.naive.replay import Cut, merge, read, replay
from tests.naive.times import written
from tests.properties.catalogues import DICTIONARY, catalogues
from tests.properties.drawing import Grid
from tests.properties.histories import line
from tests.properties.persons import (
    PERSONS,
    STATELESS,
    lines_of,
    linked_contact_scenes,
    linked_histories,
    linked_scenes,
    with_erasure,
)
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, same, tell
from tests.transcripts.implementations import naive, plain
from tests.transcripts.transcript import Files

pytestmark = pytest.mark.timeout(PATIENCE_S)
MILLISECONDS = Grid("ms", HOURS.start, 40)
LATER = HOURS.at(HOURS.span + 6)
TOO_LATE = HOURS.at(HOURS.span + 30)
History = list[dict[str, Any] | bytes]


class Watched(Lives):
    """Lives that note after each record which subjects stand for which."""

    def take(self, now: Now) -> None:
        """Note the links after the record."""
        super().take(now)
        self.links[now.index] = {
            name: person.canonical for name, person in self.persons.all.items() if person.canonical is not None
        }

    def __post_init__(self) -> None:
        """Begin with no links."""
        super().__post_init__()
        self.links: dict[int, dict[str, str]] = {}


def told(scene: Scene) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    """Walk a scene: the changes of wakes and visits before each record, then its own, each with the links."""
    first = Era(plain(scene.files), None, (), remembering=True)
    file = read(first, scene.lines, scene.until, [Cut(at, plain(files)) for at, files in scene.cuts], False)
    if file.end is None:
        return
    lives = Watched(first, instants)
    happenings = lives.run(file.records, file.end)
    links: dict[str, str] = {}
    for index, part in enumerate(merge(happenings, file.records, file.end)):
        changes = [json.loads(change) for change in part]
        caused = next((n for n, change in enumerate(changes) if change["reason"]["events"]), len(changes))
        yield links, changes[:caused]
        links = lives.links.get(index, links)
        yield links, changes[caused:]


def place_of(change: dict[str, Any]) -> str:
    """Name the thing that a change is about."""
    return f"segment {change['segment']}" if "segment" in change else f"activation {change['activation']}"


@checks
@given(linked_scenes(HOURS, cuts=2) | linked_contact_scenes(HOURS))
def test_a_person_is_in_nothing_under_two_subjects(scene: Scene) -> None:
    tell(scene)
    held: set[tuple[str, str]] = set()
    for links, changes in told(scene):
        for change in changes:
            subject, place = change["profile"], place_of(change)
            if change["reason"]["kind"] == "definition_changed" and change["change"] == "activated":
                assert (subject, place) in held
            elif change["change"] in ("entered", "activated"):
                assert subject not in links
                assert (subject, place) not in held
                others = {other for other, where in held if where == place}
                # exit comes before entry: whoever stands for another is out by now
                assert not others & set(links)
                held.add((subject, place))
            else:
                held.remove((subject, place))
        assert not {subject for subject, _ in held} & set(links)


@checks
@given(linked_scenes(HOURS, cuts=2) | linked_contact_scenes(HOURS))
def test_sequences_of_a_person_count_from_one_under_each_subject(scene: Scene) -> None:
    tell(scene)
    counts: defaultdict[str, int] = defaultdict(int)
    for raw in naive(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)[0]:
        change = json.loads(raw)
        numbered = change["profile"] if "segment" in change else f"{change['profile']}/{change['channel']}"
        counts[numbered] += 1
        assert change["sequence"] == counts[numbered]


@checks
@given(linked_scenes(MILLISECONDS, cuts=1) | linked_contact_scenes(MILLISECONDS, cuts=1))
def test_chosen_instants_say_what_every_millisecond_says_of_persons(scene: Scene) -> None:
    tell(scene)
    cuts = [Cut(at, plain(files)) for at, files in scene.cuts]
    arguments = (plain(scene.files), scene.lines, MILLISECONDS.start + 80, cuts, scene.as_live)
    assert replay(*arguments) == replay(*arguments, walk=True)


@st.composite
def stateless(draw: DrawFn) -> Files:
    """A catalogue of segments that depend on facts and on the instant alone, and an activation over them."""
    files: Files = {"dictionary.yaml": DICTIONARY, "policy.yaml": {}}
    files |= {f"segments/{one['segment']}.yaml": one for one in STATELESS}
    for name in draw(st.sets(st.sampled_from(["liked", "often", "quiet"]), min_size=1)):
        files[f"activations/{name}.yaml"] = {
            "activation": name,
            "version": 1,
            "status": "approved",
            "channel": draw(st.sampled_from(["email", "sms"])),
            "audience": draw(st.sampled_from(["hcp", "crm"])),
            "segments": {"any": [name, "steady"]},
            "suppress_while": ["lately"],
            "frequency_cap": [{"of": "channel", "at_most": 2, "within": "6h"}],
            "content": {"intent": "i", "review": {"status": "approved"}},
        }
    return files


def holding(changes: Sequence[bytes]) -> set[tuple[str, str]]:
    """List who is in what after all changes."""
    held: set[tuple[str, str]] = set()
    for raw in changes:
        change = json.loads(raw)
        place = (change["profile"], place_of(change))
        (held.add if change["change"] in ("entered", "activated") else held.discard)(place)
    return held


def is_link(one: dict[str, Any] | bytes) -> bool:
    """Tell whether a line is a link event."""
    return not isinstance(one, bytes) and one["type"].startswith("identity.")


def only_clock(one: dict[str, Any] | bytes) -> dict[str, Any] | bytes:
    """Leave of a link event its record, which moves the clock: the clock decides what is ahead."""
    if isinstance(one, bytes) or not is_link(one):
        return one
    return {"type": "segue.tick", "recordedtime": one.get("recordedtime", one["time"])}


def unlinked(at: int) -> list[bytes]:
    """Write the events that take every link back."""
    common = {"specversion": "1.0", "source": "/s", "type": "identity.unlinked", "time": written(at)}
    return [line({**common, "id": "back", "subject": subject}) for subject in PERSONS]


def run(files: Files, lines: Sequence[bytes]) -> list[bytes]:
    """Replay, to an instant at which much is over."""
    return naive(files, lines, [], TOO_LATE, False)[0]


@checks
@given(st.data())
def test_links_that_are_all_taken_back_leave_everyone_judged_by_their_own_facts(data: st.DataObject) -> None:
    files = data.draw(stateless())
    history: History = data.draw(linked_histories(HOURS, links=["identity.linked", "identity.unlinked"]))
    plainly = [only_clock(one) for one in history]
    note(f"files={files!r}")
    for each in lines_of(history):
        note(each.decode(errors="replace"))
    linked = naive(files, lines_of(history) + unlinked(LATER), [], LATER, False)[0]
    alone = naive(files, lines_of(plainly), [], LATER, False)[0]
    assert holding(linked) == holding(alone)


@checks
@given(st.data())
def test_facts_told_under_aliases_are_those_of_their_end(data: st.DataObject) -> None:
    files = data.draw(stateless())
    history: History = data.draw(linked_histories(HOURS, links=[]))
    for place in range(len(PERSONS) - 1):
        # each is linked to the subject before it, sometimes to the first: a tree with one end
        canonical = data.draw(st.sampled_from(PERSONS[: place + 1]))
        link: dict[str, Any] = {"specversion": "1.0", "id": f"l{place}", "source": "/s", "type": "identity.linked"}
        link |= {"subject": PERSONS[place + 1], "time": written(HOURS.at(0)), "data": {"canonical": canonical}}
        history.insert(data.draw(st.integers(0, len(history))), link)
    facts = [only_clock(one) for one in history]
    together = [one if isinstance(one, bytes) else {**one, "subject": PERSONS[0]} for one in facts]
    for each in lines_of(history):
        note(each.decode(errors="replace"))
    assert holding(run(files, lines_of(history))) == holding(run(files, lines_of(together)))


@checks
@given(st.data())
def test_links_before_all_facts_say_byte_for_byte_what_one_subject_says(data: st.DataObject) -> None:
    files = data.draw(catalogues(HOURS))
    history: History = data.draw(linked_histories(HOURS, links=[]))
    links = []
    for place, subject in enumerate(PERSONS[1:]):
        link = {"specversion": "1.0", "id": "l", "source": "/s", "type": "identity.linked", "subject": subject}
        canonical = data.draw(st.sampled_from(PERSONS[: place + 1]))
        links.append(line({**link, "time": written(HOURS.at(0)), "data": {"canonical": canonical}}))
    links = data.draw(st.permutations(links))
    together = [one if isinstance(one, bytes) else {**one, "subject": PERSONS[0]} for one in history]
    note(f"files={files!r}")
    for each in (*links, *lines_of(history)):
        note(each.decode(errors="replace"))
    clock = line({"type": "segue.tick", "recordedtime": written(HOURS.at(0))})
    assert run(files, [*links, *lines_of(history)]) == run(files, [clock, *lines_of(together)])


def persons_of(scene_lines: Sequence[bytes], files: Files) -> list[set[str]]:
    """Group the subjects of a history as they stand at its end. Those of rings are left out."""
    first = Era(plain(files), None, (), remembering=True)
    file = read(first, scene_lines, None, [], False)
    lives = Lives(first, instants)
    lives.run(file.records, file.end or 0)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name in PERSONS:
        end = lives.persons.end(name)
        if end is not None:
            found[end.subject].add(name)
    return list(found.values())


@checks
@given(st.data())
def test_erasing_a_person_through_any_subject_gives_the_same(data: st.DataObject) -> None:
    files = data.draw(with_erasure(data.draw(catalogues(HOURS))))
    history = lines_of(data.draw(linked_histories(HOURS, links=["identity.linked"])))
    persons = [group for group in persons_of(history, files) if len(group) > 1]
    assume(persons)
    person = sorted(data.draw(st.sampled_from(persons)))
    erasure = {"specversion": "1.0", "id": "gone", "source": "/s", "type": "privacy.erased", "time": written(LATER)}
    late: History = data.draw(linked_histories(HOURS, most=12))
    after = [
        one if isinstance(one, bytes) else {**one, "id": f"n{one['id']}", "recordedtime": written(LATER)}
        for one in late
    ]
    outputs = []
    for subject in person:
        lines = [*history, line({**erasure, "subject": subject}), *lines_of(after)]
        outputs.append(naive(files, lines, [], TOO_LATE, False))
    note(f"files={files!r} person={person}")
    for each in (*history, b"---", *lines_of(after)):
        note(each.decode(errors="replace"))
    assert all(one == outputs[0] for one in outputs)


@checks
@given(st.data())
def test_an_erased_person_begins_anew_as_one_that_was_never_known(data: st.DataObject) -> None:
    files = data.draw(catalogues(HOURS))
    files = {**files, "policy.yaml": {**files.get("policy.yaml", {}), "erasure": {"afterwards": "begin_anew"}}}
    before = lines_of(data.draw(linked_histories(HOURS, most=12)))
    erasure = {"specversion": "1.0", "id": "gone", "source": "/s", "type": "privacy.erased", "time": written(LATER)}
    gone = [line({**erasure, "subject": subject}) for subject in PERSONS]
    shift = LATER - HOURS.start
    grid = Grid("h", HOURS.start + shift + 8 * HOURS.unit_ms, 16)
    after = lines_of(data.draw(linked_histories(grid, most=12)))
    until = grid.at(30)
    known = naive(files, [*before, *gone, *after], [], until, False)
    fresh = naive(files, [*gone, *after], [], until, False)
    note(f"files={files!r}")
    for each in (*before, b"---", *after):
        note(each.decode(errors="replace"))
    old = len(naive(files, [*before, *gone], [], LATER, False)[0])
    assert [without_memory(raw) for raw in known[0][old:]] == [without_memory(raw) for raw in fresh[0]]


def without_memory(raw: bytes) -> dict[str, Any]:
    """Take out of a change what an erasure leaves: sequences, and `was`."""
    change: dict[str, Any] = json.loads(raw)
    for name in ("id", "sequence"):
        del change[name]
    change["reason"].pop("was", None)
    return change


@checks
@given(linked_scenes(HOURS, cuts=2))
def test_engine_says_of_persons_what_the_naive_evaluator_says(scene: Scene) -> None:
    same(scene)


@checks
@given(linked_contact_scenes(HOURS))
def test_engine_says_of_the_activations_of_persons_what_the_naive_evaluator_says(scene: Scene) -> None:
    same(scene)
