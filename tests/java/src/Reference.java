import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;

/**
 * What the reference client says of bytes, versions and errors.
 *
 * <ul>
 * <li>{@code recode IN OUT}: reads messages with its own classes and writes them again
 * <li>{@code errors}: code, name, retriable
 * <li>{@code versions}: key, name, whether it still exists, oldest and latest stable version,
 * oldest version that a broker's ApiVersions response names (or -), then for each version the
 * versions of the headers of request and response
 * <li>{@code specs DIR}: the message specifications of its jar, a file each
 * <li>{@code batches FILE...}: the records of files of batches
 * </ul>
 */
public final class Reference {
    private static final int REQUEST = 0;

    private Reference() {
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "recode" -> recode(arguments[1], arguments[2]);
            case "errors" -> errors();
            case "versions" -> versions();
            case "specs" -> specs(Path.of(arguments[1]));
            case "batches" -> batches(Arrays.copyOfRange(arguments, 1, arguments.length));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    /**
     * Frames in and out: api key, version, kind (0 request, 1 response), length, body. A body that
     * cannot be read back whole becomes a frame of kind 2 with the reason.
     */
    private static void recode(String from, String to) throws Exception {
        InputStream file = new BufferedInputStream(new FileInputStream(from));
        try (DataInputStream in = new DataInputStream(file);
                DataOutputStream out = new DataOutputStream(new FileOutputStream(to))) {
            for (int key = in.read(); key >= 0; key = in.read()) {
                short api = (short) (key << 8 | in.readUnsignedByte());
                short version = in.readShort();
                int kind = in.readUnsignedByte();
                byte[] body = in.readNBytes(in.readInt());
                byte[] answer;
                try {
                    answer = again(api, version, kind, body);
                } catch (RuntimeException error) {
                    kind = 2;
                    answer = Text.utf8(error.toString());
                }
                out.writeShort(api);
                out.writeShort(version);
                out.writeByte(kind);
                out.writeInt(answer.length);
                out.write(answer);
            }
        }
    }

    private static byte[] again(short api, short version, int kind, byte[] body) {
        ApiMessageType type = ApiMessageType.fromApiKey(api);
        ApiMessage message = kind == REQUEST ? type.newRequest() : type.newResponse();
        ByteBufferAccessor in = new ByteBufferAccessor(ByteBuffer.wrap(body));
        message.read(in, version);
        if (in.remaining() != 0) {
            throw new IllegalStateException(in.remaining() + " bytes left over");
        }
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        if (out.hasRemaining()) {
            throw new IllegalStateException(out.remaining() + " bytes fewer than its size");
        }
        return out.array();
    }

    private static void errors() {
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            System.out.println(error.code() + " " + error + " " + retriable);
        }
    }

    private static void versions() {
        for (ApiKeys api : ApiKeys.values()) {
            StringBuilder line = new StringBuilder();
            line.append(api.id).append(' ').append(api.name);
            line.append(' ').append(api.hasValidVersion());
            line.append(' ').append(api.oldestVersion());
            line.append(' ').append(api.latestVersion(false));
            line.append(' ').append(api.toApiVersionForApiResponse(false, ListenerType.BROKER)
                .map(version -> Short.toString(version.minVersion())).orElse("-"));
            for (short v = api.oldestVersion(); v <= api.latestVersion(true); v++) {
                line.append(' ').append(v).append(':').append(api.requestHeaderVersion(v));
                line.append(':').append(api.responseHeaderVersion(v));
            }
            System.out.println(line);
        }
    }

    private static void specs(Path directory) throws Exception {
        URL jar = ApiKeys.class.getProtectionDomain().getCodeSource().getLocation();
        try (ZipFile zip = new ZipFile(new File(jar.toURI()))) {
            Enumeration<? extends ZipEntry> entries = zip.entries();
            while (entries.hasMoreElements()) {
                ZipEntry entry = entries.nextElement();
                String name = entry.getName();
                if (name.startsWith("common/message/") && name.endsWith(".json")) {
                    byte[] text = zip.getInputStream(entry).readAllBytes();
                    Path file = directory.resolve(name.substring(name.lastIndexOf('/') + 1));
                    Files.write(file, text);
                }
            }
        }
    }

    /** A line {@code file NAME}, then a line a record. */
    private static void batches(String[] files) throws Exception {
        for (String file : files) {
            System.out.println("file " + file);
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(Path.of(file)));
            MemoryRecords records = MemoryRecords.readableRecords(bytes);
            if (records.validBytes() != bytes.capacity()) {
                throw new IllegalStateException(file + ": batches end at " + records.validBytes());
            }
            for (MutableRecordBatch batch : records.batches()) {
                batch.ensureValid();
                for (Record record : batch) {
                    record.ensureValid();
                    StringBuilder line = new StringBuilder(batch.compressionType().name);
                    line.append(' ').append(record.offset()).append(' ').append(record.timestamp());
                    line.append(' ').append(Text.show(record.key()));
                    line.append(' ').append(Text.show(record.value()));
                    Text.headers(line, Arrays.asList(record.headers()));
                    System.out.println(line);
                }
            }
        }
    }
}
