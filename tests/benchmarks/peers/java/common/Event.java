package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;

/** One event, read from a structured CloudEvent. Input that is none ends the peer: the load has no bad input. */
public final class Event {
    private static final JsonFactory JSON = new JsonFactory();

    public final String subject;
    public final String type;
    /** Source and id: with the time, they tell it from every other event of its subject. */
    public final String name;
    /** A checksum of the name, by which segments recognise a redelivery. */
    public final long nameHash;
    /** Its own time, in milliseconds. */
    public final long timeMs;
    /** The instant of its record: the greatest timestamp so far of its partition. */
    public final long rMs;
    public final String topic;
    public final double score;
    /** Texts of the data that may set traits. */
    public final Map<String, String> texts;

    private Event(String subject, String type, String name, long timeMs, long rMs, Data data) {
        this.subject = subject;
        this.type = type;
        this.name = name;
        this.nameHash = hash(name);
        this.timeMs = timeMs;
        this.rMs = rMs;
        this.topic = data.topic;
        this.score = data.score;
        this.texts = data.texts;
    }

    public static Event read(byte[] value, long rMs) {
        String id = null;
        String source = null;
        String type = null;
        String subject = null;
        String time = null;
        Data data = new Data();
        try (JsonParser parser = JSON.createParser(value)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                parser.nextToken();
                switch (field) {
                    case "id" -> id = parser.getText();
                    case "source" -> source = parser.getText();
                    case "type" -> type = parser.getText();
                    case "subject" -> subject = parser.getText();
                    case "time" -> time = parser.getText();
                    case "data" -> data.read(parser, type == null || type.equals(Catalogue.UPDATED));
                    default -> parser.skipChildren();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return new Event(subject, type, source + " " + id, Times.read(time), rMs, data);
    }

    /** FNV-1a over the characters, and a last mix. */
    private static long hash(String text) {
        long found = 0xcbf29ce484222325L;
        for (int n = 0; n < text.length(); n++) {
            found = (found ^ text.charAt(n)) * 0x100000001b3L;
        }
        return found ^ (found >>> 32);
    }

    private static final class Data {
        String topic = "";
        double score = -1;
        Map<String, String> texts = Map.of();

        void read(JsonParser parser, boolean withTexts) throws IOException {
            if (withTexts) {
                texts = new HashMap<>();
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                JsonToken token = parser.nextToken();
                if (field.equals("score") && token.isNumeric()) {
                    score = parser.getDoubleValue();
                } else if (token != JsonToken.VALUE_STRING) {
                    parser.skipChildren();
                } else if (field.equals("topic")) {
                    topic = parser.getText();
                } else if (withTexts) {
                    texts.put(field, parser.getText());
                }
            }
        }
    }
}
