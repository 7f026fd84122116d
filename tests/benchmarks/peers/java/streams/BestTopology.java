package peers;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;

/** The best design: one processor with all segments and an index; a profile is one value of one store. */
final class BestTopology {
    static final String PROFILES = "profiles";
    private static final Duration WAKES_EVERY = Duration.ofMillis(50);

    private BestTopology() {}

    static Topology make(Told told, Catalogue catalogue) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(told.events(), Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .process(new Supplier(catalogue))
                .to(told.changes(), Produced.with(Serdes.String(), Serdes.ByteArray()));
        return builder.build();
    }

    private record Supplier(Catalogue catalogue) implements ProcessorSupplier<String, byte[], String, byte[]> {
        @Override
        public Processor<String, byte[], String, byte[]> get() {
            return new Profiles(catalogue);
        }

        @Override
        public Set<StoreBuilder<?>> stores() {
            return Set.of(StreamsPeer.store(PROFILES, true));
        }
    }

    /** Of one partition. */
    private static final class Profiles implements Processor<String, byte[], String, byte[]> {
        private final Catalogue catalogue;
        private final Evaluator evaluator;
        private final PartitionClock clock = new PartitionClock();
        private final Wakes wakes = new Wakes();
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> store;

        Profiles(Catalogue catalogue) {
            this.catalogue = catalogue;
            this.evaluator = new Evaluator(catalogue);
        }

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            store = given.getStateStore(PROFILES);
            try (var all = store.all()) {
                all.forEachRemaining(one -> wakes.set(one.key, Profile.unpack(one.value, catalogue).nextMs()));
            }
            given.schedule(WAKES_EVERY, PunctuationType.WALL_CLOCK_TIME, wallMs -> wake());
        }

        @Override
        public void process(Record<String, byte[]> record) {
            Event event = Event.read(record.value(), clock.saw(record.timestamp()));
            Profile profile = Profile.unpack(store.get(event.subject), catalogue);
            Evaluator.Outcome outcome = evaluator.apply(profile, event);
            if (outcome.moved()) {
                write(event.subject, profile, outcome.changes(), record.timestamp());
            }
        }

        private void wake() {
            long nowMs = clock.nowMs();
            for (String subject : wakes.take(nowMs)) {
                Profile profile = Profile.unpack(store.get(subject), catalogue);
                List<Change> changes = new ArrayList<>();
                evaluator.passTime(profile, subject, nowMs, changes);
                write(subject, profile, changes, nowMs);
            }
        }

        private void write(String subject, Profile profile, List<Change> changes, long timestampMs) {
            store.put(subject, profile.pack());
            wakes.set(subject, profile.nextMs());
            for (Change change : changes) {
                context.forward(new Record<>(subject, change.json(), timestampMs));
            }
        }
    }
}
