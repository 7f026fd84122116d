"""What platforms answered about people who were erased, in sentences."""

from collections.abc import Sequence

from rules.ground.words import count
from streams.cli.render.sentences import write_sentence
from streams.operations.receipts import ChannelAnswers, ErasureAnswers, all_settled
from streams.wire.erasures import DeletionReceipt


def show_receipts(found: Sequence[ErasureAnswers]) -> None:
    """Write each erasure with the answers of each channel, and at last whether everything is accepted."""
    for each in found:
        write_sentence(_asked(each))
        if not each.seen_through:
            write_sentence(_not_seen(each), indent=2)
        for channel in each.channels:
            write_sentence(f"channel {channel.channel}: {', '.join(_counts(channel))}", indent=2)
            for receipt in channel.receipts:
                write_sentence(_answer(receipt), indent=4)
    write_sentence(_last(found))


def _last(found: Sequence[ErasureAnswers]) -> str:
    if not all_settled(found):
        return "not everything is accepted: see above"
    if any(each.asked is None for each in found):
        return "every answer that is kept is an acceptance; nobody recorded who should have answered"
    if not any(each.channels for each in found):
        return "no channel was told of anybody, so no platform has to answer"
    return "everything is accepted by the platforms that segue deliver tells"


def _asked(each: ErasureAnswers) -> str:
    if each.asked is None:
        return f"erasure {each.erasure}: a producer sent it"
    of = count(each.asked.subjects, "subject")
    request = "" if each.asked.request is None else f"{each.asked.request}: "
    return f"{request}erasure {each.erasure}, asked at {each.asked.at} for {of}"


def _not_seen(each: ErasureAnswers) -> str:
    if each.asked is None:
        return "which channels it tells is not recorded; only answers are"
    return "segue erase did not see it carried out, so which channels it tells is not recorded: run segue erase again"


def _counts(channel: ChannelAnswers) -> list[str]:
    said = [] if channel.changes is None else [f"{count(channel.changes, 'change')} to tell"]
    said += [f"{channel.accepted:,} accepted"]
    said += [f"{channel.refused:,} REFUSED: the platform still has the person"] if channel.refused else []
    said += [f"{channel.waiting:,} without an answer"] if channel.waiting else []
    said += [f"{count(channel.asked_for, 'subject')} deleted on request"] if channel.asked_for else []
    if channel.silent:
        said.append(f"nothing told it of {count(channel.silent, 'subject')}: ask its platform")
    return said


def _answer(receipt: DeletionReceipt) -> str:
    what = "was never sent" if receipt.status is None else f"HTTP {receipt.status}"
    why = f" ({receipt.code})" if receipt.code else ""
    held = count(receipt.persons, "person", "persons")
    deleted = "" if receipt.deleted is None else f", of whom it deletes {receipt.deleted:,}"
    named = "" if receipt.request_id is None else f", request id {receipt.request_id}"
    where = f"{receipt.platform} at {receipt.host}"
    return f"{receipt.at} {where}: {receipt.outcome}{why}, {what}, a request of {held}{deleted}{named}"
