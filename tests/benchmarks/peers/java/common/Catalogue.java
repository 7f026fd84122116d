package peers;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The segments of the load's plain data by id, and an index: which of them may want an event. */
public final class Catalogue {
    static final String UPDATED = "profile.updated";

    public final List<Segment> segments = new ArrayList<>();
    /** Types that some segment wants to be absent, and their places. */
    final Map<String, Integer> absentTypes = new HashMap<>();
    final List<String> traits = new ArrayList<>();
    private final Map<String, Map<String, List<Segment>>> byTypeAndTopic = new HashMap<>();
    private final List<Map<String, List<Segment>>> byTraitAndValue = new ArrayList<>();
    private final List<List<Segment>> byAbsent = new ArrayList<>();
    final List<Segment> absences = new ArrayList<>();

    Catalogue(JsonNode plan) {
        List<JsonNode> given = new ArrayList<>();
        plan.get("segments").forEach(given::add);
        given.sort(Comparator.comparing(one -> one.get("id").asText()));
        for (JsonNode one : given) {
            Segment made = Segment.of(one, segments.size(), this);
            segments.add(made);
            index(made, made.match);
            index(made, made.then);
            String absent = one.get("absent").asText();
            if (!absent.isEmpty()) {
                byAbsent.get(absentTypes.get(absent)).add(made);
                absences.add(made);
            }
        }
    }

    /** Return the segments with a filter of the event's type and topic. */
    List<Segment> wanting(Event event) {
        return byTypeAndTopic.getOrDefault(event.type, Map.of()).getOrDefault(event.topic, List.of());
    }

    /** Return the segments that want a type to be absent. */
    List<Segment> wantingAbsent(int absent) {
        return byAbsent.get(absent);
    }

    /** Return the segments that a value of a trait admits. */
    List<Segment> wantingValue(int trait, String value) {
        return byTraitAndValue.get(trait).getOrDefault(value, List.of());
    }

    int absentType(String type) {
        return absentTypes.computeIfAbsent(type, one -> {
            byAbsent.add(new ArrayList<>());
            return byAbsent.size() - 1;
        });
    }

    int trait(String name) {
        if (!traits.contains(name)) {
            traits.add(name);
            byTraitAndValue.add(new HashMap<>());
        }
        return traits.indexOf(name);
    }

    void byValue(int trait, Set<String> values, Segment segment) {
        for (String value : values) {
            byTraitAndValue.get(trait).computeIfAbsent(value, one -> new ArrayList<>()).add(segment);
        }
    }

    private void index(Segment segment, Filter filter) {
        if (filter != null) {
            Map<String, List<Segment>> byTopic = byTypeAndTopic.computeIfAbsent(filter.type, one -> new HashMap<>());
            for (String topic : filter.topics) {
                List<Segment> found = byTopic.computeIfAbsent(topic, one -> new ArrayList<>());
                if (!found.contains(segment)) {
                    found.add(segment);
                }
            }
        }
    }
}
