package peers;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** A record of the input as (subject, R, bytes). R is the greatest timestamp so far of the partition. */
final class Arriving implements KafkaRecordDeserializationSchema<Tuple3<String, Long, byte[]>> {
    private final Map<Integer, Long> greatest = new HashMap<>();

    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple3<String, Long, byte[]>> out) {
        long rMs = greatest.merge(record.partition(), record.timestamp(), Math::max);
        out.collect(Tuple3.of(new String(record.key(), StandardCharsets.UTF_8), rMs, record.value()));
    }

    @Override
    public TypeInformation<Tuple3<String, Long, byte[]>> getProducedType() {
        return FlinkPeer.ARRIVED;
    }
}
