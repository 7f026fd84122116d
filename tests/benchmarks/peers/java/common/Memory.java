package peers;

/** What a segment remembers of a profile's events. */
final class Memory {
    /** Of a sequence: the greatest time of a first event that has its second; 0: none. */
    long best;
    Entries first = new Entries();
    /** Only of a sequence. */
    Entries second = new Entries();

    boolean blank() {
        return best == 0 && first.size == 0 && second.size == 0;
    }

    void pack(Packer to) {
        to.time(best);
        first.pack(to);
        second.pack(to);
    }

    static Memory unpack(Unpacker from) {
        Memory found = new Memory();
        found.best = from.time();
        found.first = Entries.unpack(from);
        found.second = Entries.unpack(from);
        return found;
    }
}
