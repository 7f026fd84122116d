package peers;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * All segments over one profile: the best design's one operator. It keeps no profile.
 *
 * An event at R first fires the profile's own boundaries before R, each at its own instant. Then it is folded, and the
 * slots that it touches, or whose boundary is R, are judged at R.
 */
public final class Evaluator {
    private final Catalogue catalogue;
    private final BitSet touched = new BitSet();

    public Evaluator(Catalogue catalogue) {
        this.catalogue = catalogue;
    }

    /** What an evaluation brought. {@code moved}: the profile is to be written. */
    public record Outcome(List<Change> changes, boolean moved) {}

    /** Apply an event; changes the profile. */
    public Outcome apply(Profile profile, Event event) {
        List<Change> changes = new ArrayList<>(0);
        passTime(profile, event.subject, event.rMs - 1, changes);
        touched.clear();
        boolean moved = fold(profile, event) || !changes.isEmpty();
        for (Slot slot : profile.slots) {
            if (slot.boundaryMs() <= event.rMs) {
                touched.set(slot.segment);
            }
        }
        for (int place = touched.nextSetBit(0); place >= 0; place = touched.nextSetBit(place + 1)) {
            Slot slot = profile.slot(place);
            Segment segment = catalogue.segments.get(place);
            segment.span(slot, profile.facts);
            slot.settle(segment, event.subject, event.rMs, event.name, changes);
        }
        return new Outcome(changes, moved || !touched.isEmpty());
    }

    /** Fire what time alone changes up to an instant; changes the profile. */
    public void passTime(Profile profile, String subject, long untilMs, List<Change> changes) {
        for (long at = profile.nextMs(); at <= untilMs && at != Times.NEVER; at = profile.nextMs()) {
            for (Slot slot : profile.slots) {
                if (slot.boundaryMs() == at) {
                    slot.settle(catalogue.segments.get(slot.segment), subject, at, "", changes);
                }
            }
        }
    }

    private boolean fold(Profile profile, Event event) {
        Facts.Moved moved = profile.facts.fold(event, catalogue);
        if (moved.known()) {
            touch(profile, catalogue.absences);
        }
        if (moved.absent() >= 0) {
            touch(profile, catalogue.wantingAbsent(moved.absent()));
        }
        for (Facts.Step step : moved.steps()) {
            for (Segment segment : catalogue.wantingValue(step.trait(), step.after())) {
                profile.makeSlot(segment.place);
            }
            touch(profile, catalogue.wantingValue(step.trait(), step.after()));
            if (step.before() != null) {
                touch(profile, catalogue.wantingValue(step.trait(), step.before()));
            }
        }
        for (Segment segment : catalogue.wanting(event)) {
            if (segment.admits(event)) {
                segment.fold(profile.makeSlot(segment.place), event);
                touched.set(segment.place);
            }
        }
        return moved.any();
    }

    private void touch(Profile profile, List<Segment> segments) {
        for (Segment segment : segments) {
            if (profile.slot(segment.place) != null) {
                touched.set(segment.place);
            }
        }
    }
}
