package peers;

import java.nio.charset.StandardCharsets;

/** One profile entered or left one segment. {@code event} is empty if time alone made the change. */
public record Change(String subject, String segment, boolean entered, long atMs, String event) {
    /** Write it as compact JSON. No text of the load needs an escape. */
    public byte[] json() {
        String text = "{\"profile\":\"" + subject + "\",\"segment\":\"" + segment + "\",\"change\":\""
                + (entered ? "entered" : "exited") + "\",\"effective_at\":\"" + Times.write(atMs) + "\",\"events\":["
                + (event.isEmpty() ? "" : "\"" + event + "\"") + "]}";
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
