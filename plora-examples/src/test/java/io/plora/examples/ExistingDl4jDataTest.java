package io.plora.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.plora.Trial;
import io.plora.adapter.PeftAdapter;
import io.plora.data.Dl4jData;
import io.plora.data.EncodingContext;
import io.plora.data.Sample;
import io.plora.data.TooLong;
import io.plora.model.BaseModel;
import io.plora.report.TrialFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExistingDl4jDataTest {
    @Test
    void trainsOnAnIterator(@TempDir Path folder) {
        int status = CommandLines.run(new ExistingDl4jData(), "--output", folder.toString(), "--samples", "3");
        assertThat(status).isZero();
        assertThat(TrialFiles.read(folder))
                .hasSize(4)
                .allMatch(trial -> trial.status() == Trial.Status.FINISHED && trial.steps() == 3)
                .allMatch(trial -> PeftAdapter.load(trial.adapter()).config().equals(trial.config()));
    }

    @Test
    void minibatchesHoldPromptsAndAnswersPadded() {
        PaddedMinibatches minibatches = new PaddedMinibatches(
                List.of(
                        new PaddedMinibatches.Pair(new int[] {5, 6}, new int[] {7, 8}),
                        new PaddedMinibatches.Pair(new int[] {9}, new int[] {10}),
                        new PaddedMinibatches.Pair(new int[] {11}, new int[] {12})),
                2);
        try (BaseModel model = BaseModel.open(ExampleFiles.model())) {
            EncodingContext context =
                    new EncodingContext(model.tokenizer(), Optional.empty(), 4096, 16, TooLong.REFUSE);
            assertThat(Dl4jData.of(minibatches).load(context).samples())
                    .containsExactly(
                            new Sample(new int[] {5, 6, 7, 8}, new boolean[] {false, false, true, true}),
                            new Sample(new int[] {9, 10}, new boolean[] {false, true}),
                            new Sample(new int[] {11, 12}, new boolean[] {false, true}));
        }
    }
}
