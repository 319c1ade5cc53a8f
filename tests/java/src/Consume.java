import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * {@code BOOTSTRAP TOPIC ISOLATION PARTITION:LAST...}: prints the records of the partitions from
 * the beginning up to the offset LAST; tests/src/shapes.rs describes the format.
 */
public final class Consume {
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final int IDLE_POLLS_MAX = 30;

    private Consume() {
    }

    public static void main(String[] arguments) {
        Properties options = new Properties();
        options.put("bootstrap.servers", arguments[0]);
        options.put("isolation.level", arguments[2]);
        options.put("check.crcs", "true");
        options.put("auto.offset.reset", "earliest");
        options.put("enable.auto.commit", "false");
        Map<TopicPartition, Long> left = new HashMap<>();
        for (int i = 3; i < arguments.length; i++) {
            String[] words = arguments[i].split(":");
            int partition = Integer.parseInt(words[0]);
            left.put(new TopicPartition(arguments[1], partition), Long.parseLong(words[1]));
        }
        ByteArrayDeserializer plain = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(options, plain, plain)) {
            consumer.assign(left.keySet());
            int idle = 0;
            while (!left.isEmpty() && idle < IDLE_POLLS_MAX) {
                idle++;
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL)) {
                    idle = 0;
                    System.out.println(line(record));
                    left.remove(partition(record), record.offset());
                }
            }
        }
        if (!left.isEmpty()) {
            throw new IllegalStateException("nothing came for " + left);
        }
    }

    private static TopicPartition partition(ConsumerRecord<byte[], byte[]> record) {
        return new TopicPartition(record.topic(), record.partition());
    }

    private static String line(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder line = new StringBuilder();
        line.append(record.partition()).append(' ').append(record.offset());
        line.append(' ').append(record.timestampType().name);
        line.append(' ').append(record.timestamp());
        line.append(' ').append(Text.show(record.key()));
        line.append(' ').append(Text.show(record.value()));
        Text.headers(line, record.headers());
        return line.toString();
    }
}
