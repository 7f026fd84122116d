package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Either design without a framework, for tests: `Replay DESIGN CATALOGUE UNTIL`, and a line `R EVENT` for each event.
 *
 * State is packed and unpacked around every event. At the end time passes to UNTIL. Prints a change a line.
 */
public final class Replay {
    private final Catalogue catalogue;
    private final Evaluator evaluator;
    private final Map<String, byte[]> store = new TreeMap<>();

    private Replay(Catalogue catalogue) {
        this.catalogue = catalogue;
        this.evaluator = new Evaluator(catalogue);
    }

    public static void main(String[] arguments) throws IOException {
        Replay replay = new Replay(new Catalogue(new ObjectMapper().readTree(new File(arguments[1]))));
        boolean best = arguments[0].equals("best");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            int cut = line.indexOf(' ');
            byte[] value = line.substring(cut + 1).getBytes(StandardCharsets.UTF_8);
            Event event = Event.read(value, Long.parseLong(line.substring(0, cut)));
            print(best ? replay.best(event) : replay.idiomatic(event));
        }
        print(replay.pass(best, Long.parseLong(arguments[2])));
    }

    private List<Change> best(Event event) {
        Profile profile = Profile.unpack(store.get(event.subject), catalogue);
        Evaluator.Outcome outcome = evaluator.apply(profile, event);
        if (outcome.moved()) {
            store.put(event.subject, profile.pack());
        }
        return outcome.changes();
    }

    private List<Change> idiomatic(Event event) {
        Facts facts = Facts.unpack(store.get("facts|" + event.subject), catalogue);
        OneSegment.Seen seen = OneSegment.see(event, facts, catalogue);
        store.put("facts|" + event.subject, facts.pack());
        List<Change> changes = new ArrayList<>();
        for (Segment segment : catalogue.segments) {
            String key = segment.place + "|" + event.subject;
            Slot slot = segment.wants(event, seen.moved()) ? OneSegment.slot(segment, store.get(key), seen) : null;
            if (slot != null) {
                changes.addAll(OneSegment.apply(segment, slot, seen));
                store.put(key, slot.pack());
            }
        }
        return changes;
    }

    private List<Change> pass(boolean best, long untilMs) {
        List<Change> changes = new ArrayList<>();
        store.forEach((key, stored) -> {
            int cut = key.indexOf('|');
            if (best) {
                evaluator.passTime(Profile.unpack(stored, catalogue), key, untilMs, changes);
            } else if (!key.startsWith("facts|")) {
                Segment segment = catalogue.segments.get(Integer.parseInt(key.substring(0, cut)));
                Slot.unpack(stored).passTime(segment, key.substring(cut + 1), untilMs, changes);
            }
        });
        return changes;
    }

    private static void print(List<Change> changes) {
        for (Change change : changes) {
            System.out.println(new String(change.json(), StandardCharsets.UTF_8));
        }
    }
}
