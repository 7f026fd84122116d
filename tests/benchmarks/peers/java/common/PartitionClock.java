package peers;

import java.io.Serializable;

/**
 * The time of one input partition: that of its records while they come, the wall's when they have ended.
 *
 * A timer that went by the wall alone would fire early in a backlog, before events whose records stand earlier. A
 * partition counts as read to its end when it was asked several times in a row, and for half a second, and had nothing.
 */
public final class PartitionClock implements Serializable {
    private static final long IDLE_MS = 500;
    private static final int ASKED_MIN = 5;
    /** Of the wall's time, for records that are stamped and not read yet. */
    private static final long LEEWAY_MS = 50;

    private long recordMs;
    private long seenMs = System.currentTimeMillis();
    private int asked;

    /** Take in the timestamp of a record; return R, the greatest so far. */
    public long saw(long timestampMs) {
        recordMs = Math.max(recordMs, timestampMs);
        asked = 0;
        return recordMs;
    }

    /** Return R of the last record. */
    public long recordMs() {
        return recordMs;
    }

    /** Return an instant that every later record of the partition follows, as far as anybody can tell. */
    public long nowMs() {
        long wallMs = System.currentTimeMillis();
        if (asked++ == 0) {
            seenMs = wallMs;
        }
        boolean ended = asked >= ASKED_MIN && wallMs - seenMs >= IDLE_MS;
        return ended ? Math.max(recordMs - 1, wallMs - LEEWAY_MS) : recordMs - 1;
    }
}
