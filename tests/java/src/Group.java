import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * {@code BOOTSTRAP TOPIC GROUP COUNT [STRATEGY]}: reads with a group, commits each record, and
 * prints its partition and offset then; so many of them, or with 0 until standard input ends.
 * Strategies are {@code range}, {@code roundrobin}, {@code sticky} and {@code cooperative-sticky}.
 */
public final class Group implements ConsumerRebalanceListener {
    private static final String ASSIGNORS = "org.apache.kafka.clients.consumer.";
    private static final Duration PATIENCE = Duration.ofMillis(200);

    /** What has come and isn't committed, of partitions that are ours. */
    private final Deque<ConsumerRecord<byte[], byte[]>> waiting = new ArrayDeque<>();

    private Group() {
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[3]);
        String strategy = arguments.length > 4 ? arguments[4] : "range";
        AtomicBoolean ended = new AtomicBoolean();
        if (count == 0) {
            Thread watch = new Thread(() -> {
                try {
                    System.in.readAllBytes();
                } catch (IOException closed) {
                    // That is an end as well.
                }
                ended.set(true);
            });
            watch.setDaemon(true);
            watch.start();
        }
        Map<String, Object> configs = Map.of(
            "bootstrap.servers", arguments[0],
            "group.id", arguments[2],
            "enable.auto.commit", "false",
            "auto.offset.reset", "earliest",
            "max.poll.records", "1",
            "heartbeat.interval.ms", "500",
            "session.timeout.ms", "10000",
            "partition.assignment.strategy",
            ASSIGNORS + assignor(strategy));
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        Group group = new Group();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(configs, bytes, bytes)) {
            consumer.subscribe(List.of(arguments[1]), group);
            for (int read = 0; !ended.get() && (count == 0 || read < count); ) {
                consumer.poll(PATIENCE).forEach(group.waiting::add);
                read += group.commit(consumer, count == 0 ? Integer.MAX_VALUE : count - read);
            }
        }
    }

    private static String assignor(String strategy) {
        return switch (strategy) {
            case "cooperative-sticky" -> "CooperativeStickyAssignor";
            case "roundrobin" -> "RoundRobinAssignor";
            case "sticky" -> "StickyAssignor";
            default -> "RangeAssignor";
        };
    }

    /** Commits what waits, at most so many; how many. The rest is tried after the next poll. */
    private int commit(KafkaConsumer<byte[], byte[]> consumer, int max) {
        int committed = 0;
        while (!waiting.isEmpty() && committed < max) {
            ConsumerRecord<byte[], byte[]> one = waiting.peek();
            TopicPartition partition = new TopicPartition(one.topic(), one.partition());
            try {
                consumer.commitSync(Map.of(partition, new OffsetAndMetadata(one.offset() + 1)));
            } catch (RebalanceInProgressException | CommitFailedException | TimeoutException e) {
                return committed;
            }
            waiting.poll();
            System.out.println(one.partition() + " " + one.offset());
            System.out.flush();
            committed++;
        }
        return committed;
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        waiting.removeIf(one -> partitions.contains(new TopicPartition(one.topic(), one.partition())));
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        // They are read from what is committed.
    }
}
