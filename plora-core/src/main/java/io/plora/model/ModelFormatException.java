package io.plora.model;

import java.nio.file.Path;

/**
 * A file or folder of a model or adapter is missing, malformed or of a kind that cannot be used; the message starts
 * with its path.
 */
public final class ModelFormatException extends RuntimeException {

    private static final long serialVersionUID = 1;

    public ModelFormatException(Path path, String problem) {
        super(path + ": " + problem);
    }

    public ModelFormatException(Path path, String problem, Throwable cause) {
        super(path + ": " + problem, cause);
    }
}
