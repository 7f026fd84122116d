package peers;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams: `best` or `idiomatic`, exactly once or at least once. */
public final class StreamsPeer {
    private static final int THREADS = 2;
    private static final int CACHE_MB = 128;
    private static final int COMMIT_MS = 100;

    private StreamsPeer() {}

    public static void main(String[] arguments) throws InterruptedException {
        Told told = Told.read();
        boolean best = arguments[0].equals("best");
        Catalogue catalogue = told.readCatalogue();
        Topology topology = best ? BestTopology.make(told, catalogue) : RulesTopology.make(told, catalogue);
        KafkaStreams streams = new KafkaStreams(topology, settings(told, best));
        CountDownLatch over = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("ready");
                System.out.flush();
            }
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            over.countDown();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        // without leaving, the next start would wait until the group gives this one up
        CloseOptions leaving = CloseOptions.timeout(Duration.ofSeconds(12))
                .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(leaving)));
        streams.start();
        over.await();
        System.exit(1);
    }

    /** A store of bytes by text, in RocksDB, with a changelog topic. */
    static StoreBuilder<KeyValueStore<String, byte[]>> store(String name, boolean cached) {
        Serde<String> keys = Serdes.String();
        StoreBuilder<KeyValueStore<String, byte[]>> made =
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), keys, Serdes.ByteArray());
        return cached ? made.withCachingEnabled() : made;
    }

    private static Properties settings(Told told, boolean best) {
        Properties found = new Properties();
        found.put(StreamsConfig.APPLICATION_ID_CONFIG, told.name());
        found.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, told.bootstrap());
        found.put(StreamsConfig.STATE_DIR_CONFIG, told.folder() + "/state");
        found.put(
                StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
                told.exactlyOnce() ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
        found.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        // as Segue's worker in this benchmark: a killed peer's partitions move on after so long
        found.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 6_000);
        found.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 2_000);
        found.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        found.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Told.number("PEER_THREADS", best ? THREADS : 1));
        if (best) {
            found.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Told.number("PEER_CACHE_MB", CACHE_MB) * 1024L * 1024);
            if (told.exactlyOnce()) {
                found.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Told.number("PEER_COMMIT_MS", COMMIT_MS));
            } else {
                // changes go out before the commit, so a rare commit makes nobody wait
                found.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Told.number("PEER_COMMIT_MS", 1_000));
                found.put(ProducerConfig.LINGER_MS_CONFIG, 5);
            }
            found.put(ProducerConfig.BATCH_SIZE_CONFIG, 128 * 1024);
        }
        return found;
    }
}
