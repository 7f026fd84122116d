"""`segue match` from exports to link events, and the sentence for each mistake. All people here are synthetic."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.operations.errors import WrongInput
from streams.operations.matching import files
from streams.operations.matching.candidates import Found, find
from streams.operations.matching.files import Wanted, make_table
from tests.acceptance.command import Ended, Segue
from tests.acceptance.forked import Forked
from tests.streams.operations.matching.synthetic import npi_of

CRM = (
    "ID,Contact,NPI,E-mail,Street,ZIP\n"
    "0031,Dr. Robert O'Brien,,bob.obrien@clinic.example,12 Main Street,02139\n"
    "0032,Ann Smith,,info@clinic.example,,\n"
)
PORTAL = '{"subject":"hcp:1234567893","name":"Bob OBrien","street":"12 Main St","postcode":"02139-1234"}\n'
APP = '{"subject":"app:7","name":"Bobby O\'Brien","npi":1234567893}\n'
COLUMNS = "crm.csv: subject=crm:ID, name=Contact, email=E-mail"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crm.csv").write_text(CRM)
    (tmp_path / "portal.ndjson").write_text(PORTAL + APP)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    with Forked(Segue(), tmp_path_factory.mktemp("match")) as made:
        RUNNING.append(made)
        yield made
        RUNNING.clear()


RUNNING: list[Forked] = []


def run(folder: Path, *arguments: object) -> Ended:
    """Run `segue match`; names of files stand for files in the folder."""
    named = [folder / each if isinstance(each, str) and "." in each and " " not in each else each for each in arguments]
    return RUNNING[0](["match", *named], {})


def found(folder: Path, *more: object) -> list[dict[str, str]]:
    ended = run(folder, "crm.csv", "portal.ndjson", "--columns", COLUMNS, "-o", "pairs.csv", *more)
    assert ended.status == 0, ended.err
    return rows(folder)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "pairs.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def decide(folder: Path, decisions: dict[tuple[str, str], str], delimiter: str = ",") -> None:
    """Write decisions as a spreadsheet would."""
    lines = rows(folder)
    for line in lines:
        line["decision"] = decisions.get((line["subject"], line["other"]), line["decision"])
    with (folder / "pairs.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, lines[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(lines)


PAIRS = [("app:7", "hcp:1234567893"), ("crm:0031", "hcp:1234567893"), ("app:7", "crm:0031")]


def test_candidates_come_with_their_evidence_and_no_value_of_a_person(folder: Path) -> None:
    lines = found(folder)
    assert [(each["subject"], each["other"]) for each in lines] == PAIRS
    assert [each["certainty"] for each in lines] == ["certain", "scored", "scored"]
    assert lines[1] | {"score": ""} == {
        "decision": "", "certainty": "scored", "score": "", "subject": "crm:0031", "other": "hcp:1234567893", "npi": "",
        "email": "", "name": "close", "address": "agree", "subject_npi": "", "other_npi": "1234567893", "note": "",
    }  # fmt: skip
    text = (folder / "pairs.csv").read_text()
    assert [each for each in ("Main", "Brien", "clinic", "02139") if each in text] == []


def test_a_refused_pair_never_comes_back_and_an_accepted_one_becomes_an_event(folder: Path) -> None:
    found(folder)
    decide(folder, {PAIRS[0]: "accept", PAIRS[1]: "Refuse"}, delimiter=";")
    again = found(folder)
    assert [(each["subject"], each["other"], each["decision"]) for each in again] == [
        (*PAIRS[2], ""),
        (*PAIRS[0], "accept"),
        (*PAIRS[1], "refuse"),
    ]
    elsewhere = run(folder, "crm.csv", "portal.ndjson", "--columns", COLUMNS, "-o", "new.csv", "--decided", "pairs.csv")
    assert (elsewhere.status, len((folder / "new.csv").read_text().splitlines())) == (0, 2)
    linked = run(
        folder, "--decided", "pairs.csv", "--links", "links.ndjson", "--canonical", "hcp,app", "--time", "2026-03-01"
    )
    assert linked.status == 0, linked.err
    [event] = map(json.loads, (folder / "links.ndjson").read_text().splitlines())
    assert event == {
        "specversion": "1.0", "id": event["id"], "source": "/segue/match", "type": "identity.linked",
        "subject": "app:7",
        "time": "2026-03-01T00:00:00.000Z", "data": {"canonical": "hcp:1234567893"},
    }  # fmt: skip


def test_the_same_command_writes_the_same_bytes(folder: Path) -> None:
    found(folder)
    first = (folder / "pairs.csv").read_bytes()
    found(folder)
    assert (folder / "pairs.csv").read_bytes() == first


def test_what_was_sent_before_is_not_sent_again(folder: Path) -> None:
    found(folder)
    decide(folder, {PAIRS[0]: "accept"})
    run(folder, "--decided", "pairs.csv", "--links", "first.ndjson", "--time", "2026-03-01")
    decide(folder, {PAIRS[1]: "accept"})
    done = run(
        folder, "--decided", "pairs.csv", "--links", "second.ndjson", "--sent", "first.ndjson", "--canonical", "crm"
    )
    assert done.status == 0, done.err
    said = [json.loads(line) for line in (folder / "second.ndjson").read_text().splitlines()]
    assert [(each["type"], each["subject"]) for each in said] == [
        ("identity.linked", "app:7"),
        ("identity.linked", "hcp:1234567893"),
    ]
    assert {each["data"]["canonical"] for each in said} == {"crm:0031"}


@pytest.mark.parametrize(
    ("by", "pairs"),
    [("npi", PAIRS[:1]), ("npi,address", PAIRS[:1]), ("email", []), ("name", PAIRS)],
)
def test_any_fields_may_be_compared_by(folder: Path, by: str, pairs: list[tuple[str, str]]) -> None:
    lines = found(folder, "--by", by, "--at-least", 0.01)
    assert {(each["subject"], each["other"]) for each in lines} == set(pairs)


def test_where_nothing_is_new_no_file_is_written_and_an_empty_one_stands_in_nobodys_way(folder: Path) -> None:
    found(folder)
    none = run(folder, "--decided", "pairs.csv", "--links", "first.ndjson")
    assert (none.status, none.out.splitlines()[1:]) == (
        0,
        ["no pair is accepted: no file was written", "3 pairs without a decision"],
    )
    assert not (folder / "first.ndjson").exists()
    (folder / "first.ndjson").touch()
    decide(folder, {PAIRS[0]: "accept"})
    assert run(folder, "--decided", "pairs.csv", "--links", "first.ndjson").status == 0
    again = run(folder, "--decided", "pairs.csv", "--links", "second.ndjson", "--sent", "first.ndjson")
    assert "all of it is linked already: no file was written" in again.out.splitlines()
    assert not (folder / "second.ndjson").exists()


def test_a_decision_stays_when_its_rows_change_and_the_table_says_what_speaks_against_it(folder: Path) -> None:
    found(folder)
    decide(folder, {PAIRS[1]: "refuse", PAIRS[2]: "accept"})
    crm = (folder / "crm.csv").read_text()
    (folder / "crm.csv").write_text(crm.replace("O'Brien,,", "O'Brien,1234567893,"))
    lines = {(each["subject"], each["other"]): each for each in found(folder)}
    assert (lines[PAIRS[1]]["decision"], lines[PAIRS[1]]["note"]) == (
        "refuse",
        "refused, and one NPI now: look again",
    )
    assert (lines[PAIRS[2]]["decision"], lines[PAIRS[2]]["note"]) == ("accept", "")
    (folder / "crm.csv").write_text(crm.replace("O'Brien,,", f"O'Brien,{npi_of(7)},"))
    assert (
        "1 decision that the exports speak against now"
        in run(folder, "crm.csv", "portal.ndjson", "--columns", COLUMNS, "-o", "pairs.csv").out
    )
    lines = {(each["subject"], each["other"]): each for each in rows(folder)}
    assert lines[PAIRS[2]]["note"] == "accepted, and two NPIs now: look again"
    refused = run(folder, "--decided", "pairs.csv", "--links", "links.ndjson")
    assert (refused.status, refused.err.split(": ", 1)[1]) == (
        1,
        "this pair makes one person with two NPIs: refuse it\n",
    )


def test_a_table_that_is_saved_meanwhile_is_left_with_its_decisions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = folder / "pairs.csv"
    wanted = Wanted(frozenset(["npi"]), 0.3, (), (), table, ())
    make_table([folder / "portal.ndjson"], wanted)

    def and_meanwhile(*arguments: Any, **more: Any) -> Found:
        table.write_text(table.read_text().replace("\n,certain", "\nrefuse,certain"))
        return find(*arguments, **more)

    monkeypatch.setattr(files, "find", and_meanwhile)
    with pytest.raises(WrongInput, match="was changed meanwhile, and is left as it is: run the command again"):
        make_table([folder / "portal.ndjson"], wanted)
    assert "refuse,certain" in table.read_text()
    assert sorted(each.name for each in folder.iterdir()) == ["crm.csv", "pairs.csv", "portal.ndjson"]


def test_parquet_is_read_too(folder: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    name = folder / "app.parquet"
    duckdb.sql("SELECT 'app:9' AS subject, 'Robert OBrien' AS name, 1234567893::DOUBLE AS npi").write_parquet(str(name))
    assert run(folder, "app.parquet", "portal.ndjson", "-o", "pairs.csv").status == 0
    assert ("app:9", "hcp:1234567893", "certain") in [(x["subject"], x["other"], x["certainty"]) for x in rows(folder)]


TABLE = "decision,subject,other,subject_npi,other_npi\n"
FIND = ("crm.csv", "-o", "x.csv")
LINK = ("--decided", "t.csv", "--links", "l.ndjson")
TWO_NPIS = f"accept,crm:1,crm:2,{npi_of(1)},{npi_of(2)}\n"
MISTAKES: list[tuple[tuple[object, ...], str, int, str]] = [
    ((), "", 2, "give exports to compare, or --decided TABLE --links FILE to link what was accepted"),
    (("crm.csv",), "", 2, "say where the table of candidates goes: -o candidates.csv"),
    (("nothing.csv", "-o", "x.csv"), "", 2, "nothing.csv: there is no such file"),
    (FIND, "", 2, "crm.csv: no column is called subject: say which one holds it, as --columns 'subject=crm:ID'"),
    ((*FIND, "--columns", "subjet=crm:ID"), "", 2, "--columns: 'subjet' is no field; did you mean 'subject'?"),
    ((*FIND, "--columns", "subject=crm:Id"), "", 2, "crm.csv: there is no column 'Id'; did you mean 'ID'?"),
    ((*FIND, "--columns", "cmr.csv: subject=ID"), "", 2, "--columns names the file 'cmr.csv', which is not among"),
    ((*FIND, "--columns", "subject"), "", 2, "--columns 'subject': write FIELD=COLUMN, with a comma between two"),
    ((*FIND, "--columns", "subject=ID"), "", 1, "crm.csv, row 2: the subject must be kind:name"),
    ((*FIND, "--by", "npi,mail"), "", 2, "--by: 'mail' is nothing to compare by; did you mean 'email'?"),
    ((*FIND, "--by", "npi,"), "", 2, "--by 'npi,': give words with a comma between them"),
    ((*FIND, "--by", "address"), "", 2, "--by: an address alone tells nobody from another: add npi, email or name"),
    ((*FIND, "--at-least", "30"), "", 2, "--at-least takes a probability, from 0 to 1, like 0.8"),
    (
        ("crm.csv", "-o", "crm.csv", "--columns", COLUMNS),
        "",
        1,
        "crm.csv: this is no table of `segue match`: it has no",
    ),
    ((*FIND, "--canonical", "hcp"), "", 2, "--sent, --canonical, --time and --send go with --links"),
    (
        (*FIND, "--columns", COLUMNS, "--organisations", "CRM!"),
        "",
        1,
        "--organisations: no subject is of the kind 'CRM!'",
    ),
    (
        (*LINK, "--organisations", "aap"),
        "accept,app:1,app:2,,\n",
        1,
        "--organisations: no subject is of the kind 'aap'",
    ),
    (("t.csv", "-o", "x.csv"), TABLE, 2, "t.csv: this is a table of candidates, not an export: its decisions are read"),
    (("e.ndjson", "-o", "x.csv"), "", 2, "e.ndjson: these are events, not an export: give rows of people"),
    ((*LINK, "--sent", "portal.ndjson"), TABLE, 1, "portal.ndjson: no line is a link event: give a file that --links"),
    (("crm.csv", *LINK), TABLE, 2, "find candidates and link accepted ones in two steps"),
    (("--links", "l.ndjson"), "", 2, "--links needs --decided TABLE: the table in which pairs were accepted"),
    (("--decided", "t.csv", "--links", "crm.csv"), TABLE, 1, "crm.csv is there already: name another file for --links"),
    ((*LINK, "--time", "noon"), TABLE, 2, "'noon' is no instant"),
    (
        LINK,
        "acept,crm:1,crm:2,,\n",
        1,
        "t.csv, row 2: the decision 'acept' is none: accept, refuse, or leave it empty; did you mean 'accept'?",
    ),
    (LINK, "accept,crm1,crm:2,,\n", 1, "t.csv, row 2: subject must be kind:name, as the table was written"),
    (LINK, "accept,crm:1,crm:1,,\n", 1, "t.csv, row 2: subject and other are the same"),
    (LINK, "accept,a:1,a:2,,\nrefuse,a:2,a:1,,\n", 1, "t.csv, row 3: this pair is decided otherwise in t.csv, row 2"),
    (LINK, TWO_NPIS, 1, "t.csv, row 2: this pair makes one person with two NPIs: refuse it"),
    (LINK, "accept,crm:1,org:2,,\n", 1, "t.csv, row 2: this pair makes a person and an organisation one: refuse it"),
    (
        (*LINK, "--canonical", "hpc"),
        "accept,crm:1,hcp:2,,\n",
        1,
        "--canonical: no accepted subject is of the kind 'hpc'",
    ),
    ((*LINK, "--sent", "crm.csv"), TABLE, 1, "crm.csv, line 1: this is no event: give a file of link events"),
]


@pytest.mark.parametrize(("arguments", "table", "status", "said"), MISTAKES, ids=[each[3][:60] for each in MISTAKES])
def test_a_mistake_gets_one_sentence_that_says_what_to_do(
    folder: Path, arguments: tuple[object, ...], table: str, status: int, said: str
) -> None:
    (folder / "t.csv").write_text(TABLE + table.removeprefix(TABLE))
    (folder / "e.ndjson").write_text('{"specversion":"1.0","type":"portal.login","subject":"app:7"}\n')
    ended = run(folder, *arguments)
    assert (ended.status, ended.out) == (status, ""), ended.err
    [line] = ended.err.replace(f"{folder}/", "").splitlines()
    assert line.startswith(said)
    assert not (folder / "l.ndjson").exists()
