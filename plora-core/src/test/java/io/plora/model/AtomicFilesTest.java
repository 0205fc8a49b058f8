package io.plora.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {

    private static final Set<String> REPLACEABLE = Set.of("content");

    @TempDir
    private Path root;

    private Path target;

    @BeforeEach
    void nameTarget() {
        target = root.resolve("target");
    }

    @Test
    void aFileReplacesAnother() throws IOException {
        writeFile("old");
        writeFile("new");
        assertThat(target).hasContent("new");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void aFailingWriteLeavesTheFileAsItWas() throws IOException {
        writeFile("old");
        assertThatThrownBy(() -> AtomicFiles.writeFile(target, channel -> {
                    channel.write(ByteBuffer.allocate(3));
                    throw new IOException("No space left on device");
                }))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(target + ": could not be written")
                .hasMessageContaining("No space left on device");
        assertThat(target).hasContent("old");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void aFileCannotBeWrittenBelowAFile() throws IOException {
        writeFile("old");
        Path below = target.resolve("below");
        assertThatThrownBy(() -> AtomicFiles.writeFile(below, channel -> {}))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(below + ": could not be written");
    }

    @Test
    void aReadOnlyFolderIsNamed() throws IOException {
        Files.createDirectory(target);
        assertThat(target.toFile().setWritable(false)).isTrue();
        assumeFalse(Files.isWritable(target), "this user may write to any folder, as root may");
        Path below = target.resolve("below");
        assertThatThrownBy(() -> AtomicFiles.writeFile(below, channel -> {}))
                .isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith(below + ": could not be written");
    }

    @Test
    void aFolderReplacesAnother() throws IOException {
        writeFolder("old");
        writeFolder("new");
        assertThat(target.resolve("content")).hasContent("new");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void aFailingWriteLeavesTheFolderAsItWas() throws IOException {
        writeFolder("old");
        assertThatThrownBy(() -> AtomicFiles.writeFolder(target, REPLACEABLE, unfinished -> {
                    Files.writeString(unfinished.resolve("content"), "half");
                    throw new IllegalStateException("failed midway");
                }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("failed midway");
        assertThat(target.resolve("content")).hasContent("old");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void aFolderThatHoldsSomethingElseIsNotReplaced() throws IOException {
        Files.createDirectories(target);
        Files.writeString(target.resolve("thesis.tex"), "years of work");
        assertThatThrownBy(() -> writeFolder("new"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(target + ": holds (thesis.tex), which would be lost");
        assertThat(target.resolve("thesis.tex")).hasContent("years of work");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void aFolderDoesNotReplaceAFile() throws IOException {
        writeFile("a file");
        assertThatThrownBy(() -> writeFolder("new"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(target + ": is a file, no folder");
        assertThat(target).hasContent("a file");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void aFolderBetweenTwoMovesIsPutBack() throws IOException {
        writeFolder("old");
        Files.move(target, root.resolve(".target.old"));
        AtomicFiles.restoreFolder(target);
        assertThat(target.resolve("content")).hasContent("old");
        assertThat(names(root)).containsExactly("target");
    }

    @Test
    void whatACrashLeftIsRemovedByTheNextWrite() throws IOException {
        Files.createDirectories(root.resolve(".target.new/half"));
        Files.createDirectories(root.resolve(".target.old"));
        writeFolder("current");
        writeFolder("new");
        assertThat(target.resolve("content")).hasContent("new");
        assertThat(names(root)).containsExactly("target");
    }

    private void writeFile(String content) {
        AtomicFiles.writeFile(
                target, channel -> channel.write(ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8))));
    }

    private void writeFolder(String content) {
        AtomicFiles.writeFolder(
                target, REPLACEABLE, unfinished -> Files.writeString(unfinished.resolve("content"), content));
    }

    private static Stream<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList().stream();
        }
    }
}
