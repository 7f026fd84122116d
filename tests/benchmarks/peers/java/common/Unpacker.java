package peers;

import java.nio.charset.StandardCharsets;

/** Reads what a Packer wrote. */
final class Unpacker {
    private final byte[] bytes;
    private int place;

    Unpacker(byte[] bytes) {
        this(bytes, 0);
    }

    Unpacker(byte[] bytes, int place) {
        this.bytes = bytes;
        this.place = place;
    }

    byte[] bytes() {
        return bytes;
    }

    /** Pass over so many bytes; return where they begin. */
    int skip(int length) {
        place += length;
        return place - length;
    }

    long number() {
        long found = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = bytes[place++];
            found |= (long) (next & 0x7F) << shift;
            if (next >= 0) {
                return found;
            }
        }
    }

    long time() {
        long found = number();
        if (found < 2) {
            return found == 0 ? 0 : Times.NEVER;
        }
        long after = found - 2;
        return (after >>> 1 ^ -(after & 1)) + Packer.BASE_MS;
    }

    long fixed() {
        long found = 0;
        for (int n = 0; n < 8; n++) {
            found |= (bytes[place++] & 0xFFL) << 8 * n;
        }
        return found;
    }

    String text() {
        int length = (int) number();
        String found = new String(bytes, place, length, StandardCharsets.UTF_8);
        place += length;
        return found;
    }

    boolean more() {
        return place < bytes.length;
    }
}
