package io.plora.examples.gpu;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassWriter;

/**
 * Rewrites jars so that an archive of many packs them well: nothing compressed, no classes' line numbers, no native libraries of
 * other platforms than Linux on x86-64, no signatures (which would not hold any more), and of CUDA's bindings those that
 * ND4J loads.
 */
final class JarTrimmer {
    private static final Pattern DROPPED = Pattern.compile("META-INF/.*\\.(SF|RSA|DSA|EC)"
            + "|META-INF/native-image/.*"
            + "|META-INF/versions/\\d+/module-info\\.class"
            + "|native/lib/(?!linux-x86_64/|tokenizers\\.properties).*"
            + "|org/jline/nativ/(?!Linux/x86_64/)\\w+/.*"
            + "|org/bytedeco/\\w+/linux-x86_64/(include|lib)/.*"
            + "|org/bytedeco/openblas/linux-x86_64/libjniopenblas\\.so"
            + "|org/bytedeco/cuda/linux-x86_64/libjni(?!cublas|cudart|cusolver|cusparse)\\w+\\.so");

    private JarTrimmer() {}

    static void trim(Path jar, Path target) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile());
                ZipOutputStream out = new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(target)))) {
            out.setMethod(ZipOutputStream.STORED);
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (!entry.isDirectory() && !DROPPED.matcher(entry.getName()).matches()) {
                    byte[] content = zip.getInputStream(entry).readAllBytes();
                    put(out, entry, entry.getName().endsWith(".class") ? withoutDebugging(content) : content);
                }
            }
        }
    }

    private static void put(ZipOutputStream out, ZipEntry original, byte[] content) throws IOException {
        CRC32 checksum = new CRC32();
        checksum.update(content);
        ZipEntry entry = new ZipEntry(original.getName());
        entry.setTime(original.getTime());
        entry.setSize(content.length);
        entry.setCrc(checksum.getValue());
        out.putNextEntry(entry);
        out.write(content);
        out.closeEntry();
    }

    private static byte[] withoutDebugging(byte[] content) {
        ClassWriter writer = new ClassWriter(0);
        new ClassReader(content).accept(writer, ClassReader.SKIP_DEBUG);
        return writer.toByteArray();
    }
}
