package io.plora.examples;

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
            command.getErr().println(failure.getMessage());
            return 1;
        });
    }

    /** As {@link #run}; where something went wrong the JVM ends with the exit status. */
    public static void main(Callable<Integer> example, String[] arguments) {
        int status = run(example, arguments);
        if (status != 0) {
            System.exit(status);
        }
    }
}
