package io.plora.examples.gpu;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** The jar of ND4J's CUDA backend that holds its native library. */
final class NativeJar {
    private static final String LIBRARY = "/libnd4jcuda.so";

    private final Path jar;
    private final String library;

    private NativeJar(Path jar, String library) {
        this.jar = jar;
        this.library = library;
    }

    /** @throws IllegalArgumentException if the jar holds no such library */
    static NativeJar of(Path jar) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            return zip.stream()
                    .map(ZipEntry::getName)
                    .filter(name -> name.endsWith(LIBRARY))
                    .findFirst()
                    .map(library -> new NativeJar(jar, library))
                    .orElseThrow(() -> new IllegalArgumentException(
                            ("The jar (%s) holds no library (libnd4jcuda.so). Maybe this is the jar without a classifier;"
                                            + " the one with natives ends in -linux-x86_64.jar.")
                                    .formatted(jar)));
        }
    }

    /** Takes the library out. */
    void extractLibrary(Path target) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile());
                InputStream source = zip.getInputStream(zip.getEntry(library))) {
            Files.copy(source, target);
        }
    }

    /** Writes the jar anew, with another library in place of its own. */
    void writeWith(Path otherLibrary, Path target) throws IOException {
        try (ZipFile zip = new ZipFile(jar.toFile());
                ZipOutputStream out = new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(target)))) {
            out.setLevel(Deflater.BEST_SPEED); // most of the library is zeros
            for (ZipEntry entry : Collections.list(zip.entries())) {
                ZipEntry copy = new ZipEntry(entry.getName());
                copy.setTime(entry.getTime());
                out.putNextEntry(copy);
                if (entry.getName().equals(library)) {
                    Files.copy(otherLibrary, out);
                } else {
                    zip.getInputStream(entry).transferTo(out);
                }
                out.closeEntry();
            }
        }
    }
}
