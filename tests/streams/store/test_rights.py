"""The rights of Segue's user are told the same in code, in deploy/ and in docs/."""

import re
from pathlib import Path

from streams.store.rights import ASIDE, READS, WRITES, acl_rules

ROOT = Path(__file__).parents[3]
SENT = re.compile(r'\[b"([A-Z_]+)"')
"""How the code writes a command: a list that begins with its name."""
LINE = f"user segue on >CHANGE-ME {acl_rules('segue')}\n"


def test_the_file_and_the_page_have_the_users_line() -> None:
    assert (ROOT / "deploy" / "redis" / "segue.acl").read_text() == LINE
    assert LINE in (ROOT / "docs" / "operations" / "securing.md").read_text()


def test_a_write_is_asked_for_inside_a_transaction_only() -> None:
    assert not set(WRITES) & set(READS)
    assert {"MULTI", "DISCARD"} <= set(READS)


def test_every_command_that_the_store_sends_is_among_the_rights() -> None:
    sources = [path for path in (ROOT / "streams" / "store").glob("*.py") if path.name != "rights.py"]
    sent = {name for path in sources for name in SENT.findall(path.read_text())}
    assert {"HSET", "MGET", "MULTI", "WATCH"} <= sent, "the store writes its commands otherwise now"
    assert sent <= {*READS, *WRITES, *ASIDE}
