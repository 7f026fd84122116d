package peers;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Writes state: numbers of variable length, times, texts. */
final class Packer {
    /** Times are written as the milliseconds after it: 2020-01-01. */
    static final long BASE_MS = 1_577_836_800_000L;

    private byte[] bytes;
    private int size;

    Packer(int room) {
        bytes = new byte[room];
    }

    void number(long value) {
        room(10);
        long left = value;
        while ((left & ~0x7FL) != 0) {
            bytes[size++] = (byte) (left & 0x7F | 0x80);
            left >>>= 7;
        }
        bytes[size++] = (byte) left;
    }

    /** 0 and NEVER are short; a time before the base is long. */
    void time(long ms) {
        if (ms == 0 || ms == Times.NEVER) {
            number(ms == 0 ? 0 : 1);
        } else {
            long after = ms - BASE_MS;
            number((after << 1 ^ after >> 63) + 2);
        }
    }

    void fixed(long value) {
        room(8);
        for (int n = 0; n < 8; n++) {
            bytes[size++] = (byte) (value >>> 8 * n);
        }
    }

    void text(String text) {
        byte[] written = text.getBytes(StandardCharsets.UTF_8);
        part(written, 0, written.length);
    }

    /** Write a length and so many bytes. */
    void part(byte[] from, int begin, int length) {
        number(length);
        if (length > 0) {
            room(length);
            System.arraycopy(from, begin, bytes, size, length);
            size += length;
        }
    }

    void part(Packer other) {
        part(other.bytes, 0, other.size);
    }

    byte[] done() {
        return Arrays.copyOf(bytes, size);
    }

    private void room(int more) {
        if (size + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
        }
    }
}
