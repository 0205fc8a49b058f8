package io.plora.execute;

import io.plora.Evaluation;
import io.plora.adapter.PeftAdapter;
import io.plora.cost.Bytes;
import io.plora.cost.GroupMemory;
import io.plora.data.ChoiceData;
import io.plora.data.EncodingContext;
import io.plora.data.TooLong;
import io.plora.data.TrainingData;
import io.plora.kernels.Kernels;
import io.plora.model.BaseModel;
import io.plora.model.DecoderWeights;
import io.plora.train.AdapterWeights;
import io.plora.train.PackedTrainer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Evaluates saved adapters, ours or PEFT's own, without training: as many as memory holds share the passes of the base model.
 *
 * <pre>{@code
 * List<Evaluation> evaluations = AdapterEvaluator.of(Path.of("models/tiny-qwen2"))
 *         .withData(TextData.jsonLines(Path.of("test.jsonl")).withPrompt("{question}\n").withAnswer("{answer}"))
 *         .evaluate(List.of(first.adapter(), second.adapter()));
 * }</pre>
 *
 * <p>Immutable: each {@code with} method returns a changed evaluator.
 *
 * @param baseModel folder of the model that the adapters were trained on
 * @param data samples that loss and perplexity are measured on; may be null
 * @param task questions that accuracy, F1 and Matthews correlation are measured on; may be null
 * @param maxLength longest sample in tokens, and never more than the model takes; longer ones are refused
 * @param tokenBudget most tokens of a pass, unless it is a single sample
 */
public record AdapterEvaluator(
        Path baseModel,
        @Nullable TrainingData data,
        @Nullable ChoiceData task,
        ComputeDevice device,
        int maxLength,
        int tokenBudget) {

    private static final int DEFAULT_TOKEN_BUDGET = 2048;

    public AdapterEvaluator {
        SpecCheck.positive("Longest length", maxLength);
        SpecCheck.positive("Token budget", tokenBudget);
    }

    /** On the CPU, of samples as long as the model takes, 2,048 tokens a pass; data or task must be set. */
    public static AdapterEvaluator of(Path baseModel) {
        return new AdapterEvaluator(
                baseModel, null, null, ComputeDevice.cpu(), Integer.MAX_VALUE, DEFAULT_TOKEN_BUDGET);
    }

    public AdapterEvaluator withData(TrainingData data) {
        return new AdapterEvaluator(baseModel, data, task, device, maxLength, tokenBudget);
    }

    public AdapterEvaluator withTask(ChoiceData task) {
        return new AdapterEvaluator(baseModel, data, task, device, maxLength, tokenBudget);
    }

    public AdapterEvaluator withDevice(ComputeDevice device) {
        return new AdapterEvaluator(baseModel, data, task, device, maxLength, tokenBudget);
    }

    public AdapterEvaluator withMaxLength(int tokens) {
        return new AdapterEvaluator(baseModel, data, task, device, tokens, tokenBudget);
    }

    public AdapterEvaluator withTokenBudget(int tokens) {
        return new AdapterEvaluator(baseModel, data, task, device, maxLength, tokens);
    }

    /** As {@link #evaluate(List)}, of one adapter. */
    public Evaluation evaluate(Path adapter) {
        return evaluate(List.of(adapter)).get(0);
    }

    /**
     * Evaluates adapters.
     *
     * @param folders one of each adapter
     * @return an evaluation of each, in the same order; epoch and samples seen, which adapters do not tell, are 0
     * @throws IllegalArgumentException if an adapter is of another model or exceeds the memory, or the data cannot be used
     * @throws io.plora.model.ModelFormatException if a model or adapter is missing or malformed
     * @throws IllegalStateException if neither data nor task is set
     */
    public List<Evaluation> evaluate(List<Path> folders) {
        if (data == null && task == null) {
            throw new IllegalStateException("There is nothing to evaluate on. Maybe call withData or withTask.");
        }
        List<PeftAdapter> adapters = folders.stream().map(PeftAdapter::load).toList();
        try (BaseModel model = BaseModel.open(baseModel)) {
            EncodingContext context = EncodingContext.of(model, maxLength, TooLong.REFUSE);
            Validation validation = new Validation(
                    data == null ? null : data.load(context), task == null ? null : task.questions(context));
            SpecCheck.evaluated(model.config(), validation);
            return evaluate(model, validation, folders, adapters);
        }
    }

    private List<Evaluation> evaluate(
            BaseModel model, Validation validation, List<Path> folders, List<PeftAdapter> adapters) {
        GroupMemory memory = device.memory(model.config());
        List<Evaluation> evaluations = new ArrayList<>();
        try (Kernels kernels = device.open()) {
            PackedTrainer trainer = new PackedTrainer(
                    model.config(), DecoderWeights.load(model, kernels, validation.longestSequence()), kernels);
            while (evaluations.size() < adapters.size()) {
                int from = evaluations.size();
                Room room = new Room(memory, validation.longestSequence());
                int to = from;
                while (to < adapters.size() && room.takes(adapters.get(to))) {
                    to++;
                }
                if (to == from) {
                    throw room.tooSmallFor(folders.get(from));
                }
                List<AdapterWeights> pack = adapters.subList(from, to).stream()
                        .map(adapter -> AdapterWeights.of(model.config(), adapter.config(), kernels, adapter))
                        .toList();
                evaluations.addAll(validation.evaluate(
                        trainer, pack, Collections.nCopies(pack.size(), Validation.Moment.NONE), room.tokens()));
                pack.forEach(AdapterWeights::release);
                trainer.release();
            }
        }
        return List.copyOf(evaluations);
    }

    /** What the device's memory holds in one pack. */
    private final class Room {
        private final GroupMemory memory;
        private final int longest;
        private long adapterBytes;
        private long tokenBytes;
        private long refusedBytes;

        private Room(GroupMemory memory, int longest) {
            this.memory = memory;
            this.longest = longest;
            adapterBytes = memory.baseBytes(1);
        }

        /** Takes an adapter in, if the longest sequence can be computed beside it. */
        private boolean takes(PeftAdapter adapter) {
            long adapters = adapterBytes + memory.adapterBytes(adapter.config(), 1);
            long token = Math.max(tokenBytes, memory.tokenBytes(adapter.config(), 1));
            long needed = adapters + token * longest;
            if (needed > device.memoryBytes()) {
                refusedBytes = needed;
                return false;
            }
            adapterBytes = adapters;
            tokenBytes = token;
            return true;
        }

        private int tokens() {
            return (int) Math.min(tokenBudget, (device.memoryBytes() - adapterBytes) / tokenBytes);
        }

        private IllegalArgumentException tooSmallFor(Path adapter) {
            return new IllegalArgumentException(
                    "Adapter (%s) needs (%s) even alone, with the longest sequence of (%d) tokens; the device has (%s). Maybe shorten the samples or raise the memory."
                            .formatted(
                                    adapter, Bytes.toText(refusedBytes), longest, Bytes.toText(device.memoryBytes())));
        }
    }
}
