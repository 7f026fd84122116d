package peers;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.Set;

/** One segment: which events it wants, what it remembers of them, and when its condition holds. */
public abstract class Segment {
    public final String id;
    /** Its place in the catalogue. */
    public final int place;
    final long withinMs;
    final Filter match;
    final Filter then;

    private Segment(JsonNode given, int place) {
        this.id = given.get("id").asText();
        this.place = place;
        this.withinMs = given.get("within_ms").asLong();
        this.match = given.get("match").isNull() ? null : new Filter(given.get("match"));
        this.then = given.get("then").isNull() ? null : new Filter(given.get("then"));
    }

    static Segment of(JsonNode given, int place, Catalogue catalogue) {
        String kind = given.get("kind").asText();
        return switch (kind) {
            case "count", "recency" -> new Count(given, place);
            case "sequence" -> new Sequence(given, place);
            case "absence" -> new Absence(given, place, catalogue);
            case "trait" -> new Trait(given, place, catalogue);
            default -> throw new IllegalArgumentException("a kind of segment that this peer does not know: " + kind);
        };
    }

    /** Tell whether an event, or what it moved in the facts, may change the span. */
    public boolean wants(Event event, Facts.Moved moved) {
        return admits(event);
    }

    /** Tell whether a filter admits the event: then it is to be folded, and a slot is made for it. */
    public boolean admits(Event event) {
        return match != null && match.admits(event) || then != null && then.admits(event);
    }

    /** Remember an event that a filter admits. Twice is as once. */
    void fold(Slot slot, Event event) {}

    /** Set the slot's span. */
    abstract void span(Slot slot, Facts facts);

    /** Tell whether a slot must be made although no filter admits the event. */
    boolean begins(Facts facts) {
        return false;
    }

    /** At least so many events within a time. Recency is a count of one. */
    private static final class Count extends Segment {
        private final int atLeast;

        Count(JsonNode given, int place) {
            super(given, place);
            atLeast = given.get("at_least").asInt();
        }

        @Override
        void fold(Slot slot, Event event) {
            slot.memory().first.add(event.timeMs, event.nameHash, atLeast);
        }

        @Override
        void span(Slot slot, Facts facts) {
            Entries first = slot.memory().first;
            slot.span(0, first.size < atLeast ? 0 : first.times[atLeast - 1] + withinMs);
        }
    }

    /** One event, then another one that is not earlier, both within a time. */
    private static final class Sequence extends Segment {
        /** First events that wait for their second. */
        private static final int WAITING_MAX = 512;

        Sequence(JsonNode given, int place) {
            super(given, place);
        }

        @Override
        void fold(Slot slot, Event event) {
            Memory memory = slot.memory();
            if (match.admits(event) && event.timeMs > memory.best) {
                memory.first.add(event.timeMs, event.nameHash, WAITING_MAX);
            }
            if (then.admits(event)) {
                // two are enough: if the latest is the first event itself, the other one may be its second
                memory.second.add(event.timeMs, event.nameHash, 2);
            }
            for (int n = 0; n < memory.first.size; n++) {
                if (hasSecond(memory, n)) {
                    memory.best = memory.first.times[n];
                    memory.first.keepAfter(memory.best);
                    return;
                }
            }
        }

        private static boolean hasSecond(Memory memory, int n) {
            for (int other = 0; other < memory.second.size; other++) {
                boolean same = memory.second.times[other] == memory.first.times[n]
                        && memory.second.names[other] == memory.first.names[n];
                if (!same && memory.second.times[other] >= memory.first.times[n]) {
                    return true;
                }
            }
            return false;
        }

        @Override
        void span(Slot slot, Facts facts) {
            long best = slot.memory().best;
            slot.span(0, best == 0 ? 0 : best + withinMs);
        }
    }

    /** An event within a time, and none of a type for a while in which the profile was known. */
    private static final class Absence extends Segment {
        private final int absent;
        private final long absentMs;

        Absence(JsonNode given, int place, Catalogue catalogue) {
            super(given, place);
            absent = catalogue.absentType(given.get("absent").asText());
            absentMs = given.get("absent_ms").asLong();
        }

        @Override
        public boolean wants(Event event, Facts.Moved moved) {
            return moved.known() || moved.absent() == absent || admits(event);
        }

        @Override
        void fold(Slot slot, Event event) {
            slot.memory().first.add(event.timeMs, 0, 1);
        }

        @Override
        void span(Slot slot, Facts facts) {
            long from = Math.max(facts.knownMs, facts.latestMs[absent]) + absentMs;
            Entries first = slot.memory().first;
            long until = first.size == 0 ? 0 : first.times[0] + withinMs;
            slot.span(from < until ? from : 0, from < until ? until : 0);
        }
    }

    /** A trait has one of some values. It remembers nothing. */
    private static final class Trait extends Segment {
        private final int trait;
        private final Set<String> values = new HashSet<>();

        Trait(JsonNode given, int place, Catalogue catalogue) {
            super(given, place);
            trait = catalogue.trait(given.get("trait").asText());
            given.get("values").forEach(value -> values.add(value.asText()));
            catalogue.byValue(trait, values, this);
        }

        @Override
        public boolean wants(Event event, Facts.Moved moved) {
            for (Facts.Step step : moved.steps()) {
                if (step.trait() == trait && (values.contains(step.before()) || values.contains(step.after()))) {
                    return true;
                }
            }
            return false;
        }

        @Override
        boolean begins(Facts facts) {
            return holds(facts);
        }

        @Override
        void span(Slot slot, Facts facts) {
            slot.span(0, holds(facts) ? Times.NEVER : 0);
        }

        private boolean holds(Facts facts) {
            Facts.Setting setting = facts.traits[trait];
            return setting != null && values.contains(setting.value());
        }
    }
}
