package peers;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** The best design: one keyed operator with all segments and an index; a profile is one value; one timer a profile. */
final class ProfileFunction extends KeyedProcessFunction<String, Tuple3<String, Long, byte[]>, Tuple2<String, byte[]>> {
    private final Told told;
    private transient Catalogue catalogue;
    private transient Evaluator evaluator;
    private transient ValueState<byte[]> state;

    private ProfileFunction(Told told) {
        this.told = told;
    }

    static DataStream<Tuple2<String, byte[]>> over(DataStream<Tuple3<String, Long, byte[]>> arrived, Told told) {
        return arrived.keyBy(one -> one.f0)
                .process(new ProfileFunction(told), FlinkPeer.CHANGED)
                .uid("profiles");
    }

    @Override
    public void open(OpenContext context) {
        catalogue = told.readCatalogue();
        evaluator = new Evaluator(catalogue);
        state = getRuntimeContext()
                .getState(new ValueStateDescriptor<>("profile", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    }

    @Override
    public void processElement(Tuple3<String, Long, byte[]> arrived, Context context, Collector<Tuple2<String, byte[]>> out)
            throws IOException {
        Profile profile = Profile.unpack(state.value(), catalogue);
        long beforeMs = profile.nextMs();
        Evaluator.Outcome outcome = evaluator.apply(profile, Event.read(arrived.f2, arrived.f1));
        if (outcome.moved()) {
            write(profile, outcome.changes(), beforeMs, context, out);
        }
    }

    @Override
    public void onTimer(long atMs, OnTimerContext context, Collector<Tuple2<String, byte[]>> out) throws IOException {
        Profile profile = Profile.unpack(state.value(), catalogue);
        List<Change> changes = new ArrayList<>();
        evaluator.passTime(profile, context.getCurrentKey(), atMs, changes);
        write(profile, changes, Times.NEVER, context, out);
    }

    private void write(
            Profile profile, List<Change> changes, long beforeMs, Context context, Collector<Tuple2<String, byte[]>> out)
            throws IOException {
        state.update(profile.pack());
        long nextMs = profile.nextMs();
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
}
