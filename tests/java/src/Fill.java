import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * {@code BOOTSTRAP TOPIC}: numbered records of 60,000 bytes from an idempotent producer, until
 * standard input ends; then their count. Prints {@code refused} when a batch is sent again the
 * first time, why it does not tell. Every record is delivered in the end, or it fails.
 */
public final class Fill {
    private static final int VALUE_BYTES = 60_000;
    private static final int QUEUED_MAX = 20;

    private Fill() {
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> options = Map.of(
            "bootstrap.servers", arguments[0],
            "enable.idempotence", "true",
            "compression.type", "none",
            "batch.size", "1",
            "delivery.timeout.ms", "100000",
            "request.timeout.ms", "30000");
        Thread stop = new Thread(Fill::readAll);
        stop.setDaemon(true);
        stop.start();
        StringSerializer plain = new StringSerializer();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(options, plain, plain)) {
            fill(producer, arguments[1], stop);
        }
    }

    private static void readAll() {
        try {
            System.in.readAllBytes();
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    private static void fill(KafkaProducer<String, String> producer, String topic, Thread stop)
            throws Exception {
        Semaphore room = new Semaphore(QUEUED_MAX);
        AtomicReference<Exception> failure = new AtomicReference<>();
        boolean said = false;
        int count = 0;
        while (stop.isAlive() && failure.get() == null) {
            if (!said && retries(producer) > 0) {
                System.out.println("refused");
                said = true;
            }
            if (!room.tryAcquire(10, TimeUnit.MILLISECONDS)) {
                continue;
            }
            String number = Integer.toString(count);
            String value = "0".repeat(VALUE_BYTES - number.length()) + number;
            producer.send(new ProducerRecord<>(topic, 0, null, value), (metadata, error) -> {
                if (error != null) {
                    failure.set(error);
                }
                room.release();
            });
            count++;
        }
        producer.flush();
        if (failure.get() != null) {
            throw failure.get();
        }
        System.out.println(count);
    }

    private static double retries(KafkaProducer<String, String> producer) {
        return producer.metrics().values().stream()
            .filter(metric -> metric.metricName().name().equals("record-retry-total"))
            .filter(metric -> metric.metricName().group().equals("producer-metrics"))
            .map(Metric::metricValue)
            .mapToDouble(value -> (Double) value)
            .sum();
    }
}
