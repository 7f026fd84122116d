"""What is held of a person: a table for each subject, and sentences."""

from rules.ground.instants import MS_PER_DAY, format_instant
from rules.ground.words import count
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import keep_whole, row, table
from streams.cli.render.terminal import out
from streams.operations.privacy import Place, Privacy, SubjectHeld


def show_privacy(found: Privacy) -> None:
    """Write everything, and at last by when nothing is left."""
    for subject in found.subjects:
        _show(subject, found)
    for part in found.unread:
        records = f"{part.topic}, partition {part.partition}: offsets {part.offset:,} to {part.end:,}"
        write_sentence(f"not read in time: {records}; give more --seconds")
    write_sentence(
        "Segue cannot see: files that somebody wrote (segue dump, members, preview, letters, match), what platforms"
        " keep, and records whose key is not the subject, as of refused events"
    )
    write_sentence(_last(found))


def _show(held: SubjectHeld, found: Privacy) -> None:
    write_sentence(f"{held.subject}: {_said(held)}")
    write_sentence(_redis(held, found), indent=2)
    topics = count(len(found.looked_at), "topic")
    if not held.places:
        write_sentence(f"no record in {topics}", indent=2)
        return
    write_sentence(f"records in {len(held.places)} of {topics}:", indent=2)
    shown = table("topic", "records", "oldest", "newest", "gone by", right=("records",))
    for place in held.places:
        cells = (place.topic, f"{place.records:,}", _day(place.oldest_ms), _day(place.newest_ms), _gone(place))
        shown.add_row(*row(cells))
    keep_whole(shown, "topic", [each.topic for each in held.places])
    out.print(shown)


def _said(held: SubjectHeld) -> str:
    if held.stands == "unknown":
        return "no profile"
    if held.stands == "erased" and held.erased_ms is not None:
        return f"erased at {format_instant(held.erased_ms)}"
    alias = "" if held.stands_for is None else f", stands for {held.stands_for}"
    again = "" if held.erased_ms is None else f"; it began anew after the erasure at {format_instant(held.erased_ms)}"
    return f"not erased{alias}{again}"


def _redis(held: SubjectHeld, found: Privacy) -> str:
    if held.redis_bytes is None:
        return "Redis: nothing"
    holds = f"Redis: {count(held.redis_bytes, 'byte')}"
    kept = count(found.backup_days, "day")
    if held.backups_gone_ms is None:
        return f"{holds}; its backups are kept for {kept} (SEGUE_REDIS_BACKUP_DAYS)"
    stays = "no facts, under a hash of the name"
    if held.named_in_redis:
        stays = "no facts; the name stays, so that what comes late is refused"
    return f"{holds}, {stays}; backups with facts are gone by {_day(held.backups_gone_ms)}"


def _gone(place: Place) -> str:
    if place.standing:
        return "stands until it ends"
    return "not known, or never" if place.gone_ms is None else _day(place.gone_ms)


def _last(found: Privacy) -> str:
    """Say the one thing that a person who asked wants to know."""
    if found.nothing:
        return "nothing is held: no profile and no record"
    if found.stands == "held":
        some = any(each.stands == "erased" for each in found.subjects)
        said = "not all subjects are erased" if some else "not erased"
        if found.gone_after_ms is None:
            return f"{said}; after an erasure a topic would keep records for ever, or its settings are hidden"
        days = -(-found.gone_after_ms // MS_PER_DAY)
        return f"{said}; gone from every disk {count(days, 'day')} after an erasure"
    if found.gone_ms is None:
        return "gone from every disk: no date, because a place above has none, or a topic keeps records for ever"
    more = ", at the latest: not everything was read" if found.unread else ""
    names = sum(each.named_in_redis and each.stands == "erased" for each in found.subjects)
    but = f"; {'a name stays' if names == 1 else f'{names:,} names stay'} in Redis: see SEGUE_ERASURE_KEY"
    return f"gone from every disk by {_day(found.gone_ms)}{more}{but if names else ''}"


def _day(t_ms: int) -> str:
    return format_instant(t_ms)[:10]
