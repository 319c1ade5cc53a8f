import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * {@code BOOTSTRAP TOPIC MILLISECONDS}: the tour with the reference client; tests/it/tour.rs
 * describes it.
 */
public final class Tour {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final int RUN = 20;
    private static final int COUNT = 120;
    private static final int AT = 50;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String bootstrap;
    private final String topic;
    private final TopicPartition partition;
    private final long start;

    private Tour(String[] arguments) {
        bootstrap = arguments[0];
        topic = arguments[1];
        partition = new TopicPartition(topic, 0);
        start = Long.parseLong(arguments[2]);
    }

    public static void main(String[] arguments) throws Exception {
        Tour tour = new Tour(arguments);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", tour.bootstrap))) {
            NewTopic made = new NewTopic(tour.topic, 2, (short) -1);
            made.configs(Map.of("retention.ms", "7200000"));
            admin.createTopics(List.of(made)).all().get();
            step("create");
            for (int round = 0; round < CODECS.size(); round++) {
                String codec = CODECS.get(round);
                tour.produce(round * RUN, Map.of(
                    "compression.type", codec, "enable.idempotence", "false"));
                step("produce " + codec);
            }
            tour.produce(COUNT - RUN, Map.of("enable.idempotence", "true"));
            step("produce idempotent");
            step("list earliest " + tour.offset(admin, OffsetSpec.earliest()));
            step("list latest " + tour.offset(admin, OffsetSpec.latest()));
            step("list timestamp " + tour.offset(admin, OffsetSpec.forTimestamp(tour.start + AT)));
            tour.consume();
            tour.change(admin);
            tour.shrink(admin);
        }
    }

    private static void step(String line) {
        System.out.println(line);
    }

    private static void check(boolean holds, String reason) {
        if (!holds) {
            throw new IllegalStateException(reason);
        }
    }

    private void produce(int first, Map<String, Object> choices) throws Exception {
        Map<String, Object> options = new HashMap<>(choices);
        options.putAll(Map.of(
            "bootstrap.servers", bootstrap, "linger.ms", "10000", "batch.size", "1000000"));
        StringSerializer plain = new StringSerializer();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(options, plain, plain)) {
            for (int number = first; number < first + RUN; number++) {
                sent.add(producer.send(new ProducerRecord<>(
                    topic, 0, start + number, "key " + number, value(number))));
            }
            producer.flush();
        }
        for (Future<RecordMetadata> one : sent) {
            one.get();
        }
    }

    private static String value(int number) {
        return ("value " + number + " ").repeat(20);
    }

    private long offset(Admin admin, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    private void consume() {
        StringDeserializer plain = new StringDeserializer();
        Map<String, Object> options = Map.of(
            "bootstrap.servers", bootstrap, "auto.offset.reset", "none", "check.crcs", "true");
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(options, plain, plain)) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            read(consumer, 0, COUNT);
            step("beginning");
            consumer.seek(partition, AT);
            read(consumer, AT, COUNT);
            step("offset");
            long found = consumer.offsetsForTimes(Map.of(partition, start + AT))
                .get(partition).offset();
            consumer.seek(partition, found);
            read(consumer, AT, COUNT);
            step("time");
            consumer.seekToEnd(List.of(partition));
            check(consumer.position(partition) == COUNT, "the end");
            check(consumer.poll(Duration.ofMillis(100)).isEmpty(), "a record behind the end");
            step("end");
        }
    }

    private void read(KafkaConsumer<String, String> consumer, int first, int end) {
        int number = first;
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (number < end) {
            check(System.nanoTime() < deadline, "nothing came behind " + number);
            for (ConsumerRecord<String, String> record : consumer.poll(PATIENCE)) {
                boolean holds = record.offset() == number
                    && record.timestamp() == start + number
                    && record.key().equals("key " + number)
                    && record.value().equals(value(number));
                check(holds, record.toString());
                number++;
            }
        }
    }

    private String retention(Admin admin, ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource)
            .get("retention.ms").value();
    }

    /** What is asked for: what is expected, once the broker that is asked has heard of it. */
    private static <T> T settled(Callable<T> ask, T expected) throws Exception {
        T found = ask.call();
        for (int i = 0; i < 200 && !found.equals(expected); i++) {
            Thread.sleep(50);
            found = ask.call();
        }
        return found;
    }

    private void change(Admin admin) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        step("config " + retention(admin, resource));
        ConfigEntry entry = new ConfigEntry("retention.ms", "3600000");
        AlterConfigOp set = new AlterConfigOp(entry, AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        step("changed " + settled(() -> retention(admin, resource), "3600000"));
    }

    private void shrink(Admin admin) throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        step("partitions " + settled(() -> admin.describeTopics(List.of(topic)).allTopicNames()
            .get().get(topic).partitions().size(), 4));
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(30))).all().get();
        step("trim " + offset(admin, OffsetSpec.earliest()));
        String gone = topic + "-gone";
        admin.createTopics(List.of(new NewTopic(gone, 1, (short) -1))).all().get();
        admin.deleteTopics(List.of(gone)).all().get();
        check(!settled(() -> isThere(admin, gone), false), "it is still there");
        step("delete");
    }

    private static boolean isThere(Admin admin, String topic) throws Exception {
        try {
            admin.describeTopics(List.of(topic)).allTopicNames().get();
            return true;
        } catch (ExecutionException unknown) {
            return false;
        }
    }
}
