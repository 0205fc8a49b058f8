package io.plora.examples.gpu;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.tukaani.xz.FilterOptions;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.UnsupportedOptionsException;
import org.tukaani.xz.X86Options;
import org.tukaani.xz.XZOutputStream;

/**
 * Packs a folder into a .tar.xz. Files of one kind lie together and are compressed as it suits them: each kind is an xz stream of
 * its own, compressed in a thread of its own; one after the other they make a valid .xz file.
 */
final class BundleArchive {

    /** What resembles each other. */
    private enum Kind {
        DEVICE_CODE(".*/nd4j-cuda-[^/]*-linux-x86_64[^/]*\\.jar") {
            @Override
            FilterOptions[] filters() throws UnsupportedOptionsException {
                LZMA2Options options = dictionary(64);
                options.setPb(4); // instructions of 16 bytes
                return new FilterOptions[] {options};
            }
        },
        PROCESSOR_CODE(".*\\.so(\\.\\d+)*|.*/bin/java|.*linux-x86_64\\.jar|.*/tokenizers-[^/]*\\.jar") {
            @Override
            FilterOptions[] filters() throws UnsupportedOptionsException {
                return new FilterOptions[] {new X86Options(), dictionary(32)};
            }
        },
        REST(".*") {
            @Override
            FilterOptions[] filters() throws UnsupportedOptionsException {
                return new FilterOptions[] {dictionary(64)};
            }
        };

        private final Pattern names;

        Kind(String names) {
            this.names = Pattern.compile(names);
        }

        abstract FilterOptions[] filters() throws UnsupportedOptionsException;

        static Kind of(Path file) {
            return Stream.of(values())
                    .filter(kind -> kind.names.matcher(file.toString()).matches())
                    .findFirst()
                    .orElseThrow();
        }

        private static LZMA2Options dictionary(int mebibytes) throws UnsupportedOptionsException {
            LZMA2Options options = new LZMA2Options();
            options.setDictSize(mebibytes << 20);
            return options;
        }
    }

    private BundleArchive() {}

    /** Writes all files of a folder, under the folder's own name. */
    static void write(Path folder, Path archive) throws IOException, InterruptedException {
        Map<Kind, List<Path>> files = new EnumMap<>(Kind.class);
        try (Stream<Path> all = Files.walk(folder, FileVisitOption.FOLLOW_LINKS)) {
            all.filter(Files::isRegularFile)
                    .sorted()
                    .forEach(file -> files.computeIfAbsent(Kind.of(file), kind -> new ArrayList<>())
                            .add(file));
        }
        files.computeIfAbsent(Kind.REST, kind -> new ArrayList<>()); // always last: it ends the tar file
        ExecutorService executor = Executors.newFixedThreadPool(files.size());
        List<Path> parts = new ArrayList<>();
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(archive))) {
            List<Future<?>> compressions = new ArrayList<>();
            for (Map.Entry<Kind, List<Path>> kind : files.entrySet()) {
                Path part = Files.createTempFile(archive.toAbsolutePath().getParent(), ".part", ".xz");
                parts.add(part);
                compressions.add(executor.submit(() -> {
                    writePart(kind.getKey(), folder, kind.getValue(), part);
                    return null;
                }));
            }
            for (int i = 0; i < compressions.size(); i++) {
                compressions.get(i).get();
                Files.copy(parts.get(i), out);
            }
        } catch (ExecutionException e) {
            throw new IOException("The archive (%s) cannot be written.".formatted(archive), e.getCause());
        } finally {
            executor.shutdownNow();
            for (Path part : parts) {
                Files.deleteIfExists(part);
            }
        }
    }

    /** Only the last part has the blocks that end a tar file; the others end where an entry does. */
    private static void writePart(Kind kind, Path folder, List<Path> files, Path target) throws IOException {
        try (XZOutputStream compressed =
                new XZOutputStream(new BufferedOutputStream(Files.newOutputStream(target)), kind.filters())) {
            TarArchiveOutputStream tar = new TarArchiveOutputStream(compressed);
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            for (Path file : files) {
                TarArchiveEntry entry = new TarArchiveEntry(
                        file.toFile(),
                        folder.toAbsolutePath()
                                .getParent()
                                .relativize(file.toAbsolutePath())
                                .toString());
                entry.setMode(Files.isExecutable(file) ? 0755 : 0644);
                entry.setIds(0, 0);
                entry.setNames("root", "root");
                tar.putArchiveEntry(entry);
                Files.copy(file, tar);
                tar.closeArchiveEntry();
            }
            if (kind == Kind.REST) {
                tar.finish();
            }
            tar.flush();
        }
    }
}
