package peers;

import java.util.List;

/**
 * What a profile has of one segment: its membership, the span of time in which the condition holds, and the memory.
 *
 * With no new event a condition of the load holds during one span, or never. So the ends of the span are the only
 * instants at which time alone changes a membership.
 */
public final class Slot {
    final int segment;
    boolean member;
    /** The condition holds at t if {@code fromMs <= t < untilMs}. Both are 0 if it will never hold. */
    long fromMs;
    long untilMs;
    /** The memory as it was read; null once it is read into {@code memory}, or if there is none. */
    private byte[] packed;
    private int begin;
    private int length;
    private Memory memory;

    public Slot(int segment) {
        this.segment = segment;
    }

    /** Return the memory. An event touches few slots, so it is read only here. */
    Memory memory() {
        if (memory == null) {
            memory = packed == null ? new Memory() : Memory.unpack(new Unpacker(packed, begin));
            packed = null;
        }
        return memory;
    }

    /** Tell whether it says nothing that a new slot would not say. */
    boolean blank() {
        return !member && fromMs >= untilMs && packed == null && (memory == null || memory.blank());
    }

    /** Return the next instant at which time alone changes the membership, or NEVER. */
    public long boundaryMs() {
        return member ? untilMs : fromMs < untilMs ? fromMs : Times.NEVER;
    }

    /** Take over a new span; {@code settle} follows. */
    void span(long from, long until) {
        fromMs = from;
        untilMs = until;
    }

    /** Judge the membership at an instant, and note a change. */
    public void settle(Segment of, String subject, long atMs, String event, List<Change> changes) {
        boolean holds = fromMs <= atMs && atMs < untilMs;
        if (!holds && atMs >= untilMs) {
            span(0, 0);
        }
        if (holds != member) {
            member = holds;
            changes.add(new Change(subject, of.id, holds, atMs, event));
        }
    }

    /** Fire what time alone changes up to an instant, each at its own. */
    public void passTime(Segment of, String subject, long untilMs, List<Change> changes) {
        for (long at = boundaryMs(); at <= untilMs && at != Times.NEVER; at = boundaryMs()) {
            settle(of, subject, at, "", changes);
        }
    }

    void pack(Packer to) {
        to.number((long) segment << 1 | (member ? 1 : 0));
        to.time(fromMs);
        to.time(untilMs);
        if (memory != null && !memory.blank()) {
            Packer own = new Packer(64);
            memory.pack(own);
            to.part(own);
        } else {
            to.part(packed, begin, packed == null ? 0 : length);
        }
    }

    static Slot unpack(Unpacker from) {
        long head = from.number();
        Slot found = new Slot((int) (head >>> 1));
        found.member = (head & 1) == 1;
        found.fromMs = from.time();
        found.untilMs = from.time();
        found.length = (int) from.number();
        if (found.length > 0) {
            found.packed = from.bytes();
            found.begin = from.skip(found.length);
        }
        return found;
    }

    public byte[] pack() {
        Packer to = new Packer(64);
        pack(to);
        return to.done();
    }

    public static Slot unpack(byte[] bytes) {
        return unpack(new Unpacker(bytes));
    }
}
