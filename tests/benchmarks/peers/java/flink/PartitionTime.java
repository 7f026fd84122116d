package peers;

import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.java.tuple.Tuple3;

/**
 * Watermarks from the records' timestamps, a generator for each partition: a watermark w says that every later record
 * has a timestamp above w. At the end of a partition they go on with the wall, so that timers fire without events.
 */
final class PartitionTime implements WatermarkGenerator<Tuple3<String, Long, byte[]>> {
    private final PartitionClock clock = new PartitionClock();

    static WatermarkStrategy<Tuple3<String, Long, byte[]>> strategy() {
        return WatermarkStrategy.forGenerator(context -> new PartitionTime());
    }

    @Override
    public void onEvent(Tuple3<String, Long, byte[]> event, long timestampMs, WatermarkOutput output) {
        clock.saw(event.f1);
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {
        output.emitWatermark(new Watermark(clock.nowMs()));
    }
}
