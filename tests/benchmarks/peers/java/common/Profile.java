package peers;

import java.util.ArrayList;
import java.util.List;

/** One profile: its facts, and a slot of each segment that it has something of, by place. One value in the store. */
public final class Profile {
    /** What it was packed to when it was read, and a little more. */
    private int room = 1_024;
    final Facts facts;
    final List<Slot> slots;

    private Profile(Facts facts, List<Slot> slots) {
        this.facts = facts;
        this.slots = slots;
    }

    /** Return the next instant at which time alone changes a membership, or NEVER. */
    public long nextMs() {
        long found = Times.NEVER;
        for (Slot slot : slots) {
            found = Math.min(found, slot.boundaryMs());
        }
        return found;
    }

    /** Return the slot of a segment; null: there is none. */
    Slot slot(int segment) {
        int at = place(segment);
        return at < slots.size() && slots.get(at).segment == segment ? slots.get(at) : null;
    }

    Slot makeSlot(int segment) {
        Slot found = slot(segment);
        if (found == null) {
            found = new Slot(segment);
            slots.add(place(segment), found);
        }
        return found;
    }

    private int place(int segment) {
        int low = 0;
        int high = slots.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (slots.get(middle).segment < segment) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    public byte[] pack() {
        Packer to = new Packer(room);
        facts.pack(to);
        for (Slot slot : slots) {
            if (!slot.blank()) {
                slot.pack(to);
            }
        }
        return to.done();
    }

    /** Null: nothing is known of the profile yet. */
    public static Profile unpack(byte[] bytes, Catalogue of) {
        if (bytes == null) {
            return new Profile(new Facts(of), new ArrayList<>());
        }
        Unpacker from = new Unpacker(bytes);
        Profile found = new Profile(Facts.unpack(from, of), new ArrayList<>());
        found.room = bytes.length + 256;
        while (from.more()) {
            found.slots.add(Slot.unpack(from));
        }
        return found;
    }
}
