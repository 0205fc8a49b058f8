package io.plora.examples;

import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** Runs an example from its command line: options are set, and an error is one message, not a stack trace. */
public final class CommandLines {
    private CommandLines() {}

    /** Runs an example to its end and returns its exit status, 0 if all went well. */
    public static int run(Callable<Integer> example, String... arguments) {
        return of(example).execute(arguments);
    }

    static CommandLine of(Callable<Integer> example) {
        return new CommandLine(example).setExecutionExceptionHandler((failure, command, parsed) -> {
            command.getErr().println(message(failure));
            return 1;
        });
    }

    /** The file system's exceptions say no more than a path. */
    private static String message(Exception failure) {
        return failure instanceof NoSuchFileException missing
                ? "There is no file (%s). Maybe check the path.".formatted(missing.getFile())
                : failure.getMessage();
    }

    /** As {@link #run}; where something went wrong the JVM ends with the exit status. */
    public static void main(Callable<Integer> example, String[] arguments) {
        int status = run(example, arguments);
        if (status != 0) {
            System.exit(status);
        }
    }
}
