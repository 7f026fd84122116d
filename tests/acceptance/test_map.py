"""`map`: the message map of a folder and of the catalogue in force, as people and programs read it."""

import html.parser
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from rules.catalogue.loading import load_catalogue
from rules.reports.message_map import message_map
from streams.cli.render.map_page import page
from streams.cli.render.map_table import map_table
from streams.embedded import KafkaServer, ValkeyServer
from streams.operations.yaml_files import read_folder
from tests.acceptance.command import EXAMPLE, Segue, deployment
from tests.acceptance.test_definitions import write_catalogue
from tests.servers import unique

AT_MS = 1_767_225_600_000
VOID = {"meta"}
NASTY = "<script>alert('x')</script>&\""
SMALL = {
    "dictionary.yaml": "events: {viewed: {definition: Viewed}}\n",
    "segments/a.yaml": (
        "segment: a\nversion: 1\nstatus: approved\nlayers: {audience: 'h<b>&', stage: \"</td>'\"}\n"
        "enter: {event: viewed}\n"
    ),
    "activations/m.yaml": (
        "activation: m\nversion: 1\nstatus: approved\nchannel: email\naudience: 'h<b>&'\nsegments: {all: [a]}\n"
        f"journey: '{NASTY.replace(chr(39), chr(39) * 2)}'\n"
        f"content: {{intent: i, asset: '{NASTY.replace(chr(39), chr(39) * 2)}', topic: '<img src=x onerror=y>',"
        " call_to_action: '<a href=//evil>', review: {status: approved}}\n"
    ),
}


class Page(html.parser.HTMLParser):
    """Reads a page. Its tags must close in order. Collects its links, ids and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("href", "src", "srcset", "action", "data", "poster", "background"):
                self.links.add(str(value))
            if name == "id":
                self.ids.add(str(value))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)


def test_the_example_is_mapped_for_programs() -> None:
    found = Segue().done("map", EXAMPLE, "--json", "--at", "2026-01-01T00:00:00Z").json
    assert found["channels"] == ["email", "field", "sms"]
    assert {each["audience"] for each in found["audiences"]} == {
        *("caregiver", "hcp", "lab", "patient", "payer", "provider")
    }
    assert {each["state"] for each in found["messages"]} == {"speaks"}
    assert found["doubles"] == []
    gaps = {(each["audience"], each["stage"], each["channel"], each["segment"]) for each in found["gaps"]}
    assert ("hcp", "lapsed", None, None) in gaps
    assert ("hcp", None, "sms", None) in gaps
    assert ("lab", None, None, None) in gaps
    assert ("patient", "start", None, "awaiting-benefit") in gaps
    assert ("hcp", "evaluation", None, None) not in gaps
    [message] = [each for each in found["messages"] if each["activation"] == "access-resources-email"]
    assert message["content"]["call_to_action"] == "request-checklist"
    assert (message["stages"], message["journey"]) == (["evaluation"], "access-2026")


def test_the_table_is_read_at_100_columns() -> None:
    drawn = message_map(load_catalogue(read_folder(EXAMPLE)), AT_MS)
    console = Console(width=100, file=StringIO())
    console.print(map_table(drawn))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    for message in drawn.messages:
        said = [message.activation.id, str(message.says("topic")), str(message.says("call_to_action"))]
        assert sum(all(each in line for each in said) for line in lines) == len(message.stages)


def test_at_80_columns_every_message_is_a_paragraph() -> None:
    lines = Segue().on_terminal("map", EXAMPLE, "--at", "2026-01-01T00:00:00Z", columns=80)
    assert max(map(len, lines)) <= 80
    for message in message_map(load_catalogue(read_folder(EXAMPLE)), AT_MS).messages:
        said = [message.activation.id, str(message.says("topic")), str(message.says("call_to_action"))]
        assert all(any(each in line for line in lines) for each in said)
    assert "  advocacy  only keeps members out" in lines
    assert "  adoption  nothing" in lines


def test_expired_content_and_gaps_are_listed_after_the_table() -> None:
    late = Segue().done("map", EXAMPLE, "--at", "2028-01-01T00:00:00Z").out
    assert "access-resources-email: content expired on 2027-12-31" in late
    assert "hcp × awareness: no activation at this stage" in late
    assert "not speaking: clinical-basics-email" in late
    assert (
        "evidence-pack-email: content expires on 2027-12-31"
        in Segue().done("map", EXAMPLE, "--at", "2027-12-01T00:00:00Z").out
    )


def test_the_page_is_well_formed_needs_nothing_else_and_tells_everything(tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    ended = Segue().done("map", EXAMPLE, "--html", file, "--at", "2026-01-01T00:00:00Z")
    assert "9 activations, 7 journeys" in ended.err
    text = file.read_text()
    read = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert not read.tags & {"script", "link", "img", "iframe", "object", "svg", "form", "base"}
    assert read.links == {f"#{name}" for name in read.ids}
    assert not re.search(r"url\(|@import|https?:", text)
    # both outputs at once
    both = Segue().done("map", EXAMPLE, "--html", tmp_path / "again.html", "--json", "--at", "2026-01-01T00:00:00Z")
    found = both.json
    assert (tmp_path / "again.html").read_text() == text
    shown = " ".join(read.texts)
    for message in found["messages"]:
        for said in (message["activation"], *(message["content"][key] for key in ("asset", "call_to_action", "topic"))):
            assert said in shown
    for gap in found["gaps"]:
        assert all(name in shown for name in gap["segments"])
    assert text == Segue().done("map", EXAMPLE, "--html", "-", "--at", "2026-01-01T00:00:00Z").out


def test_every_text_of_a_definition_is_escaped(tmp_path: Path) -> None:
    catalogue = load_catalogue(read_folder(write_catalogue(tmp_path, SMALL)))
    text = page(message_map(catalogue, AT_MS), catalogue)
    read = Page(text)
    shown = " ".join(read.texts)
    for said in (NASTY, "<img src=x onerror=y>", "<a href=//evil>", "h<b>&", "</td>'"):
        assert said in shown
    assert not read.tags & {"script", "img", "iframe"}
    assert read.links <= {f"#{name}" for name in read.ids}
    assert "<script" not in text
    assert "<img" not in text


def test_a_catalogue_that_does_not_load_is_1_and_a_file_that_cannot_be_written_is_2(tmp_path: Path) -> None:
    broken = write_catalogue(tmp_path / "broken", {**SMALL, "segments/a.yaml": "segment: a\n"})
    ended = Segue()("map", broken)
    assert (ended.status, ended.out) == (1, "")
    assert "segments/a.yaml:1:1" in ended.err
    ended = Segue()("map", EXAMPLE, "--html", tmp_path / "nowhere" / "map.html")
    assert ended.status == 2
    assert "cannot be written" in ended.err
    ended = Segue()("map", EXAMPLE, "--html", "-", "--json")
    assert (ended.status, ended.out) == (2, "")
    assert "give the page a file" in ended.err


@pytest.mark.servers
def test_without_a_folder_it_maps_the_catalogue_in_force(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    segue = deployment(unique("map"), kafka.bootstrap, valkey.redis_url, 2)
    segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = unique("activation")
    segue.done("topics")
    ended = segue("map")
    assert ended.status == 1
    assert "segue apply" in ended.err
    segue.done("apply", EXAMPLE)
    at = ("--at", "2026-01-01T00:00:00Z", "--json")
    assert segue.done("map", *at).json == segue.done("map", EXAMPLE, *at).json
