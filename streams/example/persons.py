"""Second names of synthetic profiles, and the events that link, part and erase them: invented, of no real person.

A professional is `hcp:` and an NPI to the portal, and `crm:` and a number to the CRM. A patient is `patient:` and a
number to the support programme's hub, and `app:` and a token to its app. Somebody (here `/steward`) decides that two
names are one person; the events say so.
"""

from typing import Final

from streams.example.synthetic import Data, cloudevent

SECOND_KINDS: Final = {"hcp": "crm", "patient": "app"}
"""Kinds of subjects whose profiles have a second name, and the kind of that name."""
STEWARD: Final = "/steward"
PRIVACY: Final = "/privacy"


def second_name(subject: str) -> str:
    """Return the second name of a professional or a patient. Raises KeyError for other kinds."""
    kind, _, name = subject.partition(":")
    digits = f"{int(''.join(filter(str.isdigit, name))):010d}"
    second = SECOND_KINDS[kind]
    return f"crm:{digits[-7:]}" if second == "crm" else f"app:{int(digits) * 2_654_435_761 % 2**32:08x}"


def linked(subject: str, canonical: str, number: int, t_ms: int) -> Data:
    """Make the event by which a subject comes to stand for another."""
    data = {"canonical": canonical}
    return cloudevent(f"link-{number}", STEWARD, "identity.linked", subject, t_ms, data)


def unlinked(subject: str, number: int, t_ms: int) -> Data:
    """Make the event by which a subject stands for itself again."""
    return cloudevent(f"unlink-{number}", STEWARD, "identity.unlinked", subject, t_ms, {})


def erased(subject: str, number: int, t_ms: int) -> Data:
    """Make the event by which a person is forgotten."""
    return cloudevent(f"erase-{number}", PRIVACY, "privacy.erased", subject, t_ms, {"request": f"DSR-{number}"})


def enrolled_in_crm(subject: str, number: int, t_ms: int) -> Data:
    """Make the event by which a practice enters the treatment-initiation programme, told under a name of the CRM."""
    return cloudevent(f"crm-start-{number}", "/crm", "programme.enrolled", subject, t_ms, {})


def stopped_in_app(subject: str, number: int, t_ms: int) -> Data:
    """Make the event by which a patient takes consent to messages back, told under the name of the app."""
    data = {"channel": "sms", "purpose": "service"}
    return cloudevent(f"app-stop-{number}", "/app", "consent.withdrawn", subject, t_ms, data)


def completed_in_crm(subject: str, number: int, t_ms: int) -> Data:
    """Make the event that ends the programme, told under a name of the CRM."""
    return cloudevent(f"crm-done-{number}", "/crm", "programme.completed", subject, t_ms, {})
