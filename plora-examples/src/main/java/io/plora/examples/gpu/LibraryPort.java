package io.plora.examples.gpu;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;

/**
 * Makes ND4J's CUDA library run on a GPU that its release has no machine code for, or code of that GPU alone, which takes a
 * fraction of the room: each container of device code gets the machine code of an archive, or else what it has for this GPU, or else
 * what the CUDA toolkit's assembler makes of its PTX. The rest of the library stays as it is, but for a debugger's
 * symbols, which it loses.
 */
final class LibraryPort {
    private final int architecture;
    private final @Nullable Path images;
    private final @Nullable Path ptxas;
    private final Path cache;
    private final int jobs;

    /**
     * @param architecture compute capability, such as 90
     * @param images an {@link ImageArchive}
     * @param ptxas the assembler, or null for the one that the CUDA toolkit's usual places have
     * @param cache folder of an {@link ImageCache}
     * @param jobs compilations at a time
     */
    LibraryPort(int architecture, @Nullable Path images, @Nullable Path ptxas, Path cache, int jobs) {
        this.architecture = architecture;
        this.images = images;
        this.ptxas = ptxas;
        this.cache = cache;
        this.jobs = jobs;
    }

    int architecture() {
        return architecture;
    }

    /**
     * Writes a jar with the ported library in place of the original's.
     *
     * @param savedImages where to write the images as an {@link ImageArchive}, or null
     * @return the number of containers
     * @throws IllegalArgumentException if one of the files to write is there already; then nothing is compiled
     */
    int port(Path nativeJar, Path target, @Nullable Path savedImages) throws IOException, InterruptedException {
        requireAbsent(target);
        if (savedImages != null) {
            requireAbsent(savedImages);
        }
        NativeJar jar = NativeJar.of(nativeJar);
        Path folder = Files.createTempDirectory(target.toAbsolutePath().getParent(), ".port");
        try {
            Path library = folder.resolve("library.so");
            jar.extractLibrary(library);
            DeviceCode code = port(library);
            Path unfinished = folder.resolve("ported.jar");
            jar.writeWith(library, unfinished);
            Files.move(unfinished, target);
            if (savedImages != null) {
                ImageArchive.write(code, savedImages);
            }
            return code.containers().size();
        } finally {
            MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
        }
    }

    private static void requireAbsent(Path file) {
        if (Files.exists(file)) {
            throw new IllegalArgumentException(
                    "There is a file (%s) already. Maybe delete it, or name another.".formatted(file));
        }
    }

    /** Ports a library file in place. */
    private DeviceCode port(Path library) throws IOException, InterruptedException {
        try (FileChannel channel = FileChannel.open(library, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            MappedByteBuffer bytes = channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size());
            DeviceCode code = new DeviceCode(bytes, architecture);
            try (ProgressBar progress = progress(code.containers().size())) {
                Set<Integer> imported = placeImported(code, progress);
                List<FatbinContainer> missing = new ArrayList<>(code.containers());
                missing.removeIf(container -> imported.contains(container.number()));
                missing.removeIf(container -> placePresent(code, container, progress));
                if (!missing.isEmpty()) {
                    compile(code, missing, progress);
                }
            }
            code.dropDebuggingSymbols();
            bytes.force();
            return code;
        }
    }

    private ProgressBar progress(int size) {
        return ProgressBar.builder()
                .setTaskName("sm_" + architecture)
                .setInitialMax(size)
                .setUnit(" containers", 1)
                .build();
    }

    private Set<Integer> placeImported(DeviceCode code, ProgressBar progress) throws IOException {
        Set<Integer> done = new HashSet<>();
        if (images == null) {
            return done;
        }
        ImageArchive.read(images, (number, image) -> {
            if (number >= code.containers().size()) {
                throw new IllegalArgumentException(
                        "The archive (%s) has an image for container (%d), but the library has (%d). Maybe it was made for another library."
                                .formatted(images, number, code.containers().size()));
            }
            code.placeImported(code.containers().get(number), image);
            done.add(number);
            progress.step();
        });
        return done;
    }

    private static boolean placePresent(DeviceCode code, FatbinContainer container, ProgressBar progress) {
        Optional<byte[]> image = code.image(container);
        image.ifPresent(elf -> {
            code.place(container, elf);
            progress.step();
        });
        return image.isPresent();
    }

    /** Large texts first, so that no long one is left for the end. */
    private void compile(DeviceCode code, List<FatbinContainer> missing, ProgressBar progress)
            throws IOException, InterruptedException {
        ImageCache compiled = new ImageCache(cache, ptxas == null ? Ptxas.find() : Ptxas.of(ptxas));
        missing.sort(Comparator.comparingInt(FatbinContainer::size).reversed());
        ExecutorService executor = Executors.newFixedThreadPool(jobs);
        try {
            ExecutorCompletionService<FatbinContainer> completion = new ExecutorCompletionService<>(executor);
            for (FatbinContainer container : missing) {
                completion.submit(() -> {
                    code.place(container, compiled.image(code.text(container), code.architecture()));
                    return container;
                });
            }
            for (int i = 0; i < missing.size(); i++) {
                completion.take().get();
                progress.step();
            }
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause().getMessage(), e);
        } finally {
            executor.shutdownNow();
        }
    }
}
