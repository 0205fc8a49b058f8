package io.plora.execute;

import io.plora.Metric;
import io.plora.data.ChoiceQuestion;
import io.plora.data.ChoiceSet;
import io.plora.data.Dataset;
import io.plora.data.Sample;
import io.plora.model.ModelConfig;
import io.plora.space.LoraConfig;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Refuses sweeps that cannot be run, naming what is wrong. */
final class SpecCheck {
    private SpecCheck() {}

    static void positive(String name, int value) {
        require(value >= 1, "%s (%d) must be at least 1.", name, value);
    }

    static void interval(Duration interval) {
        require(!interval.isNegative(), "Checkpoint interval (%s) must not be negative.", interval);
    }

    static void configs(List<LoraConfig> configs) {
        require(!configs.isEmpty(), "The search space is empty. Maybe its constraints leave nothing.");
        Set<String> ids = new HashSet<>();
        for (LoraConfig config : configs) {
            require(
                    ids.add(config.id()),
                    "Two configurations have the id (%s). Maybe leave one out, or give it another seed.",
                    config.id());
        }
    }

    static void devices(List<ComputeDevice> devices) {
        require(!devices.isEmpty(), "A sweep needs at least one device.");
        ComputeDevice first = devices.get(0);
        for (ComputeDevice device : devices) {
            require(
                    device.activationType() == first.activationType()
                            && device.parameterType() == first.parameterType(),
                    "Devices (%s) and (%s) compute in different types. Maybe run a sweep on each.",
                    first.name(),
                    device.name());
        }
    }

    static void training(ModelConfig model, Dataset data) {
        samples(model, "Training data", data);
    }

    static void validation(ModelConfig model, Validation validation, Metric metric) {
        require(
                validation.metrics().contains(metric),
                "Metric (%s) cannot be measured with this validation data, only %s can. Maybe call %s.",
                metric,
                validation.metrics(),
                validation.samples() == null ? "withValidationData" : "withValidationTask");
        evaluated(model, validation);
    }

    /** What can be evaluated without a sweep. */
    static void evaluated(ModelConfig model, Validation validation) {
        @Nullable Dataset samples = validation.samples();
        if (samples != null) {
            samples(model, "Validation data", samples);
        }
        @Nullable ChoiceSet choices = validation.choices();
        if (choices != null) {
            require(choices.size() > 0, "Validation task (%s) has no questions.", choices.name());
            for (int i = 0; i < choices.size(); i++) {
                ChoiceQuestion question = choices.questions().get(i);
                length(model, "Validation task", choices.name(), i, question.longest());
                tokens(model, "Validation task", choices.name(), i, question.prompt());
                for (int[] candidate : question.candidates()) {
                    tokens(model, "Validation task", choices.name(), i, candidate);
                }
            }
        }
    }

    private static void samples(ModelConfig model, String role, Dataset data) {
        require(data.size() > 0, "%s (%s) has no samples. Maybe the file is empty.", role, data.name());
        for (int i = 0; i < data.size(); i++) {
            Sample sample = data.samples().get(i);
            require(
                    sample.rows() > 0,
                    "%s (%s): sample (%d) has no answer token. Maybe leave it out.",
                    role,
                    data.name(),
                    i + 1);
            length(model, role, data.name(), i, sample.length());
            tokens(model, role, data.name(), i, sample.tokens());
        }
    }

    private static void length(ModelConfig model, String role, String name, int index, int length) {
        require(
                length <= model.maxPositions(),
                "%s (%s): sample (%d) has (%d) tokens, the model takes (%d). Maybe cut it.",
                role,
                name,
                index + 1,
                length,
                model.maxPositions());
    }

    private static void tokens(ModelConfig model, String role, String name, int index, int[] tokens) {
        for (int token : tokens) {
            if (token < 0 || token >= model.vocabularySize()) {
                throw new IllegalArgumentException(
                        "%s (%s): sample (%d) has token id (%d), the model's vocabulary has (%d). Maybe it was encoded with another model's tokenizer."
                                .formatted(role, name, index + 1, token, model.vocabularySize()));
            }
        }
    }

    private static void require(boolean valid, String message, Object... values) {
        if (!valid) {
            throw new IllegalArgumentException(message.formatted(values));
        }
    }
}
