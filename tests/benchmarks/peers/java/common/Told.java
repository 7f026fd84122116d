package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;

/** What an engine is told, in its environment: tests/benchmarks/peers/__init__.py is the contract. */
public record Told(
        String bootstrap, String name, String events, String changes, String folder, String catalogue, boolean exactlyOnce)
        implements java.io.Serializable {

    public static Told read() {
        return new Told(
                get("BENCH_BOOTSTRAP"),
                get("BENCH_NAME"),
                get("BENCH_EVENTS_TOPIC"),
                get("BENCH_CHANGES_TOPIC"),
                get("BENCH_FOLDER"),
                get("BENCH_CATALOGUE"),
                get("BENCH_GUARANTEE").equals("exactly-once"));
    }

    /** A setting of the peer itself, which a measurement may change. */
    public static int number(String name, int usual) {
        String given = System.getenv(name);
        return given == null ? usual : Integer.parseInt(given);
    }

    public Catalogue readCatalogue() {
        try {
            return new Catalogue(new ObjectMapper().readTree(new File(catalogue)));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String get(String name) {
        String given = System.getenv(name);
        if (given == null) {
            throw new IllegalStateException(name + " is not set");
        }
        return given;
    }
}
