import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.kafka.common.header.Header;

/**
 * Records as text; tests/src/shapes.rs describes the format.
 */
final class Text {
    /** Bytes that may be shortened to a repeated unit. */
    private static final int UNIT = 64;

    private Text() {
    }

    /** {@code -} for null, {@code =hex}, or {@code count=hex} for a unit that repeats. */
    static String show(byte[] bytes) {
        if (bytes == null) {
            return "-";
        }
        int count = bytes.length / UNIT;
        if (count < 2 || bytes.length % UNIT != 0) {
            return "=" + HexFormat.of().formatHex(bytes);
        }
        byte[] unit = Arrays.copyOf(bytes, UNIT);
        if (!Arrays.equals(bytes, repeat(unit, count))) {
            return "=" + HexFormat.of().formatHex(bytes);
        }
        return count + "=" + HexFormat.of().formatHex(unit);
    }

    static String show(ByteBuffer buffer) {
        if (buffer == null) {
            return "-";
        }
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return show(bytes);
    }

    static byte[] parse(String text) {
        if (text.equals("-")) {
            return null;
        }
        int split = text.indexOf('=');
        byte[] unit = HexFormat.of().parseHex(text.substring(split + 1));
        return split == 0 ? unit : repeat(unit, Integer.parseInt(text.substring(0, split)));
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void headers(StringBuilder line, Iterable<Header> headers) {
        for (Header header : headers) {
            line.append(' ').append(show(utf8(header.key())));
            line.append(' ').append(show(header.value()));
        }
    }

    private static byte[] repeat(byte[] unit, int count) {
        byte[] bytes = new byte[unit.length * count];
        for (int i = 0; i < count; i++) {
            System.arraycopy(unit, 0, bytes, i * unit.length, unit.length);
        }
        return bytes;
    }
}
