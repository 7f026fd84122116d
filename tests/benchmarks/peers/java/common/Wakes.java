package peers;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** Which keys are due when: in memory, made anew from the store at a start. */
public final class Wakes {
    private final TreeSet<Wake> queue = new TreeSet<>();
    private final Map<String, Long> due = new HashMap<>();

    private record Wake(long atMs, String key) implements Comparable<Wake> {
        @Override
        public int compareTo(Wake other) {
            int found = Long.compare(atMs, other.atMs);
            return found != 0 ? found : key.compareTo(other.key);
        }
    }

    /** Set when a key is due; NEVER takes it out. */
    public void set(String key, long atMs) {
        Long before = atMs == Times.NEVER ? due.remove(key) : due.put(key, atMs);
        if (before != null && before == atMs) {
            return;
        }
        if (before != null) {
            queue.remove(new Wake(before, key));
        }
        if (atMs != Times.NEVER) {
            queue.add(new Wake(atMs, key));
        }
    }

    /** Take the keys that are due at an instant. */
    public List<String> take(long nowMs) {
        List<String> found = new ArrayList<>();
        while (!queue.isEmpty() && queue.first().atMs() <= nowMs) {
            String key = queue.pollFirst().key();
            due.remove(key);
            found.add(key);
        }
        return found;
    }
}
