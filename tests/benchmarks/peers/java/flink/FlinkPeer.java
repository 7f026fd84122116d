package peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Flink in one process (a MiniCluster): `best` or `idiomatic`, exactly once or at least once. */
public final class FlinkPeer {
    /** Subject, R, the event's bytes. */
    static final TypeInformation<Tuple3<String, Long, byte[]>> ARRIVED =
            TypeInformation.of(new TypeHint<Tuple3<String, Long, byte[]>>() {});
    /** Subject, the change's bytes. */
    static final TypeInformation<Tuple2<String, byte[]>> CHANGED =
            TypeInformation.of(new TypeHint<Tuple2<String, byte[]>>() {});

    private static final int CHECKPOINT_MS = 1_000;
    private static final int IDIOMATIC_CHECKPOINT_MS = 10_000;
    private static final int MANAGED_MB = 512;

    private FlinkPeer() {}

    public static void main(String[] arguments) throws Exception {
        Told told = Told.read();
        boolean best = arguments[0].equals("best");
        Path checkpoints = Path.of(told.folder(), "checkpoints");
        Configuration settings = settings(checkpoints, best, told.exactlyOnce());
        StreamExecutionEnvironment flink =
                StreamExecutionEnvironment.createLocalEnvironment(Told.number("PEER_PARALLELISM", 1), settings);
        DataStream<Tuple3<String, Long, byte[]>> arrived =
                flink.fromSource(source(told), PartitionTime.strategy(), "events", ARRIVED).uid("events");
        DataStream<Tuple2<String, byte[]>> changes =
                best ? ProfileFunction.over(arrived, told) : RuleFunction.over(arrived, told);
        changes.sinkTo(sink(told)).uid("changes");
        JobClient job = flink.executeAsync(told.name());
        while (job.getJobStatus().get() != JobStatus.RUNNING) {
            Thread.sleep(20);
        }
        System.out.println("ready");
        System.out.flush();
        job.getJobExecutionResult().get();
    }

    private static KafkaSource<Tuple3<String, Long, byte[]>> source(Told told) {
        return KafkaSource.<Tuple3<String, Long, byte[]>>builder()
                .setBootstrapServers(told.bootstrap())
                .setTopics(told.events())
                .setGroupId(told.name())
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setProperty("isolation.level", "read_committed")
                .setDeserializer(new Arriving())
                .build();
    }

    private static KafkaSink<Tuple2<String, byte[]>> sink(Told told) {
        return KafkaSink.<Tuple2<String, byte[]>>builder()
                .setBootstrapServers(told.bootstrap())
                .setRecordSerializer(new Leaving(told.changes()))
                .setDeliveryGuarantee(told.exactlyOnce() ? DeliveryGuarantee.EXACTLY_ONCE : DeliveryGuarantee.AT_LEAST_ONCE)
                .setTransactionalIdPrefix(told.name())
                .setProperty("transaction.timeout.ms", "60000")
                .build();
    }

    private static Configuration settings(Path checkpoints, boolean best, boolean exactlyOnce) throws IOException {
        Configuration found = new Configuration();
        int every = Told.number("PEER_CHECKPOINT_MS", best ? CHECKPOINT_MS : IDIOMATIC_CHECKPOINT_MS);
        found.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(every));
        found.set(
                CheckpointingOptions.CHECKPOINTING_CONSISTENCY_MODE,
                exactlyOnce ? CheckpointingMode.EXACTLY_ONCE : CheckpointingMode.AT_LEAST_ONCE);
        found.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        found.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints.toUri().toString());
        found.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        found.set(StateBackendOptions.STATE_BACKEND, "rocksdb");
        found.set(CheckpointingOptions.INCREMENTAL_CHECKPOINTS, true);
        found.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(MANAGED_MB));
        found.set(PipelineOptions.AUTO_WATERMARK_INTERVAL, Duration.ofMillis(best ? 50 : 200));
        if (best) {
            found.set(PipelineOptions.OBJECT_REUSE, true);
            found.setString("state.backend.rocksdb.timer-service.factory", "HEAP");
            if (Told.number("PEER_HEAP", 0) == 1) {
                found.set(StateBackendOptions.STATE_BACKEND, "hashmap");
            }
        }
        latest(checkpoints).ifPresent(path -> found.set(StateRecoveryOptions.SAVEPOINT_PATH, path.toUri().toString()));
        return found;
    }

    /** Return the latest whole checkpoint: the one whose metadata was written last. */
    private static Optional<Path> latest(Path checkpoints) throws IOException {
        if (!Files.exists(checkpoints)) {
            return Optional.empty();
        }
        try (Stream<Path> files = Files.walk(checkpoints, 3)) {
            return files.filter(file -> file.endsWith("_metadata"))
                    .max(Comparator.comparing(FlinkPeer::modified))
                    .map(Path::getParent);
        }
    }

    private static long modified(Path file) {
        try {
            return Files.getLastModifiedTime(file).toMillis();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
