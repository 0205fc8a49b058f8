package io.plora.examples.gpu;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Asks the driver which kind of GPU is present. */
final class ComputeCapability {
    private static final Pattern ANSWER = Pattern.compile("(\\d+)\\.(\\d)");

    private ComputeCapability() {}

    /** The first GPU's compute capability, as major and minor digits: 90; empty where the driver's tool finds no GPU. */
    static Optional<Integer> ofPresentGpu() throws InterruptedException {
        Path tool = Executables.find("nvidia-smi").orElse(null);
        if (tool == null) {
            return Optional.empty();
        }
        Executables.Result result =
                Executables.run(List.of(tool.toString(), "--query-gpu=compute_cap", "--format=csv,noheader"));
        Matcher answer = ANSWER.matcher(result.output());
        return result.failed() || !answer.lookingAt()
                ? Optional.empty()
                : Optional.of(Integer.parseInt(answer.group(1) + answer.group(2)));
    }
}
