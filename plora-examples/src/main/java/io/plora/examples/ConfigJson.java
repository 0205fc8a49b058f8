package io.plora.examples;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.plora.model.ModelConfig;
import io.plora.model.RopeConfig.Llama3Scaling;

/** The config.json that Hugging Face's libraries and ours read a shape from. */
final class ConfigJson {
    private ConfigJson() {}

    static ObjectNode of(ModelConfig model) {
        boolean llama = model.family().equals("llama");
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add(llama ? "LlamaForCausalLM" : "Qwen2ForCausalLM");
        json.put("model_type", model.family());
        json.put("hidden_act", "silu");
        json.put("hidden_size", model.hiddenSize());
        json.put("intermediate_size", model.intermediateSize());
        json.put("num_hidden_layers", model.layers());
        json.put("num_attention_heads", model.heads());
        json.put("num_key_value_heads", model.kvHeads());
        json.put("head_dim", model.headSize());
        json.put("vocab_size", model.vocabularySize());
        json.put("max_position_embeddings", model.maxPositions());
        json.put("rms_norm_eps", model.rmsNormEpsilon());
        json.put("rope_theta", model.rope().theta());
        Llama3Scaling scaling = model.rope().scaling();
        if (scaling != null) {
            json.putObject("rope_scaling")
                    .put("rope_type", "llama3")
                    .put("factor", scaling.factor())
                    .put("low_freq_factor", scaling.lowFrequencyFactor())
                    .put("high_freq_factor", scaling.highFrequencyFactor())
                    .put("original_max_position_embeddings", scaling.originalMaxPositions());
        }
        json.put("tie_word_embeddings", model.tiedEmbeddings());
        if (llama) {
            json.put("attention_bias", model.qkvBias());
        }
        json.put("torch_dtype", "bfloat16");
        return json;
    }
}
