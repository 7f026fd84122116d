"""Scoring pairs of rows with Splink, on DuckDB, in memory. Same rows, same scores: nothing is drawn or learned."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from streams.operations.matching import blocking, weights
from streams.operations.matching.blocking import BLOCK_MAX, Key
from streams.operations.matching.normal import MatchingMissing, Normal
from streams.operations.matching.weights import Comparison, Word

EXPECTED_MIN: Final = 1_000
"""Rows at least that the files are taken to be part of: two rows of a short list are not more likely one person."""
COMMON: Final = 5_000
"""Rows of which a name's usual share is taken to be known beforehand: so many weigh as much as the files' own count."""
PAIRS_AT_ONCE: Final = 4_000_000
"""Pairs that are looked at in one part, about: rows are compared in parts, so that memory does not grow with the pairs.
A million pairs and their keys are about 100 MB in DuckDB."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Two rows by their number, the probability that they are one, and how each field compares."""

    left: int
    right: int
    probability: float
    words: Mapping[str, Word]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a key led to. `pairs`: no key before it had led to them; `left_out`: its values that too many rows have."""

    words: str
    pairs: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What was looked at, and the pairs at or over the threshold, or with one NPI."""

    looked: Sequence[Looked]
    pairs: Sequence[Scored]


def score(rows: Sequence[Normal], by: frozenset[str], at_least: float, *, organisations: bool) -> Scores:
    """Score the pairs of rows of different subjects that share a key. Raises MatchingMissing.

    Pairs come in no order. `at_least`: the least probability; a pair with one NPI comes in any case, unless more than
    BLOCK_MAX rows bear that one.
    """
    keys = [each for each in (blocking.ORGANISATION if organisations else blocking.PERSON) if _usable(each, by)]
    compared = [each for each in (weights.ORGANISATION if organisations else weights.PERSON) if each.field in by]
    if len(rows) < 2 or not keys:
        return Scores([Looked(each.words, 0, 0) for each in keys], [])
    try:
        import duckdb
        import pyarrow
        from splink import DuckDBAPI, Linker
    except ImportError:
        raise MatchingMissing from None
    alone: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(config=alone) as database:
        names = [each.name for each in fields(Normal)]
        table = {name: [getattr(row, name) for row in rows] for name in names}
        database.register("normal", pyarrow.table({"unique_id": range(len(rows)), **table}))
        _make_keys(database, keys, compared, len(rows))
        common = [_leave_out_common(database, each) for each in keys]
        left_out = [each for each, _ in common]
        if not compared:
            same = _same_npi(database)
            return Scores([Looked(keys[0].words, len(same), left_out[0])], same)
        parts = -(-sum(pairs for _, pairs in common) // PAIRS_AT_ONCE) or 1
        api = DuckDBAPI(connection=database)
        keyed = api.register("keyed")

        def predictor(some: Sequence[Key]) -> Any:
            return Linker(keyed, _settings(len(rows), some, compared), log_level=None).inference

        looked: Counter[str] = Counter()
        pairs = list(_scored(database, predictor(keys), compared, parts, at_least, looked))
        certain = [each for each in keys if each.field == "npi"]
        if certain:
            over = {(each.left, each.right) for each in pairs}
            alike = _scored(database, predictor(certain), compared, 1, 0.0, Counter())
            pairs += [each for each in alike if (each.left, each.right) not in over]
        return Scores([Looked(key.words, looked[str(n)], left_out[n]) for n, key in enumerate(keys)], pairs)


def _scored(
    database: Any, inference: Any, compared: Sequence[Comparison], parts: int, at_least: float, looked: Counter[str]
) -> Iterator[Scored]:
    """Yield the pairs of a probability of `at_least` or more. `looked`: adds the pairs looked at, by number of key."""
    for part in range(1, parts + 1):
        left = (part, parts)
        blocked = inference.compute_blocked_pairs_for_predict_chunk(left_chunk=left)
        counts = database.execute(f"SELECT match_key, count(*) FROM {blocked.physical_name} GROUP BY 1").fetchall()
        looked.update(dict(counts))
        # Splink's own threshold keeps unlikely pairs out of memory. It takes no 0 and no 1
        least = min(at_least, 0.99) or None
        predicted = inference.predict_chunk(left_chunk=left, threshold_match_probability=least, warning_mode="never")
        yield from _found(database, predicted.physical_name, compared, at_least)
        for each in (blocked, predicted):
            each.drop_table_from_database_and_remove_from_cache()


def _usable(key: Key, by: frozenset[str]) -> bool:
    """Tell whether a key can be made: its own field and those that it names are compared by."""
    also = {"k_place_family", "k_place_given", "k_place"}
    return key.field in by and (key.name not in also or "name" in by)


def _make_keys(database: Any, keys: Sequence[Key], compared: Sequence[Comparison], rows: int) -> None:
    """Make the table `keyed`: the rows, their keys, and how common what is counted is."""
    made = ", ".join(f"{_none_if_empty(key)} AS {key.name}" for key in keys)
    database.execute(
        "CREATE TABLE keyed AS SELECT *, family || '|' || given AS person, postcode || '|' || street AS place,"
        f" {made} FROM normal"
    )
    counted = {(each.counted, each.u) for comparison in compared for each in comparison.levels if each.counted}
    for name, u in sorted(counted):
        # two rows are the pair itself; a value is taken for at most four times rarer than usual
        others = f"greatest(count(*) OVER (PARTITION BY {name}) - 2, 0)"
        share = f"greatest(({others} + {COMMON * u}) / {rows + COMMON}, {u / 4})"
        database.execute(f"CREATE OR REPLACE TABLE keyed AS SELECT *, {share} AS tf_{name} FROM keyed")


def _none_if_empty(key: Key) -> str:
    return f"({key.sql})" if key.several else f"nullif({key.sql}, '')"


def _leave_out_common(database: Any, key: Key) -> tuple[int, int]:
    """Take a key's values away that more than BLOCK_MAX rows have.

    Returns how many values these were, and how many pairs of rows the others bring at most.
    """
    each = f"unnest({key.name})" if key.several else key.name
    counted = (
        f"(SELECT value, count(*) AS n FROM (SELECT {each} AS value FROM keyed) WHERE value IS NOT NULL GROUP BY 1)"
    )
    values = [value for (value,) in database.execute(f"SELECT value FROM {counted} WHERE n > {BLOCK_MAX}").fetchall()]
    if values:
        kept = (
            f"list_filter({key.name}, lambda each: NOT list_contains($values, each))"
            if key.several
            else f"CASE WHEN NOT list_contains($values, {key.name}) THEN {key.name} END"
        )
        database.execute(f"UPDATE keyed SET {key.name} = {kept}", {"values": values})
    ((pairs,),) = database.execute(f"SELECT sum(n * (n - 1)) // 2 FROM {counted}").fetchall()
    return len(values), int(pairs or 0)


def _same_npi(database: Any) -> list[Scored]:
    """Return the pairs of one NPI, where nothing else is compared: Splink has nothing to score then."""
    found = database.execute(
        "SELECT l.unique_id, r.unique_id FROM keyed AS l JOIN keyed AS r"
        " ON l.k_npi = r.k_npi AND l.unique_id < r.unique_id AND l.subject <> r.subject"
    )
    return [Scored(left, right, 1.0, {}) for left, right in found.fetchall()]


def _settings(rows: int, keys: Sequence[Key], compared: Sequence[Comparison]) -> dict[str, Any]:
    """Return Splink's settings. Before any comparison, each row is taken to have one other of its person."""
    return {
        "link_type": "dedupe_only",
        "probability_two_random_records_match": 1.0 / max(rows, EXPECTED_MIN),
        "blocking_rules_to_generate_predictions": [_rule(each) for each in keys],
        "comparisons": [_comparison(each) for each in compared],
        "additional_columns_to_retain": ["subject"],
        "linker_uid": "segue",
    }


def _rule(key: Key) -> dict[str, Any]:
    rule: dict[str, Any] = {"blocking_rule": f"l.{key.name} = r.{key.name} AND l.subject <> r.subject"}
    return rule | {"arrays_to_explode": [key.name]} if key.several else rule


def _comparison(comparison: Comparison) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [{"sql_condition": comparison.missing, "is_null_level": True}]
    for each in comparison.levels:
        level: dict[str, Any] = {"sql_condition": each.condition, "m_probability": each.m, "u_probability": each.u}
        if each.counted:
            level |= {
                "tf_adjustment_column": each.counted,
                "tf_adjustment_weight": 1.0,
                "disable_tf_exact_match_detection": True,
            }
        levels.append(level)
    return {"output_column_name": comparison.field, "comparison_levels": levels}


def _found(database: Any, predicted: str, compared: Sequence[Comparison], at_least: float) -> Iterator[Scored]:
    gammas = "".join(f", gamma_{each.field}" for each in compared)
    found = database.execute(
        f"SELECT unique_id_l, unique_id_r, match_probability{gammas} FROM {predicted}"
        f" WHERE match_probability >= {at_least!r}"
    )
    for left, right, probability, *levels in found.fetchall():
        words = {each.field: _word(each, level) for each, level in zip(compared, levels, strict=True)}
        yield Scored(left, right, probability, words)


def _word(comparison: Comparison, level: int) -> Word:
    """Return the word of a level. Splink numbers levels from the last, 0, to the first; -1 is the missing one."""
    return "" if level < 0 else comparison.levels[len(comparison.levels) - 1 - level].word
