package peers;

import java.util.ArrayList;
import java.util.List;

/** One segment over one profile: the idiomatic design's operator for each segment. */
public final class OneSegment {
    private OneSegment() {}

    /** An event with the facts after it, and what it moved in them. */
    public record Seen(Event event, Facts facts, Facts.Moved moved) {}

    /** Fold an event into the facts; changes them. */
    public static Seen see(Event event, Facts facts, Catalogue of) {
        return new Seen(event, facts, facts.fold(event, of));
    }

    /** Return the slot for an event, or null if the segment has nothing of the profile and the event is not for it. */
    public static Slot slot(Segment segment, byte[] stored, Seen seen) {
        if (stored != null) {
            return Slot.unpack(stored);
        }
        return segment.admits(seen.event) || segment.begins(seen.facts) ? new Slot(segment.place) : null;
    }

    /** Apply an event that the segment wants; changes the slot. */
    public static List<Change> apply(Segment segment, Slot slot, Seen seen) {
        Event event = seen.event;
        List<Change> changes = new ArrayList<>(0);
        slot.passTime(segment, event.subject, event.rMs - 1, changes);
        if (segment.admits(event)) {
            segment.fold(slot, event);
        }
        segment.span(slot, seen.facts);
        slot.settle(segment, event.subject, event.rMs, event.name, changes);
        return changes;
    }
}
