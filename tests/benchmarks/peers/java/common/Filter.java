package peers;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.Set;

/** Which events count: a type, some topics, a least score. */
final class Filter {
    final String type;
    final Set<String> topics = new HashSet<>();
    final double atLeast;

    Filter(JsonNode given) {
        type = given.get("type").asText();
        given.get("topics").forEach(topic -> topics.add(topic.asText()));
        atLeast = given.get("score_at_least").asDouble();
    }

    boolean admits(Event event) {
        return event.score >= atLeast && event.type.equals(type) && topics.contains(event.topic);
    }
}
