"""One evaluation of one profile: its memberships first, then its activations."""

from tests.naive.activation import activate
from tests.naive.decode import Event
from tests.naive.membership import Visit, move_all
from tests.naive.pending import Era
from tests.naive.pilots import governed
from tests.naive.profile import Profile


def evaluate(profile: Profile, era: Era, t: int, event: Event | None = None, visit: Visit = None) -> list[bytes]:
    """Evaluate a profile at an instant. Returns the changes as JSON."""
    profile.cursor = t
    era = governed(profile, era, t)
    return move_all(profile, era, t, event, visit) + activate(profile, era, t, event, at_cut=visit == "cut")
