"""What is trained: LoRA configurations, and samples of token ids with answer masks."""
import json
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from parity_models import LLAMA, SHAPE

QWEN = "tiny-qwen2"
STEPS = 25
LONGEST = 96
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Case:
    """clip: at the median gradient norm of the same training without clipping, so that about half of the steps clip."""

    name: str
    model: str
    targets: tuple
    rank: int
    alpha: float
    batch_size: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    rank_stabilized: bool = False
    clip: bool = False
    optimizer: str = "adamw"
    schedule: str = "constant"
    warmup_ratio: float = 0.0
    lora_plus_ratio: float = 1.0


QV = ("q_proj", "v_proj")
QKV = ("q_proj", "k_proj", "v_proj")
OUTPUTS = ("o_proj", "down_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
CASES = (
    Case("qwen-all", QWEN, ALL, rank=4, alpha=8),
    Case("qwen-qv-rslora", QWEN, QV, rank=8, alpha=2, batch_size=4, learning_rate=5e-4,
         weight_decay=0.1, rank_stabilized=True),
    Case("qwen-all-clip", QWEN, ALL, rank=2, alpha=4, clip=True),
    Case("qwen-all-sgd", QWEN, ALL, rank=2, alpha=4, optimizer="sgd", learning_rate=0.01),
    Case("llama-all", LLAMA, ALL, rank=4, alpha=8, batch_size=2, weight_decay=0.01),
    Case("llama-outputs-clip", LLAMA, OUTPUTS, rank=3, alpha=6, batch_size=2, rank_stabilized=True, clip=True),
    Case("qwen-qv-linear", QWEN, QV, rank=2, alpha=2, batch_size=2, schedule="linear", warmup_ratio=0.2),
    Case("llama-qkv-cosine", LLAMA, QKV, rank=2, alpha=4, schedule="cosine", warmup_ratio=0.12),
    Case("llama-mlp-loraplus", LLAMA, MLP, rank=2, alpha=4, weight_decay=0.01, lora_plus_ratio=4.0),
)


@dataclass(frozen=True)
class Sample:
    """answer[i]: whether the model is trained to predict tokens[i]; never the first."""

    tokens: list
    answer: list

    def answer_tokens(self):
        return sum(self.answer)


def question_samples(model_dir, data):
    """Every problem whose prompt leaves room for an answer; loss on the answer and the end token."""
    tokenizer = Tokenizer.from_file(f"{model_dir}/tokenizer.json")
    end = tokenizer.token_to_id("<|im_end|>")
    samples = []
    with open(data, encoding="utf-8") as lines:
        for line in lines:
            problem = json.loads(line)
            prompt = tokenizer.encode(f"Question: {problem['question']}\nAnswer: ", add_special_tokens=False).ids
            answer = tokenizer.encode(problem["answer"], add_special_tokens=False).ids + [end]
            room = LONGEST - len(prompt)
            if room >= 12:
                answer = answer[:room]
                samples.append(Sample(prompt + answer, [False] * len(prompt) + [True] * len(answer)))
    return samples


def random_sample(random):
    """5 to 60 random tokens with an answer mask full of holes."""
    length = int(random.integers(5, 61))
    answer = [False] + [bool(bit) for bit in random.random(length - 1) < 0.6]
    answer[-1] = True
    return Sample([int(token) for token in random.integers(3, SHAPE["vocab_size"], length)], answer)


def batches(case, questions):
    """STEPS batches; the case's name is the seed."""
    random = np.random.default_rng(list(case.name.encode()))
    size = STEPS * case.batch_size
    if case.model == LLAMA:
        samples = [random_sample(random) for _ in range(size)]
    else:
        samples = [questions[i] for i in random.permutation(len(questions))[:size]]
        assert len(samples) == size, f"only {len(questions)} problems are short enough"
    return [samples[i : i + case.batch_size] for i in range(0, size, case.batch_size)]
