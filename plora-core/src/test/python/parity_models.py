"""The two base models: the bundled Qwen2 one, and a Llama one made here from a fixed seed."""
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

LLAMA = "tiny-llama"
ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
ROPE_THETA = 20000.0
SHAPE = {
    "vocab_size": 512,
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,  # so that q is 256 wide, not as wide as the hidden state
    "hidden_act": "silu",
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "use_cache": False,
}
OLD_CONFIG = "config.old.json"


def load(folder, attention="eager"):
    """The model in float32, whatever its file holds."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, attn_implementation=attention)
    wrong = [name for name, parameter in model.named_parameters() if parameter.dtype != torch.float32]
    assert not wrong, f"not float32: {wrong}"
    return model.eval()


def make_llama(folder):
    """Untied embeddings, Llama 3 rope scaling that matters from the first positions on, float16 file."""
    model = LlamaForCausalLM(LlamaConfig(**SHAPE, rope_parameters={"rope_theta": ROPE_THETA, **ROPE}))
    random = np.random.default_rng(20)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            draw = random.standard_normal(tuple(parameter.shape))
            values = 1 + 0.1 * draw if "norm" in name else 0.08 * draw
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    model.to(torch.float16).save_pretrained(str(folder))
    old = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **SHAPE,
        "rope_theta": ROPE_THETA,
        "rope_scaling": ROPE,
        "torch_dtype": "float16",
    }
    (Path(folder) / OLD_CONFIG).write_text(json.dumps(old, indent=2, sort_keys=True) + "\n")


def check_llama(folder):
    """Fails unless the saved model is what make_llama means, for both generations of config.json."""
    config = json.loads((Path(folder) / "config.json").read_text())
    assert config["rope_parameters"]["rope_type"] == "llama3", config
    assert config.get("dtype", config.get("torch_dtype")) == "float16", config
    model = load(folder)
    assert not torch.equal(model.get_input_embeddings().weight, model.get_output_embeddings().weight)
    found = model.model.rotary_emb.inv_freq.double().numpy()
    error = np.max(np.abs(found / scaled_frequencies() - 1))
    assert error < 5e-6, f"rope frequencies differ by {error}"
    with tempfile.TemporaryDirectory() as old:
        shutil.copy(Path(folder) / "model.safetensors", old)
        shutil.copy(Path(folder) / OLD_CONFIG, Path(old) / "config.json")
        ids = torch.arange(40)[None] * 7 % SHAPE["vocab_size"]
        with torch.no_grad():
            error = (model(input_ids=ids).logits - load(old)(input_ids=ids).logits).abs().max().item()
    assert error < 1e-6, f"the old config gives other logits ({error})"


def scaled_frequencies():
    """Llama 3's rule, restated independently of transformers."""
    frequencies = ROPE_THETA ** (-np.arange(0, SHAPE["head_dim"], 2) / SHAPE["head_dim"])
    turns = ROPE["original_max_position_embeddings"] * frequencies / (2 * np.pi)  # within the original context
    low, high = ROPE["low_freq_factor"], ROPE["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return frequencies * (kept + (1 - kept) / ROPE["factor"])


def check_causal(model):
    """Fails if a later token changes earlier logits, or if logits are trivial."""
    ids = torch.arange(3, 33)[None] * 5 % model.config.vocab_size
    with torch.no_grad():
        whole = model(input_ids=ids).logits
        start = model(input_ids=ids[:, :20]).logits
    error = (whole[:, :20] - start).abs().max().item()
    assert error < 1e-4, f"attention is not causal ({error})"
    assert whole.std().item() > 0.3, f"logits are nearly constant ({whole.std().item()})"
