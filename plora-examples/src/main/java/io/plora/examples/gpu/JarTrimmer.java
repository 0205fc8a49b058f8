package io.plora.examples.gpu;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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

    /** @throws java.nio.file.FileAlreadyExistsException if the target is there */
    static void trim(Path jar, Path target) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile());
                ZipOutputStream out = new ZipOutputStream(
                        new BufferedOutputStream(Files.newOutputStream(target, StandardOpenOption.CREATE_NEW)))) {
            out.setMethod(ZipOutputStream.STORED);
            for (ZipEntry entry : Collections.list(zip.entries())) {
                if (!entry.isDirectory() && !DROPPED.matcher(entry.getName()).matches()) {
                    copy(zip, entry, out);
                }
            }
        }
    }

    private static void copy(ZipFile zip, ZipEntry entry, ZipOutputStream out) throws IOException {
        try (InputStream in = zip.getInputStream(entry)) {
            if (entry.getName().endsWith(".class")) {
                byte[] content = withoutDebugging(in.readAllBytes());
                CRC32 checksum = new CRC32();
                checksum.update(content);
                out.putNextEntry(stored(entry, content.length, checksum.getValue()));
                out.write(content);
            } else {
                out.putNextEntry(stored(entry, entry.getSize(), entry.getCrc()));
                in.transferTo(out);
            }
            out.closeEntry();
        }
    }

    private static ZipEntry stored(ZipEntry original, long size, long checksum) {
        ZipEntry entry = new ZipEntry(original.getName());
        entry.setTime(0); // one for all packs better
        entry.setSize(size);
        entry.setCrc(checksum);
        return entry;
    }

    private static byte[] withoutDebugging(byte[] content) {
        ClassWriter writer = new ClassWriter(0);
        new ClassReader(content).accept(writer, ClassReader.SKIP_DEBUG);
        return writer.toByteArray();
    }
}
