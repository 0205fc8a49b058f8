package io.plora.model;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes files and folders so that whoever opens one finds all of it or what was there before, also after a crash.
 *
 * <p>Content goes to a hidden sibling ({@code .name.new}), is forced to the disk and takes its name in one move. A file
 * replaces another of its name in that move. No file system moves one folder over another: an existing folder is first
 * moved to {@code .name.old}, and deleted when the new one is in place. A crash between the two moves leaves no
 * folder of that name, but both under their hidden names; {@link #restoreFolder} and the next write put the old one
 * back. What a crash leaves under hidden names is removed by the next write.
 *
 * <p>One writer at a time for one name.
 */
public final class AtomicFiles {
    private static final Logger LOGGER = LoggerFactory.getLogger(AtomicFiles.class);

    private AtomicFiles() {}

    /** Writes content to where it is told. */
    @FunctionalInterface
    public interface Content<T> {
        void writeTo(T target) throws IOException;
    }

    /**
     * Writes a file, and the folders above it where they are missing.
     *
     * @throws UncheckedIOException naming the file, which is as it was before
     */
    public static void writeFile(Path file, Content<? super FileChannel> content) {
        Path absolute = file.toAbsolutePath().normalize();
        Path unfinished = sibling(absolute, ".new");
        try {
            Files.createDirectories(parent(absolute));
            try (FileChannel channel = FileChannel.open(
                    unfinished,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.WRITE)) {
                content.writeTo(channel);
                channel.force(true);
            }
            Files.move(unfinished, absolute, StandardCopyOption.ATOMIC_MOVE);
            force(parent(absolute));
        } catch (IOException | RuntimeException e) {
            delete(unfinished, e);
            throw failure(file, e);
        }
    }

    /** As {@link #writeFile(Path, Content)}, with all of the bytes as content. */
    public static void writeFile(Path file, byte[] bytes) {
        writeFile(file, channel -> TensorData.writeFully(ByteBuffer.wrap(bytes), channel));
    }

    /**
     * Gives a file a second name, in a folder that is there. Neither changes when the other is replaced.
     *
     * @return whether the file system can; if not, nothing is done
     */
    public static boolean link(Path name, Path file) {
        try {
            Files.createLink(name, file);
        } catch (IOException | UnsupportedOperationException e) {
            LOGGER.debug("There is no second name ({}) for file ({}).", name, file, e);
            return false;
        }
        force(parent(name.toAbsolutePath().normalize()));
        return true;
    }

    /**
     * Writes a folder, and the folders above it where they are missing.
     *
     * @param replaceable an existing folder is replaced if it holds nothing but files of these names
     * @param content writes the files, with {@link #writeFile}
     * @throws UncheckedIOException naming the folder, which is as it was before
     * @throws IllegalArgumentException if the folder holds other files or is none
     */
    public static void writeFolder(Path folder, Set<String> replaceable, Content<Path> content) {
        Path absolute = folder.toAbsolutePath().normalize();
        Path unfinished = sibling(absolute, ".new");
        restoreFolder(absolute);
        requireReplaceable(absolute, replaceable);
        try {
            Files.createDirectories(parent(absolute));
            deleteIfExists(unfinished);
            Files.createDirectory(unfinished);
            content.writeTo(unfinished);
            replace(unfinished, absolute);
        } catch (IOException | RuntimeException e) {
            delete(unfinished, e);
            throw failure(folder, e);
        }
    }

    /** Puts back a folder that a crash of {@link #writeFolder} left under its hidden name. */
    public static void restoreFolder(Path folder) {
        Path absolute = folder.toAbsolutePath().normalize();
        Path old = sibling(absolute, ".old");
        if (Files.exists(old) && !Files.exists(absolute)) {
            try {
                Files.move(old, absolute, StandardCopyOption.ATOMIC_MOVE);
            } catch (IOException e) {
                throw failure(folder, e);
            }
        }
    }

    /**
     * Deletes a folder, and what a crash of {@link #writeFolder} left of it under hidden names.
     *
     * @throws UncheckedIOException naming the folder, of which a part may be left
     */
    public static void deleteFolder(Path folder) {
        Path absolute = folder.toAbsolutePath().normalize();
        try {
            deleteIfExists(sibling(absolute, ".new"));
            deleteIfExists(sibling(absolute, ".old"));
            deleteIfExists(absolute);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "%s: could not be deleted (%s). Maybe check its permissions.".formatted(folder, e), e);
        }
    }

    private static void replace(Path unfinished, Path folder) throws IOException {
        Path old = sibling(folder, ".old");
        deleteIfExists(old);
        if (Files.exists(folder)) {
            Files.move(folder, old, StandardCopyOption.ATOMIC_MOVE);
        }
        try {
            Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            restoreFolder(folder);
            throw e;
        }
        force(parent(folder));
        deleteIfExists(old);
    }

    private static void requireReplaceable(Path folder, Set<String> replaceable) {
        if (!Files.exists(folder)) {
            return;
        }
        if (!Files.isDirectory(folder)) {
            throw new IllegalArgumentException(
                    "%s: is a file, no folder. Maybe choose a folder that does not exist.".formatted(folder));
        }
        try (Stream<Path> files = Files.list(folder)) {
            Optional<String> stranger = files.map(file -> file.getFileName().toString())
                    .filter(name -> !replaceable.contains(name))
                    .sorted()
                    .findFirst();
            if (stranger.isPresent()) {
                throw new IllegalArgumentException(
                        "%s: holds (%s), which would be lost. Maybe choose a folder that does not exist."
                                .formatted(folder, stranger.get()));
            }
        } catch (IOException e) {
            throw failure(folder, e);
        }
    }

    private static Path sibling(Path path, String suffix) {
        return path.resolveSibling("." + path.getFileName() + suffix);
    }

    private static Path parent(Path absolute) {
        Path parent = absolute.getParent();
        if (parent == null) {
            throw new IllegalArgumentException("%s: is no path that can be written to.".formatted(absolute));
        }
        return parent;
    }

    /** Makes moves inside a folder durable, where the system can open a folder (Windows cannot). */
    private static void force(Path folder) {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            // the content is on the disk already; only the move may be undone by a crash of the machine
        }
    }

    private static void deleteIfExists(Path path) throws IOException {
        if (Files.exists(path)) {
            MoreFiles.deleteRecursively(path, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }

    private static void delete(Path unfinished, Exception reason) {
        try {
            deleteIfExists(unfinished);
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    private static RuntimeException failure(Path path, Exception cause) {
        return cause instanceof IOException e
                ? new UncheckedIOException(
                        "%s: could not be written (%s). Maybe check the path, its permissions and the free disk space."
                                .formatted(path, e),
                        e)
                : (RuntimeException) cause;
    }
}
