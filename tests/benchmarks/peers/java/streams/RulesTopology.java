package peers;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The idiomatic design: a branch for each segment, with a filter and a processor of its own.
 *
 * A first processor keeps the facts that segments share. All segments share one store, by segment and subject: a store
 * each would be 500 changelog topics. Every setting is Kafka Streams' own. The windows of the DSL are not used: they
 * tell no exit at its instant when no event comes.
 */
final class RulesTopology {
    private static final String FACTS = "facts";
    private static final String SLOTS = "slots";
    private static final Duration WAKES_EVERY = Duration.ofSeconds(1);

    private RulesTopology() {}

    static Topology make(Told told, Catalogue catalogue) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(StreamsPeer.store(FACTS, false));
        builder.addStateStore(StreamsPeer.store(SLOTS, false));
        KStream<String, OneSegment.Seen> seen = builder
                .stream(told.events(), Consumed.with(Serdes.String(), Serdes.ByteArray()))
                .processValues(() -> new KeepFacts(catalogue), FACTS);
        for (Segment segment : catalogue.segments) {
            seen.filter((subject, one) -> segment.wants(one.event(), one.moved()))
                    .process(() -> new KeepSegment(segment), SLOTS)
                    .to(told.changes(), Produced.with(Serdes.String(), Serdes.ByteArray()));
        }
        return builder.build();
    }

    private static final class KeepFacts extends ContextualFixedKeyProcessor<String, byte[], OneSegment.Seen> {
        private final Catalogue catalogue;
        private final PartitionClock clock = new PartitionClock();
        private KeyValueStore<String, byte[]> store;

        KeepFacts(Catalogue catalogue) {
            this.catalogue = catalogue;
        }

        @Override
        public void init(FixedKeyProcessorContext<String, OneSegment.Seen> context) {
            super.init(context);
            store = context.getStateStore(FACTS);
        }

        @Override
        public void process(FixedKeyRecord<String, byte[]> record) {
            Event event = Event.read(record.value(), clock.saw(record.timestamp()));
            Facts facts = Facts.unpack(store.get(event.subject), catalogue);
            OneSegment.Seen seen = OneSegment.see(event, facts, catalogue);
            if (seen.moved().any()) {
                store.put(event.subject, facts.pack());
            }
            context().forward(record.withValue(seen));
        }
    }

    /** One segment in one partition. */
    private static final class KeepSegment implements Processor<String, OneSegment.Seen, String, byte[]> {
        private final Segment segment;
        private final PartitionClock clock = new PartitionClock();
        private final Wakes wakes = new Wakes();
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, byte[]> store;

        KeepSegment(Segment segment) {
            this.segment = segment;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> given) {
            context = given;
            store = given.getStateStore(SLOTS);
            String prefix = key("");
            try (var mine = store.prefixScan(prefix, new StringSerializer())) {
                mine.forEachRemaining(one ->
                        wakes.set(one.key.substring(prefix.length()), Slot.unpack(one.value).boundaryMs()));
            }
            given.schedule(WAKES_EVERY, PunctuationType.WALL_CLOCK_TIME, wallMs -> wake());
        }

        @Override
        public void process(Record<String, OneSegment.Seen> record) {
            String subject = record.key();
            OneSegment.Seen seen = record.value();
            Slot slot = OneSegment.slot(segment, store.get(key(subject)), seen);
            if (slot != null) {
                write(subject, slot, OneSegment.apply(segment, slot, seen), record.timestamp());
            }
        }

        private void wake() {
            // stream time is that of all records of the partition, also of those that this segment does not want
            long streamMs = context.currentStreamTimeMs();
            long nowMs = streamMs > clock.recordMs() ? clock.saw(streamMs) - 1 : clock.nowMs();
            for (String subject : wakes.take(nowMs)) {
                Slot slot = Slot.unpack(store.get(key(subject)));
                List<Change> changes = new ArrayList<>();
                slot.passTime(segment, subject, nowMs, changes);
                write(subject, slot, changes, nowMs);
            }
        }

        private void write(String subject, Slot slot, List<Change> changes, long timestampMs) {
            store.put(key(subject), slot.pack());
            wakes.set(subject, slot.boundaryMs());
            for (Change change : changes) {
                context.forward(new Record<>(subject, change.json(), timestampMs));
            }
        }

        private String key(String subject) {
            return segment.id + "|" + subject;
        }
    }
}
