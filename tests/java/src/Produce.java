import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * {@code BOOTSTRAP TOPIC (CODEC IDEMPOTENT FILE)...}: sends the batches that each FILE describes,
 * flushing after each batch; tests/src/shapes.rs describes the format.
 */
public final class Produce {
    private Produce() {
    }

    public static void main(String[] arguments) throws Exception {
        for (int i = 2; i < arguments.length; i += 3) {
            Map<String, Object> choices = Map.of(
                "bootstrap.servers", arguments[0],
                "compression.type", arguments[i],
                "enable.idempotence", arguments[i + 1]);
            produce(choices, arguments[1], Path.of(arguments[i + 2]));
        }
    }

    private static void produce(Map<String, Object> choices, String topic, Path file)
            throws Exception {
        Map<String, Object> options = new HashMap<>(choices);
        options.putAll(Map.of(
            "acks", "all",
            "linger.ms", "10000",
            "batch.size", "1000000",
            "delivery.timeout.ms", "60000",
            "request.timeout.ms", "30000",
            "max.block.ms", "30000"));
        ByteArraySerializer plain = new ByteArraySerializer();
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(options, plain, plain);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        int partition = -1;
        for (String line : Files.readAllLines(file)) {
            String[] words = line.split(" ");
            if (words[0].equals("batch")) {
                producer.flush();
                partition = Integer.parseInt(words[1]);
            } else {
                sent.add(producer.send(record(topic, partition, words)));
            }
        }
        producer.flush();
        for (Future<RecordMetadata> one : sent) {
            one.get(60, TimeUnit.SECONDS);
        }
        producer.close(Duration.ofSeconds(10));
    }

    private static ProducerRecord<byte[], byte[]> record(
            String topic, int partition, String[] words) {
        List<Header> headers = new ArrayList<>();
        for (int i = 4; i < words.length; i += 2) {
            String key = new String(Text.parse(words[i]), StandardCharsets.UTF_8);
            headers.add(new RecordHeader(key, Text.parse(words[i + 1])));
        }
        long timestamp = Long.parseLong(words[1]);
        byte[] key = Text.parse(words[2]);
        byte[] value = Text.parse(words[3]);
        return new ProducerRecord<>(topic, partition, timestamp, key, value, headers);
    }
}
