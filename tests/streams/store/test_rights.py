"""The rights of Segue's user are told the same in code, in deploy/ and in docs/."""

from pathlib import Path

from streams.store.rights import READS, WRITES, acl_rules

ROOT = Path(__file__).parents[3]
LINE = f"user segue on >CHANGE-ME {acl_rules('segue')}\n"


def test_the_file_and_the_page_have_the_users_line() -> None:
    assert (ROOT / "deploy" / "redis" / "segue.acl").read_text() == LINE
    assert LINE in (ROOT / "docs" / "operations" / "securing.md").read_text()


def test_a_write_is_asked_for_inside_a_transaction_only() -> None:
    assert not set(WRITES) & set(READS)
    assert {"MULTI", "DISCARD"} <= set(READS)
