package peers;

import java.util.ArrayList;
import java.util.List;

/** What every segment of a profile may look at: since when it is known, when types came last, its traits. */
public final class Facts {
    long knownMs = Times.NEVER;
    /** By absent type (its place in the catalogue): the greatest time; 0: none. */
    final long[] latestMs;
    /** By trait: the setting with the greatest (time, name). */
    final Setting[] traits;

    /** A value of a trait, and the event that set it. */
    record Setting(long timeMs, String name, String value) {}

    /** What an event changed. {@code absent}: a place in the catalogue, or -1. */
    record Moved(boolean known, int absent, List<Step> steps) {
        boolean any() {
            return known || absent >= 0 || !steps.isEmpty();
        }
    }

    /** A trait that has another setting. {@code before} is null if it had none. */
    record Step(int trait, String before, String after) {}

    Facts(Catalogue of) {
        latestMs = new long[of.absentTypes.size()];
        traits = new Setting[of.traits.size()];
    }

    /** Fold an event. Twice is as once. */
    Moved fold(Event event, Catalogue of) {
        boolean known = event.timeMs < knownMs;
        if (known) {
            knownMs = event.timeMs;
        }
        Integer type = of.absentTypes.get(event.type);
        int absent = -1;
        if (type != null && event.timeMs > latestMs[type]) {
            latestMs[type] = event.timeMs;
            absent = type;
        }
        return new Moved(known, absent, event.type.equals(Catalogue.UPDATED) ? steps(event, of) : List.of());
    }

    private List<Step> steps(Event event, Catalogue of) {
        List<Step> found = new ArrayList<>();
        for (int n = 0; n < traits.length; n++) {
            String value = event.texts.get(of.traits.get(n));
            Setting before = traits[n];
            if (value == null || before != null && !later(event, before)) {
                continue;
            }
            traits[n] = new Setting(event.timeMs, event.name, value);
            found.add(new Step(n, before == null ? null : before.value, value));
        }
        return found;
    }

    private static boolean later(Event event, Setting than) {
        return event.timeMs > than.timeMs || event.timeMs == than.timeMs && event.name.compareTo(than.name) > 0;
    }

    void pack(Packer to) {
        to.time(knownMs);
        for (long ms : latestMs) {
            to.time(ms);
        }
        for (Setting one : traits) {
            to.time(one == null ? 0 : one.timeMs);
            if (one != null) {
                to.text(one.name);
                to.text(one.value);
            }
        }
    }

    static Facts unpack(Unpacker from, Catalogue of) {
        Facts found = new Facts(of);
        found.knownMs = from.time();
        for (int n = 0; n < found.latestMs.length; n++) {
            found.latestMs[n] = from.time();
        }
        for (int n = 0; n < found.traits.length; n++) {
            long ms = from.time();
            found.traits[n] = ms == 0 ? null : new Setting(ms, from.text(), from.text());
        }
        return found;
    }

    public byte[] pack() {
        Packer to = new Packer(512);
        pack(to);
        return to.done();
    }

    /** Null: nothing is known of the profile yet. */
    public static Facts unpack(byte[] bytes, Catalogue of) {
        return bytes == null ? new Facts(of) : unpack(new Unpacker(bytes), of);
    }
}
