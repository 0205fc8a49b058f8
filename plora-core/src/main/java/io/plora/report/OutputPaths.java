package io.plora.report;

import java.nio.file.Path;

/** Paths inside a sweep's folder as text that stays right when the folder moves or is read on another system. */
final class OutputPaths {
    private OutputPaths() {}

    /** The path seen from the folder, with slashes; as it is if it leads out of the folder. */
    static String relative(Path folder, Path path) {
        Path base = folder.toAbsolutePath().normalize();
        Path full = path.toAbsolutePath().normalize();
        Path shown = full.startsWith(base) ? base.relativize(full) : full;
        return shown.toString().replace(shown.getFileSystem().getSeparator(), "/");
    }
}
