"""What records of Segue's own do to a partition: they put a catalogue into force, bring history, or end a fill."""

from collections.abc import Mapping, Set
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.decode import Own
from rules.engine.outcome import AppliedKind, Need, NeedCatalogue, NeedProfiles
from rules.engine.past import FIRST_CUT, History, begin, begin_again, facts_of, read_filled, read_history, take_in
from rules.engine.persons.effects import EFFECT_TYPES
from rules.engine.persons.host import Persons, Telling
from rules.engine.persons.steps import At, settle
from rules.engine.plan import all_of
from rules.engine.profile import NEVER, Profile
from rules.engine.profiles import Profiles
from rules.engine.record import CATALOGUE_TYPE
from rules.engine.step import look_again
from rules.ground.event import Event


class OwnRecords:
    """Applies records of Segue's own. Effects that can be read are applied elsewhere (`rules.engine.related`)."""

    def __init__(self, profiles: Profiles, persons: Persons, telling: Telling) -> None:
        self.catalogues: Final[dict[str, Catalogue]] = {}
        """By hash: the catalogues that were given."""
        self._profiles: Final = profiles
        self._persons: Final = persons
        self._telling: Final = telling

    def need_of(self, own: Own, subject: str) -> Need | None:
        """Return what a record lacks. `subject`: that of the profile it is about; "": it is about none."""
        digest = _catalogue_named(own)
        if digest is not None and digest not in self.catalogues:
            return NeedCatalogue(digest)
        if subject and self._profiles.queue.horizon is not None and self._profiles.lacks(subject):
            return NeedProfiles((subject,))
        return None

    def apply(self, own: Own, at: At) -> AppliedKind:
        """Do what a record says."""
        digest = _catalogue_named(own)
        if digest is not None:
            self.enforce(self.catalogues[digest], at.r_ms)
            return "cut"
        history = read_history(own)
        if history is not None:
            self._take_history(history, at)
            return "own"
        if own.type in EFFECT_TYPES:
            at.marks.append("unreadable")
            return "own"
        filled = read_filled(own)
        if filled is None or not self._profiles.cuts.fill(filled.cut_ms, filled.since_ms, at.r_ms):
            return "own"
        self._profiles.queue.stand_anew(at.r_ms)
        return "filled"

    def enforce(self, catalogue: Catalogue, t_ms: int) -> None:
        """Put a catalogue into force, and every profile into the queue for its visit."""
        self._profiles.cuts.enforce(catalogue, t_ms)
        self._profiles.queue.stand_anew(t_ms)

    def _take_history(self, history: History, at: At) -> None:
        """Make facts known to the conditions that came in at a cut without their history. An alias passes them on."""
        r_ms, profiles = at.r_ms, self._profiles
        cuts, current = profiles.cuts.anew(history.cut_ms, history.traits), profiles.cuts.current
        profile = profiles.profile(history.subject)
        if current is None or not cuts or (profile is None and FIRST_CUT not in cuts):
            return
        facts = [*facts_of(history, current.catalogue.dictionary, r_ms)]
        telling = self._telling
        ties, latest = telling.ties(profile), telling.latest(profile)
        if profile is not None and profile.person is not None:
            self._recall(profile, facts, cuts, at)
        elif profile is not None or facts:
            profile = self._remember(profile, facts, history, cuts, at)
        if profile is not None and FIRST_CUT in cuts:
            # before the first cut no organisation was told of a tie, and nobody was told what it was told
            telling.tied(profile, ties, at)
            telling.moved(profile, latest, at)

    def _remember(
        self, profile: Profile | None, facts: list[Event], history: History, cuts: Mapping[int, Set[str]], at: At
    ) -> Profile:
        """Take history in for a subject that met no link. `profile`: None where it is not known yet."""
        r_ms, profiles, current = at.r_ms, self._profiles, self._profiles.plan
        if profile is None:
            profile = begin(history.subject, current, facts, history.cut_ms)
            profiles.by_subject[history.subject] = profile
        else:
            profiles.bring_up(profile, r_ms, at.items)
        mask = take_in(profile, current, facts, cuts, r_ms)
        profile.mask_cut = -1  # what its exit rules may block is to be found again
        if profile.evaluated_ms == NEVER and FIRST_CUT in current.fills:
            profile.evaluated_ms, mask = r_ms - 1, all_of(current)
        if profile.evaluated_ms != NEVER:
            look_again(profile, current, mask, r_ms)
        profiles.moved(profile)
        return profile

    def _recall(self, profile: Profile, facts: list[Event], cuts: Mapping[int, Set[str]], at: At) -> None:
        """Take history in for a subject that met a link: as facts of its own."""
        person, profiles = profile.linked(), self._profiles
        plan, anew = profiles.plan, profiles.plan.catalogue.policy.begins_anew
        taken = [each for each in facts if person.takes(each.time_ms, anew)]
        if person.own is None and (FIRST_CUT not in cuts or not taken):
            return  # not known: it takes none
        profiles.bring_up(profile, at.r_ms, at.items)
        if not person.parts:
            begin_again(profile, profiles.first_ms)
        mask = take_in(person.begin_own(), plan, taken, cuts, at.r_ms)
        settle(profile, plan, at.r_ms)
        self._persons.recalled(profile, at)
        if person.canonical is None and profile.evaluated_ms != NEVER:
            look_again(profile, plan, mask, at.r_ms)
        profiles.moved(profile)


def _catalogue_named(own: Own) -> str | None:
    """Return the hash of the catalogue that a record of our own puts into force; None: it is another record."""
    if own.type != CATALOGUE_TYPE or not isinstance(own.data, Mapping):
        return None
    digest = own.data.get("catalogue")
    return digest if isinstance(digest, str) else None
