package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ReadmeTest {
    private static final Path SNIPPET = Path.of("src/test/java/io/plora/examples/ReadmeSnippet.java");

    @Test
    void theSnippetIsTheCodeThatIsCompiled() throws IOException {
        String code = Files.readString(SNIPPET);
        String begin = "// README begins here\n";
        String snippet = code.substring(code.indexOf(begin) + begin.length(), code.indexOf("// README ends here"));
        assertThat(Files.readString(Path.of("../README.md")))
                .contains("```java\n" + snippet.stripIndent().stripTrailing() + "\n```");
    }
}
