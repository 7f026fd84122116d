"""`segue approve`: sign definitions of a catalogue, or say which signatures it lacks."""

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from rules.ground.words import count
from streams.cli.arguments import Json, expect_said
from streams.cli.render.lacks_table import lacks_table
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import out, write_json
from streams.clock import SystemClock
from streams.exits import Exit
from streams.operations.approving.approve import Asked, Signature, new_row, standing_of
from streams.operations.approving.approve import approve as sign_definitions
from streams.operations.approving.keys import KEYS_FILE
from streams.operations.approving.ruling import Lack
from streams.operations.approving.signing import write_new_key
from streams.operations.errors import WrongRequest
from streams.operations.settings import read_settings


def approve(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="The catalogue's folder.")] = None,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Ids of segments and activations, or policy.yaml, dictionary.yaml, keys.yaml; without: what lacks.",
        ),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--as", metavar="ROLE", help="Your role: its name, or compliance for owner.compliance."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Your private key; without: SEGUE_APPROVAL_KEY.")
    ] = None,
    meaning: Annotated[
        str | None, typer.Option("--meaning", metavar="TEXT", help="What your signature means, in a sentence.")
    ] = None,
    activation: Annotated[
        bool, typer.Option("--activation", help="Take NAME for the activation, where a segment has that name too.")
    ] = False,
    new_key: Annotated[
        Path | None, typer.Option("--new-key", metavar="FILE", help="Make a private key, and say its row of keys.yaml.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign definitions, or say which signatures a catalogue lacks.

    A signature covers a definition with all that it refers to: segments, traits, events, rulings of the policy. An edit
    of any of these makes it fall away. It is written to approvals/ in the folder; commit it with the definition. Which
    signatures are needed, `approvals` in policy.yaml says. Without NAME: exit status 1 where any lacks.

    Example: segue approve catalogue access-resources-email --as compliance
    """
    now_ms = SystemClock().wall_ms()
    expect_said("--meaning", meaning, "what your signature means, in a sentence: it is signed")
    if new_key is not None:
        _new_key(new_key, now_ms)
        return
    if folder is None:
        raise WrongRequest("give the catalogue's folder: segue approve DIR NAME --as ROLE")
    if not folder.is_dir():
        raise WrongRequest(f"{folder} is no folder; give the catalogue's folder")
    if not names:
        _show_lacks(standing_of(folder, now_ms), as_json)
        return
    asked = Asked(tuple(dict.fromkeys(names)), role, activation, meaning)
    made = sign_definitions(folder, asked, _key_file(key), _passphrase, now_ms)
    if as_json:
        write_json([_signature_json(each) for each in made])
        return
    for each in made:
        _show(each)


def _key_file(given: Path | None) -> Path:
    if given is not None:
        return given
    setting = read_settings()[1].approval_key
    if not setting:
        raise WrongRequest("which private key? Give --key FILE or set SEGUE_APPROVAL_KEY; --new-key FILE makes one")
    return Path(setting)


def _passphrase() -> str:
    if not sys.stdin.isatty():
        raise WrongRequest("the private key has a passphrase, and there is no terminal to ask for it")
    return getpass("Passphrase of the key: ")


def _new_key(file: Path, now_ms: int) -> None:
    passphrase = getpass("Passphrase (empty: none): ") if sys.stdin.isatty() else ""
    public = write_new_key(file, passphrase)
    out.print(f"{file} holds your private key: keep it, and give it to nobody.")
    out.print(f"Have this row added to {KEYS_FILE}, under keys, with your name and roles:")
    print(new_row("YOUR.NAME", public, now_ms))


def _show(each: Signature) -> None:
    if each.already:
        said = f"{each.approval.person} has approved {each.demand} as {each.approval.role} already"
        write_sentence(f"{said}, and it has not changed: nothing was written")
    else:
        _show_new(each)
    for lack in each.lacks:
        who = f" ({', '.join(lack.people)})" if lack.people else ""
        write_sentence(f"still to be approved by {lack.by}{who}", indent=2, hanging=4)


def _show_new(each: Signature) -> None:
    write_sentence(f"{each.approval.person} approved {each.demand} as {each.approval.role}: {each.file}")
    write_sentence(f"“{each.approval.meaning}”", indent=2, hanging=4)
    write_sentence(
        f"covers {count(len(each.demand.parts), 'part')}: {', '.join(each.demand.parts)}", indent=2, hanging=4
    )


def _show_lacks(lacks: list[Lack], as_json: bool) -> None:
    if as_json:
        write_json({"approved": not lacks, "lacks": [each.as_json() for each in lacks]})
    elif lacks:
        out.print(lacks_table(lacks))
    else:
        out.print("Nothing lacks a signature.")
    if lacks:
        raise typer.Exit(int(Exit.WRONG_INPUT))


def _signature_json(each: Signature) -> dict[str, object]:
    return {
        "kind": each.demand.kind,
        "name": each.demand.name,
        "file": each.file,
        **each.approval.as_json(),
        "already": each.already,
        "lacks": [lack.as_json() for lack in each.lacks],
    }
