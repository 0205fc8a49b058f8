package io.plora.space;

import java.util.Arrays;
import java.util.stream.Collectors;

/** A linear layer of a decoder block that can carry a LoRA term; order and names are those of Hugging Face's checkpoints. */
public enum TargetModule {
    Q_PROJ("self_attn", "q_proj"),
    K_PROJ("self_attn", "k_proj"),
    V_PROJ("self_attn", "v_proj"),
    O_PROJ("self_attn", "o_proj"),
    GATE_PROJ("mlp", "gate_proj"),
    UP_PROJ("mlp", "up_proj"),
    DOWN_PROJ("mlp", "down_proj");

    private final String block;
    private final String moduleName;

    TargetModule(String block, String moduleName) {
        this.block = block;
        this.moduleName = moduleName;
    }

    /** Such as {@code q_proj}. */
    public String moduleName() {
        return moduleName;
    }

    /** Path inside a decoder layer, such as {@code self_attn.q_proj}. */
    public String path() {
        return block + "." + moduleName;
    }

    /**
     * The module of a name such as {@code q_proj}.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public static TargetModule of(String moduleName) {
        return Arrays.stream(values())
                .filter(module -> module.moduleName.equals(moduleName))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("Unknown target module (%s). Maybe use one of %s."
                        .formatted(
                                moduleName,
                                Arrays.stream(values())
                                        .map(TargetModule::moduleName)
                                        .collect(Collectors.joining(", ")))));
    }
}
