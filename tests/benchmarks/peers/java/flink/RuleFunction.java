package peers;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple5;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * The idiomatic design: an event fans out to the segments that want it, keyed by segment and subject, each with a state
 * and a timer of its own. Flink's own articles show rules so. An operator a segment would be 500 tasks.
 *
 * A first keyed operator keeps the facts that segments share, and sends them along.
 */
final class RuleFunction
        extends KeyedProcessFunction<String, Tuple5<Integer, String, Long, byte[], byte[]>, Tuple2<String, byte[]>> {
    /** Segment's place, subject, R, the event's bytes, the facts after it. */
    private static final TypeInformation<Tuple5<Integer, String, Long, byte[], byte[]>> WANTED =
            TypeInformation.of(new TypeHint<Tuple5<Integer, String, Long, byte[], byte[]>>() {});

    private final Told told;
    private transient Catalogue catalogue;
    private transient ValueState<byte[]> state;

    private RuleFunction(Told told) {
        this.told = told;
    }

    static DataStream<Tuple2<String, byte[]>> over(DataStream<Tuple3<String, Long, byte[]>> arrived, Told told) {
        return arrived.keyBy(one -> one.f0)
                .process(new KeepFacts(told), WANTED)
                .uid("facts")
                .keyBy(one -> one.f0 + "|" + one.f1)
                .process(new RuleFunction(told), FlinkPeer.CHANGED)
                .uid("segments");
    }

    @Override
    public void open(OpenContext context) {
        catalogue = told.readCatalogue();
        state = bytes("slot");
    }

    @Override
    public void processElement(
            Tuple5<Integer, String, Long, byte[], byte[]> wanted, Context context, Collector<Tuple2<String, byte[]>> out)
            throws IOException {
        Segment segment = catalogue.segments.get(wanted.f0);
        Event event = Event.read(wanted.f3, wanted.f2);
        OneSegment.Seen seen = OneSegment.see(event, Facts.unpack(wanted.f4, catalogue), catalogue);
        Slot slot = OneSegment.slot(segment, state.value(), seen);
        if (slot != null) {
            long beforeMs = slot.boundaryMs();
            write(slot, OneSegment.apply(segment, slot, seen), beforeMs, context, out);
        }
    }

    @Override
    public void onTimer(long atMs, OnTimerContext context, Collector<Tuple2<String, byte[]>> out) throws IOException {
        String key = context.getCurrentKey();
        int cut = key.indexOf('|');
        Slot slot = Slot.unpack(state.value());
        List<Change> changes = new ArrayList<>();
        Segment segment = catalogue.segments.get(Integer.parseInt(key.substring(0, cut)));
        slot.passTime(segment, key.substring(cut + 1), atMs, changes);
        write(slot, changes, Times.NEVER, context, out);
    }

    private void write(
            Slot slot, List<Change> changes, long beforeMs, Context context, Collector<Tuple2<String, byte[]>> out)
            throws IOException {
        state.update(slot.pack());
        long nextMs = slot.boundaryMs();
        if (nextMs != beforeMs) {
            if (beforeMs != Times.NEVER) {
                context.timerService().deleteEventTimeTimer(beforeMs);
            }
            if (nextMs != Times.NEVER) {
                context.timerService().registerEventTimeTimer(nextMs);
            }
        }
        for (Change change : changes) {
            out.collect(Tuple2.of(change.subject(), change.json()));
        }
    }

    private ValueState<byte[]> bytes(String name) {
        return getRuntimeContext()
                .getState(new ValueStateDescriptor<>(name, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    }

    /** Keeps the facts of a profile, and sends an event to each segment that wants it. */
    private static final class KeepFacts
            extends KeyedProcessFunction<String, Tuple3<String, Long, byte[]>, Tuple5<Integer, String, Long, byte[], byte[]>> {
        private final Told told;
        private transient Catalogue catalogue;
        private transient ValueState<byte[]> state;

        KeepFacts(Told told) {
            this.told = told;
        }

        @Override
        public void open(OpenContext context) {
            catalogue = told.readCatalogue();
            state = getRuntimeContext()
                    .getState(new ValueStateDescriptor<>("facts", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        }

        @Override
        public void processElement(
                Tuple3<String, Long, byte[]> arrived,
                Context context,
                Collector<Tuple5<Integer, String, Long, byte[], byte[]>> out)
                throws IOException {
            byte[] before = state.value();
            Event event = Event.read(arrived.f2, arrived.f1);
            Facts facts = Facts.unpack(before, catalogue);
            Facts.Moved moved = OneSegment.see(event, facts, catalogue).moved();
            byte[] after = facts.pack();
            if (moved.any()) {
                state.update(after);
            }
            for (Segment segment : catalogue.segments) {
                if (segment.wants(event, moved)) {
                    out.collect(Tuple5.of(segment.place, arrived.f0, arrived.f1, arrived.f2, after));
                }
            }
        }
    }
}
