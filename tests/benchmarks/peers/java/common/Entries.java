package peers;

/** The latest events that matched, latest first: (time, checksum of the name). A redelivery is in it already. */
final class Entries {
    long[] times = new long[2];
    long[] names = new long[2];
    int size;

    /** Add an event unless it is there; only the latest {@code kept} stay. */
    void add(long time, long name, int kept) {
        int place = 0;
        while (place < size && (times[place] > time || times[place] == time && names[place] > name)) {
            place++;
        }
        boolean there = place < size && times[place] == time && names[place] == name;
        if (there || place >= kept) {
            return;
        }
        if (size == times.length) {
            times = java.util.Arrays.copyOf(times, size * 2);
            names = java.util.Arrays.copyOf(names, size * 2);
        }
        int moved = Math.min(size, kept - 1) - place;
        System.arraycopy(times, place, times, place + 1, moved);
        System.arraycopy(names, place, names, place + 1, moved);
        times[place] = time;
        names[place] = name;
        size = Math.min(size + 1, kept);
    }

    /** Forget what is not later than a time. */
    void keepAfter(long time) {
        while (size > 0 && times[size - 1] <= time) {
            size--;
        }
    }

    void pack(Packer to) {
        to.number(size);
        for (int n = 0; n < size; n++) {
            to.time(times[n]);
            to.fixed(names[n]);
        }
    }

    static Entries unpack(Unpacker from) {
        Entries found = new Entries();
        found.size = (int) from.number();
        found.times = new long[Math.max(2, found.size)];
        found.names = new long[Math.max(2, found.size)];
        for (int n = 0; n < found.size; n++) {
            found.times[n] = from.time();
            found.names[n] = from.fixed();
        }
        return found;
    }
}
