"""What ends an operation, told apart by type. Every text is for people; none holds personal data.

Three families say who can mend it: `WrongRequest` (the caller: an argument or a setting), `WrongInput` (the owner of
the catalogue, the topics or the state) and `Unreachable` (the operator of a server). A program that acts on one case
catches its own type and reads its fields; the command line knows the families only.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from streams.finding import Finding

if TYPE_CHECKING:  # the root of the command line imports this module, and rules would bring pydantic with it
    from rules.language.problems import Problem
    from streams.errors import StoreRefused
    from streams.operations.reach import Reach

CATALOGUE_MB_MAX: Final = 8
"""A catalogue travels as one record."""


class OperationError(Exception):
    """Ends an operation. `lines`: what is wrong and what to do, a line each."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines

    def __str__(self) -> str:
        return "\n".join(self.lines)


class WrongRequest(OperationError):
    """An argument or a setting is wrong: the same request never succeeds."""


class WrongInput(OperationError):
    """What the operation works on is wrong: a catalogue, a topic, the state of a partition, a name not in force."""


class Unreachable(OperationError):
    """A server cannot be reached, or cannot tell yet. The same request may succeed later."""


class AddressWrong(WrongInput):
    """The pages of a deliverer cannot be served where the settings say: the port is taken, the name leads nowhere."""


class CatalogueRefused(WrongInput):
    """A catalogue does not compile. `problems`: every error, at its place."""

    def __init__(self, problems: Sequence["Problem"]) -> None:
        super().__init__(*map(str, problems))
        self.problems = tuple(problems)


class AssignmentKeyWrong(WrongRequest):
    """The key of holdouts and arms is not known to this process, or it is another."""

    def __init__(self, wrong: str) -> None:
        super().__init__(
            f"{wrong}: who is held out and who sees which arm cannot be computed; set it to that key, and run it again"
        )


class PilotsUnknown(WrongInput):
    """A pilot leaves others under the version in force, which this version of Segue cannot read."""

    def __init__(self, pilots: Sequence[str]) -> None:
        super().__init__(
            f"the pilot {', '.join(pilots)} leaves others under the version in force, but the catalogue in force"
            " does not load here: apply it once without the pilot first"
        )
        self.pilots = tuple(pilots)


class VersionsWrong(WrongInput):
    """Definitions changed without a higher version. `problems`: each at its place, with the number to write."""

    def __init__(self, problems: Sequence["Problem"]) -> None:
        super().__init__(*map(str, problems))
        self.problems = tuple(problems)


class OtherInForce(WrongInput):
    """Another catalogue came into force than the one that the apply was meant to follow. Nothing was written."""

    def __init__(self, expected: str, found: str | None) -> None:
        now = "none is" if found is None else f"{found[:12]} is"
        super().__init__(
            f"catalogue {expected[:12]} is no longer in force, {now}: nothing was applied; look at `segue catalogues`"
            " and run it again"
        )
        self.expected = expected
        self.found = found


class NothingBefore(WrongInput):
    """There is no catalogue to go back to."""

    def __init__(self) -> None:
        super().__init__("no other catalogue was in force before this one")


class UnknownCatalogue(WrongInput):
    """No catalogue that was applied is meant by a text."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no catalogue that was applied: give four digits or more of a hash from `segue catalogues`, a"
            ' folder, an instant, "in force", "before" or "a week ago"'
        )
        self.text = text


class SeveralCatalogues(WrongInput):
    """The beginning of a hash fits several catalogues."""

    def __init__(self, text: str, matches: Sequence[str]) -> None:
        shown = ", ".join(each[:12] for each in matches[:4])
        super().__init__(f"{text!r} begins the hashes of {len(matches)} catalogues ({shown}): give more digits")
        self.matches = tuple(matches)


class NotInForceThen(WrongInput):
    """No catalogue was in force at an instant."""

    def __init__(self, instant: str, first: str) -> None:
        super().__init__(f"no catalogue was in force at {instant}: the first was applied at {first}")
        self.instant = instant


class FolderNotEmpty(WrongInput):
    """A catalogue is to be written into a folder that holds something."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"{folder} is not empty, and nothing was written: give a folder that is new or empty")
        self.folder = folder


class CatalogueTooLarge(WrongInput):
    """A catalogue does not fit into the one record that it travels as."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"the catalogue is too large: {size_bytes / 1e6:.1f} MB, and one record of Kafka holds"
            f" {CATALOGUE_MB_MAX} MB;"
            " shorten its descriptions, or retire segments into another folder"
        )
        self.size_bytes = size_bytes


class NotApplied(Unreachable):
    """A catalogue was not put into force: its transaction failed, or another apply came at the same time."""

    def __init__(self, doubt: str) -> None:
        why = "another apply came at the same time" if "Fenced" in doubt else f"it failed ({doubt})"
        super().__init__(f"{why}: this catalogue was not applied, run `segue apply` again")
        self.doubt = doubt


class HistoryNotFilled(Unreachable):
    """A catalogue is in force, but the history that it needs is not filled in, or not in every partition."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the catalogue is in force, but its history is not filled in ({reason}): run `segue fill`")


class NoCatalogue(WrongInput):
    """No catalogue is in force."""

    def __init__(self) -> None:
        super().__init__("no catalogue is in force: run `segue apply DIR`")


class NoCutYet(WrongInput):
    """No catalogue has taken effect in a partition."""

    def __init__(self, partition: int) -> None:
        super().__init__("no catalogue has taken effect yet: run `segue apply DIR` and a worker")
        self.partition = partition


class CatalogueNotStored(WrongInput):
    """A catalogue that a partition was brought to is not in the topic of catalogues."""

    def __init__(self, catalogue: str, topic: str) -> None:
        super().__init__(f"catalogue {catalogue[:12]} is not in {topic}: apply it again")
        self.catalogue = catalogue


class UnknownName(WrongInput):
    """The catalogue in force has nothing by this name that the operation takes; `said` tells the nearest name."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(said)
        self.name = name


class Restricted(WrongRequest):
    """A definition that uses restricted data is to be read, and the reader did not give `--restricted`."""

    def __init__(self, kind: str, name: str, classes: Sequence[str]) -> None:
        why = f"is restricted ({', '.join(classes)})" if classes else "is in no catalogue that could tell its class"
        super().__init__(f"{kind} {name!r} {why}: give --restricted to read it")
        self.kind = kind
        self.name = name
        self.classes = tuple(classes)


class NoLetter(WrongInput):
    """There is no dead letter at that place."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        super().__init__(f"{topic} has no dead letter at {partition}:{offset}: `segue letters` shows which there are")
        self.partition = partition
        self.offset = offset


class NoLettersOfChannel(WrongInput):
    """No deliverer has run for a channel, so there is no topic of its dead letters."""

    def __init__(self, channel: str) -> None:
        super().__init__(f"channel {channel!r} has no dead letters: no `segue deliver {channel}` ever ran here")
        self.channel = channel


class StillRefused(WrongInput):
    """Events of a file would be refused again; nothing was sent. `refused`: (line from 1, code, place)."""

    SHOWN: Final = 20

    def __init__(self, refused: Sequence[tuple[int, str, str]]) -> None:
        lines = [f"line {line}: {code}{f' at {place}' if place else ''}" for line, code, place in refused[: self.SHOWN]]
        more = [f"and {len(refused) - self.SHOWN} more"] if len(refused) > self.SHOWN else []
        what = (
            "1 event would be refused again" if len(refused) == 1 else f"{len(refused)} events would be refused again"
        )
        super().__init__(*lines, *more, f"{what}, so nothing was sent: mend the file and send it again")
        self.refused = tuple(refused)


class NoChannel(WrongInput):
    """Channels are asked for, and the catalogue in force uses none."""

    def __init__(self) -> None:
        super().__init__("no activation of the catalogue in force is approved: there is no channel")


class UnknownProfile(WrongInput):
    """No event of a profile was applied in its partition. The profile is not named: a subject is personal data."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"the profile is not known: partition {partition} has applied no event of it")
        self.partition = partition


class UnknownSubject(WrongInput):
    """Nothing was ever told of a subject, and no link leads to it. `name`: what the caller calls it."""

    def __init__(self, name: str = "this subject") -> None:
        super().__init__(
            f"Segue does not know {name}: no event of it has come; is it written right?"
            " `segue links --find TEXT` finds links by a part of a subject"
        )


class OtherState(WrongInput):
    """Another version of Segue wrote a profile's state."""

    def __init__(self) -> None:
        super().__init__("the profile's state was written by another version of Segue: explain it with that one")


class NoState(WrongInput):
    """A partition has no state in Redis."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} has no state: run `segue topics`")
        self.partition = partition


class TopicMissing(WrongInput):
    """A topic that the operation needs does not exist."""

    def __init__(self, topic: str, remedy: str = "run `segue topics`") -> None:
        super().__init__(f"topic {topic} is missing: {remedy}")
        self.topic = topic


class WrongPartitionCount(WrongInput):
    """A topic has another number of partitions than the settings say."""

    def __init__(self, topic: str, found: int, expected: int) -> None:
        super().__init__(f"topic {topic} has {found} partitions, but SEGUE_PARTITIONS is {expected}")
        self.topic = topic
        self.found = found
        self.expected = expected


class TopicsWrong(WrongInput):
    """Topics or brokers are not as they must be. `findings`: each with what to do."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(*map(str, findings))
        self.findings = tuple(findings)


class InputTruncated(WrongInput):
    """Retention has dropped the beginning of an input partition."""

    def __init__(self, partition: int, start: int) -> None:
        super().__init__(
            f"partition {partition}: retention has dropped the input before offset {start};"
            " the state there cannot be computed from the log alone"
        )
        self.partition = partition
        self.start = start


class StateExists(WrongInput):
    """A partition's state exists, and replacing it was not asked for."""

    def __init__(self, partition: int) -> None:
        super().__init__(
            f"partition {partition}: its state is there; nothing was done. To replace it, stop the workers"
            " and give --force"
        )
        self.partition = partition


class NothingPublished(WrongInput):
    """Nothing was ever published for a partition."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition}: nothing was ever published: run `segue topics`")
        self.partition = partition


class DigestDiffers(WrongInput):
    """The log gives other changes than were published up to an offset."""

    def __init__(self, partition: int, offset: int) -> None:
        super().__init__(
            f"partition {partition}: the log gives other changes than were published (the digests at offset {offset}"
            f" differ); nothing was written. Run `segue verify {partition}`"
        )
        self.partition = partition
        self.offset = offset


class CatalogueUnusable(WrongInput):
    """The catalogue in force was applied under other rules, or does not load here."""


class StateWrong(WrongInput):
    """A partition's state is missing or another's: it must not be guessed at."""


class KafkaAway(Unreachable):
    """Kafka did not answer in time. `reach`: what a plain connection meets."""

    def __init__(self, address: str, reason: str, within_ms: int, reach: "Reach" = "silent") -> None:
        super().__init__(away(f"Kafka at {address}", reason, within_ms, reach, "SEGUE_KAFKA_BOOTSTRAP_SERVERS"))
        self.address = address
        self.reach = reach


def away(server: str, reason: str, within_ms: int, reach: "Reach", setting: str) -> str:
    """Say in one sentence how a server is away, and what to look at."""
    if reach == "unknown":
        return f"{server} cannot be found: there is no host of that name; is {setting} right?"
    if reach == "refused":
        return f"{server} refuses the connection: is it up, and is {setting} right?"
    if reach == "open":
        what = f"{server} takes the connection but did not answer as it must ({reason})"
        return f"{what}: is it frozen or overloaded, or is {setting} another server's?"
    return f"{server} did not answer within {within_ms // 1000} s ({reason}): is it up, and is {setting} right?"


class KafkaRefuses(Unreachable):
    """Kafka answers and refuses this process: its credentials, its certificate, or a right. `code` says which."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class KafkaUndecided(Unreachable):
    """Kafka answers, but another client's open transaction holds up the request."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Kafka at {address} answers, but cannot tell yet: {reason}")
        self.address = address


class RedisAway(Unreachable):
    """Redis did not answer in time, or not as it must. `address` is without user and password."""

    def __init__(self, address: str, reason: str, within_ms: int, reach: "Reach" = "silent") -> None:
        super().__init__(away(f"Redis at {address}", reason, within_ms, reach, "SEGUE_REDIS_URL"))
        self.address = address
        self.reach = reach


class RedisRefuses(Unreachable):
    """Redis answers and refuses this process. `code`: why. `address` is without user and password."""

    def __init__(self, address: str, refused: "StoreRefused") -> None:
        super().__init__(refused.sentence)
        self.address = address
        self.code = refused.code


class DeliveryStopped(WrongInput):
    """An endpoint refuses the credentials, is not there, or refuses everything. Nothing was skipped."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; what was not answered for is delivered after the next start")
        self.reason = reason
