"""One evaluation of one profile: its memberships first, then its activations."""

from tests.naive.activation import activate
from tests.naive.decode import Event
from tests.naive.membership import Taken, Visit, leave_all, move_all, take_exits
from tests.naive.pending import Era
from tests.naive.pilots import governed
from tests.naive.profile import Profile


def evaluate(
    profile: Profile,
    era: Era,
    t: int,
    event: Event | None = None,
    visit: Visit = None,
    leaving: str | None = None,
    taken: Taken | None = None,
) -> list[bytes]:
    """Evaluate a profile at an instant. Returns the changes as JSON.

    `leaving`: it is not known any more, and leaves everything with this reason. `taken`: what it takes over.
    """
    profile.cursor = t
    era = governed(profile, era, t)
    if taken is not None:
        take_exits(profile, taken)
    if leaving is not None:
        return leave_all(profile, era, t, event, leaving) + activate(profile, era, t, event, leaving=leaving)
    return move_all(profile, era, t, event, visit, taken) + activate(profile, era, t, event, at_cut=visit == "cut")
