package io.plora.examples.gpu;

import com.google.common.hash.Hashing;
import io.plora.model.AtomicFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Compiles PTX once: the machine code is kept in a folder, under a hash of the text, the assembler's version and the compute
 * capability, so that a port that was interrupted goes on where it was.
 */
final class ImageCache {
    private final Path folder;
    private final Ptxas ptxas;

    ImageCache(Path folder, Ptxas ptxas) {
        this.folder = folder;
        this.ptxas = ptxas;
    }

    /** The user's folder for such files: XDG_CACHE_HOME or ~/.cache. */
    static Path defaultFolder() {
        String caches = System.getenv("XDG_CACHE_HOME");
        Path root = caches == null || caches.isEmpty()
                ? Path.of(System.getProperty("user.home"), ".cache")
                : Path.of(caches);
        return root.resolve("plora").resolve("ptx");
    }

    /** Machine code of a text, an ELF file; compiled if it is not here yet. Different texts may be asked for at a time. */
    byte[] image(String text, int architecture) throws IOException, InterruptedException {
        Path file = folder.resolve(key(text, architecture) + ".cubin");
        if (Files.exists(file)) {
            return Files.readAllBytes(file);
        }
        byte[] image = ptxas.compile(text, architecture);
        AtomicFiles.writeFile(file, image);
        return image;
    }

    private String key(String text, int architecture) {
        return Hashing.sha256()
                .newHasher()
                .putString(text, StandardCharsets.UTF_8)
                .putString("\0" + ptxas.version() + "\0sm_" + architecture, StandardCharsets.UTF_8)
                .hash()
                .toString();
    }
}
