"""With an erasure key Redis names nobody who was erased, in memory or on disk, and refuses them all the same."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import redis.asyncio

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, stop, wait_for
from tests.acceptance.forked import Forked, Quick
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.redis_content import everything_told
from tests.servers import running_valkey, unique

pytestmark = pytest.mark.servers
OLD, NEW, OTHER = (f"the-{each}-made-up-erasure-key-of-tests" for each in ("old", "new", "other"))
GONE, ALIAS, LATER = "hcp:erased-person", "hcp:erased-alias", "hcp:erased-later"
FILES = {**SMALL, "policy.yaml": "erasure: {afterwards: begin_anew}\n"}
TOLD = (
    *(event(each, "portal.login", 1) for each in ("hcp:erased-person", "hcp:erased-alias", "hcp:erased-later")),
    event("hcp:living", "portal.login", 1),
    event("hcp:erased-alias", "identity.linked", 2, canonical="hcp:erased-person"),
)
FILES["segments/visitors.yaml"] = SMALL["segments/visitors.yaml"].replace("at_least: 2", "at_least: 1")


@dataclass
class World:
    """A deployment over a Valkey of its own, which keeps its data on disk; a worker runs in between."""

    segue: Segue
    valkey: ValkeyServer
    folder: Path
    before: bytes = b""
    """What the server held before GONE and ALIAS were erased."""
    after: bytes = b""
    """What it held after that."""

    def keys(self, *keys: str) -> None:
        """Give every process these keys, in a file."""
        file = self.folder / "erasure-keys"
        file.write_text("\n".join(keys))
        self.segue.environment["SEGUE_ERASURE_KEY_FILE"] = str(file)

    def sent(self, *lines: str) -> None:
        """Send events to a worker that starts, applies, writes and ends."""
        with self.working():
            self.send(*lines)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let a worker run meanwhile."""
        with self.segue.started("worker") as worker:
            yield
            assert stop(worker).status == 0

    def send(self, *lines: str) -> None:
        """Send events, and wait until they are applied and written."""
        self.segue.done("send", "-", stdin="".join(lines))
        for _ in range(2):
            wait_for(self._is_written)

    def _is_written(self) -> bool:
        partitions = self.segue.done("lag", "--json").json["partitions"]
        return all(not each["lag_records"] and each["applied"] >= each["published"] for each in partitions)

    def told(self) -> bytes:
        """Return all that the server holds in memory, and its files after it wrote them anew."""

        async def memory() -> bytes:
            async with redis.asyncio.Redis.from_url(self.valkey.redis_url, protocol=2) as client:
                return await everything_told(client)

        with redis.Redis.from_url(self.valkey.redis_url) as client:
            client.config_set("rdbcompression", "no")
            client.bgrewriteaof()
            wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
            client.save()
        files = [each.read_bytes() for each in sorted(self.valkey.folder.rglob("*")) if each.suffix in (".rdb", ".aof")]
        assert files
        return b"|".join([asyncio.run(memory()), *files])

    def sequences(self, subject: str) -> list[int]:
        """Return the numbers of all changes of a subject's segments."""
        told = self.segue.done("watch", "--from-start", "--seconds", 2, "--subject", subject, "--json").lines
        return [each["sequence"] for each in told if "segment" in each]


@pytest.fixture(scope="module")
def erased_world(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A person of two subjects who was erased under the old key, and two people who are in a segment."""
    folder = tmp_path_factory.mktemp("erasure-key")
    with ExitStack() as stack:
        valkey = stack.enter_context(running_valkey(appendonly=True))
        made = Quick(deployment(unique("hashed"), kafka.bootstrap, valkey.redis_url, 2).environment)
        made.environment |= {
            "SEGUE_WEB_PORT": "0",
            "SEGUE_METRICS_PORT": "0",
        }  # as Segue.started does
        made.forked = stack.enter_context(Forked(made, folder))
        world = World(made, valkey, folder)
        world.keys(OLD)
        made.done("topics")
        made.done("apply", write_catalogue(folder / "rules", FILES))
        with world.working():
            world.send(*TOLD)
            world.before = world.told()
            world.send(event(ALIAS, "privacy.erased", "forget"))
            world.after = world.told()
        yield world


@pytest.fixture
def world(erased_world: World) -> World:
    """The same, and every process has the old key and a new one before it, whatever a test did with them."""
    erased_world.keys(NEW, OLD)
    return erased_world


def erased(segue: Segue, *subjects: str) -> bool:
    """Tell whether `segue privacy` says so."""
    return bool(segue.done("privacy", *subjects, "--json").json["stands"] == "erased")


def test_what_stays_of_erased_people_names_nobody_and_refuses_them(world: World) -> None:
    segue = world.segue
    assert all(each.encode() in world.before for each in (GONE, ALIAS))
    assert not [each for each in (GONE, ALIAS) if each.encode() in world.after]
    assert b"hcp:living" in world.after

    # a worker that starts anew refuses what comes late, and every command finds them by their names
    world.sent(*TOLD)
    assert erased(segue, GONE, ALIAS)
    assert not [each for each in (GONE, ALIAS) if each.encode() in world.told()]
    assert "no facts, under a hash of the name" in segue.done("privacy", GONE).out
    assert "erased" in segue.done("explain", GONE).out

    # a preview of records that no worker has applied takes nobody for a stranger
    segue.done("send", "-", stdin=TOLD[0] + event("hcp:stranger", "portal.login", 1))
    more = {**FILES, "segments/again.yaml": FILES["segments/visitors.yaml"].replace("visitors", "again")}
    folder = write_catalogue(world.folder / "more", more)
    previewed = segue.done("preview", folder, "--who", 20, "--json").out
    assert "hcp:stranger" in previewed
    assert GONE not in previewed
    world.sent()
    assert erased(segue, GONE)


def test_match_refuses_to_link_who_is_known_by_a_hash_alone(world: World) -> None:
    table = world.folder / "pairs.csv"
    table.write_text(f"decision,subject,other\naccept,hcp:living,{GONE}\n")
    asked = ("match", "--decided", table, "--links", world.folder / "links.ndjson", "--send")
    refused = world.segue(*asked)
    assert (refused.status, refused.err) == (
        1,
        "pairs.csv, row 2: one of this pair was erased, and what is told of the other would be in nothing\n",
    )
    del world.segue.environment["SEGUE_ERASURE_KEY_FILE"]
    assert "would take them for strangers" in world.segue(*asked).err


def test_who_lacks_a_key_is_told_so_and_a_new_key_may_stand_before_it(world: World) -> None:
    segue = world.segue
    for keys in ([OTHER], []):
        world.keys(*keys)
        if not keys:
            del segue.environment["SEGUE_ERASURE_KEY_FILE"]
        refused = segue("worker")
        assert refused.status == 1
        assert "would take them for strangers" in refused.err
        assert "add it to SEGUE_ERASURE_KEY" in refused.err
        assert "would take them for strangers" in segue("explain", GONE).err
        assert segue("doctor", "--no-write").status == 1
        assert segue("explain", "hcp:living").status == 0
    world.keys(NEW, OLD)
    assert erased(segue, GONE, ALIAS)
    numbers = world.sequences(LATER)
    world.sent(event(LATER, "privacy.erased", "forget-later"))
    told = world.told()
    assert not [each for each in (GONE, ALIAS, LATER) if each.encode() in told]
    assert erased(segue, GONE, ALIAS, LATER)

    # who begins anew stands under the name again, and its sequence goes on
    world.sent(event(LATER, "portal.login", "anew"))
    assert LATER.encode() in world.told()
    assert world.sequences(LATER) == [*numbers, numbers[-1] + 1, numbers[-1] + 2]


def test_a_rebuilt_state_names_nobody_either(world: World) -> None:
    world.segue.done("rebuild", "--force")
    told = world.told()
    assert not [each for each in (GONE, ALIAS) if each.encode() in told]
    assert erased(world.segue, GONE, ALIAS)
    world.segue.done("verify")


def test_names_that_stayed_for_want_of_a_key_go_with_the_next_apply(world: World) -> None:
    segue = world.segue
    del segue.environment["SEGUE_ERASURE_KEY_FILE"]
    segue.done("rebuild", "--force")
    assert GONE.encode() in world.told()
    assert "the name stays" in segue.done("privacy", GONE).out
    assert "SEGUE_ERASURE_KEY" in segue.done("doctor", "--no-write").out
    world.keys(NEW, OLD)
    third = {**FILES, "segments/third.yaml": FILES["segments/visitors.yaml"].replace("visitors", "third")}
    segue.done("apply", write_catalogue(world.folder / "third", third))
    world.sent(event("hcp:living", "portal.login", 9))
    assert not [each for each in (GONE, ALIAS) if each.encode() in world.told()]
    assert erased(segue, GONE, ALIAS)
