"""What a deployment in a test is told, and what it publishes: waited for, verified, dumped and replayed."""

import json
from pathlib import Path
from typing import Any

from rules.ground.partitioning import partition_of
from tests.acceptance.command import Segue, event, wait_for


class Published:
    """A deployment with a worker, and what it has published."""

    def __init__(self, segue: Segue, partitions: int) -> None:
        self.segue = segue
        self.partitions = partitions
        self._sent = 0
        self._seen = 0

    def send(self, subject: str, type_: str, **data: Any) -> None:
        self._sent += 1
        self.segue.done("send", "-", stdin=event(subject, type_, f"e{self._sent}", **data))

    def send_all(self, *told: tuple[str, str]) -> None:
        """Send events without data."""
        lines = [event(subject, type_, f"e{self._sent + n}") for n, (subject, type_) in enumerate(told, 1)]
        self._sent += len(told)
        self.segue.done("send", "-", stdin="".join(lines))

    def published(self, count: int) -> dict[str, list[str]]:
        """Wait for so many more changes: by subject, sorted, as `change name reason`."""
        watched = self.segue.done("watch", "--from-start", "--count", self._seen + count, "--seconds", 60, "--json")
        changes = [each for each in watched.lines if "sequence" in each]
        assert len(changes) == self._seen + count, changes[self._seen :]
        found: dict[str, list[str]] = {}
        for each in changes[self._seen :]:
            name = each.get("segment") or each["activation"]
            found.setdefault(each["profile"], []).append(f"{each['change']} {name} {each['reason']['kind']}")
        self._seen += count
        return {subject: sorted(changes) for subject, changes in found.items()}

    def settled(self) -> None:
        """Wait until all input is applied, published and written."""
        wait_for(lambda: self.segue.done("lag", "--json").json["lag_records"] == 0)

    def verified(self) -> list[int]:
        """See that the log gives what was published; return how many effects each partition sent."""
        self.settled()
        return [each["effects"] for each in self.segue.done("verify", "--json").json["partitions"]]

    def dumped(self, partition: int, folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
        """Dump a partition; return its records, and what a replay of them publishes, as it stands in the file."""
        file, cuts = folder / f"{partition}.ndjson", folder / f"cuts-{partition}"
        told = self.segue.done("dump", partition, "-o", file, "--catalogues", cuts).err
        [command] = [line for line in told.splitlines() if line.startswith("segue replay")]
        assert "--as-live" in command
        records = [json.loads(line) for line in file.read_text().splitlines()]
        return records, self.segue.done(*command.split()[1:]).out.splitlines()

    def replayed(self, folder: Path) -> list[dict[str, Any]]:
        """See that a dump of each partition gives the same changes when it is replayed; return all records."""
        watched = self.segue.done("watch", "--from-start", "--count", self._seen, "--seconds", 60, "--json")
        published = [line for line in watched.out.splitlines() if "sequence" in json.loads(line)]
        found = []
        for partition in range(self.partitions):
            records, again = self.dumped(partition, folder)
            here = [line for line in published if self.partition_of(json.loads(line)["profile"]) == partition]
            assert sorted(again) == sorted(here)
            found += records
        return found

    def partition_of(self, subject: str) -> int:
        """Return where a subject lives."""
        return partition_of(subject.encode(), self.partitions)
