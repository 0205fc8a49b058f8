"""Trains one case with PEFT's layers, PyTorch's optimizers and transformers' schedules; keeps what Java compares."""
import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from transformers.optimization import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

import parity_numbers
from parity_cases import STEPS
from parity_models import load


@dataclass
class Trace:
    clip_norm: float
    logits: np.ndarray  # (T, V) of the first sample, before training
    losses: list = field(default_factory=list)
    gradient_norms: list = field(default_factory=list)  # before clipping
    learning_rates: list = field(default_factory=list)  # of A
    projections: list = field(default_factory=list)  # of the gradient before clipping
    first_gradient: dict = field(default_factory=dict)
    final: dict = field(default_factory=dict)


def adapted(case, folder, attention="eager"):
    """The PEFT model with the initial A and B of parity_numbers, and its adapter's parameters by sorted PEFT key."""
    config = LoraConfig(
        r=case.rank,
        lora_alpha=case.alpha,
        lora_dropout=0.0,
        target_modules=list(case.targets),
        use_rslora=case.rank_stabilized,
        bias="none",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(load(folder, attention), config).eval()
    trainable = {n.replace(".default.", "."): p for n, p in model.named_parameters() if p.requires_grad}
    assert set(trainable) == set(get_peft_model_state_dict(model, save_embedding_layers=False)), sorted(trainable)
    assert len(trainable) == 2 * len(case.targets) * model.config.num_hidden_layers, sorted(trainable)
    parameters = dict(sorted(trainable.items()))
    with torch.no_grad():
        for key, parameter in parameters.items():
            assert parameter.dtype == torch.float32, key
            parameter.copy_(torch.from_numpy(parity_numbers.initial(key, tuple(parameter.shape))))
    return model, parameters


def backward(model, batch):
    """Adds the gradient of the batch's loss: summed over all samples, over the answer tokens of the whole batch."""
    answer_tokens = sum(sample.answer_tokens() for sample in batch)
    total = 0.0
    for sample in batch:
        tokens = torch.tensor([sample.tokens])
        answer = torch.tensor(sample.answer)[1:]
        logits = model(input_ids=tokens, use_cache=False).logits[0, :-1]
        losses = F.cross_entropy(logits[answer], tokens[0, 1:][answer], reduction="none")
        (losses.sum() / answer_tokens).backward()
        total += losses.detach().double().sum().item()
    return total / answer_tokens


def flat_gradient(parameters):
    return np.concatenate([p.grad.double().numpy().ravel() for p in parameters.values()])


def clear(parameters):
    for parameter in parameters.values():
        parameter.grad = None


def optimizer_and_schedule(case, parameters):
    rate = case.learning_rate
    groups = [
        {"params": [p for key, p in parameters.items() if ".lora_A." in key], "lr": rate},
        {"params": [p for key, p in parameters.items() if ".lora_B." in key], "lr": rate * case.lora_plus_ratio},
    ]
    if case.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, lr=rate, weight_decay=case.weight_decay, foreach=False)
    else:
        optimizer = torch.optim.AdamW(
            groups, lr=rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=case.weight_decay, foreach=False, fused=False
        )
    warmup = math.ceil(case.warmup_ratio * STEPS)
    if case.schedule == "linear":
        return optimizer, get_linear_schedule_with_warmup(optimizer, warmup, STEPS)
    if case.schedule == "cosine":
        return optimizer, get_cosine_schedule_with_warmup(optimizer, warmup, STEPS)
    return optimizer, None


def train(case, folder, batches, clip_norm, double=False):
    """One optimizer step a batch; clip_norm 0 for no clipping.

    In double precision, with another attention implementation, it shows what float32 rounding alone changes (less that
    of RMSNorm and the rotary angles, which transformers computes in float32 always).
    """
    model, parameters = adapted(case, folder, "sdpa" if double else "eager")
    if double:
        model.double()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([batches[0][0].tokens]), use_cache=False).logits[0]
    trace = Trace(clip_norm, logits.numpy().copy())
    optimizer, schedule = optimizer_and_schedule(case, parameters)
    for batch in batches:
        trace.losses.append(backward(model, batch))
        gradient = flat_gradient(parameters)
        norm = float(np.linalg.norm(gradient))
        assert math.isfinite(norm) and norm > 0, f"gradient norm {norm}"
        trace.gradient_norms.append(norm)
        trace.projections.append(parity_numbers.project(gradient))
        if not trace.first_gradient:
            trace.first_gradient = {key: p.grad.numpy().copy() for key, p in parameters.items()}
        if clip_norm > 0:
            found = torch.nn.utils.clip_grad_norm_(list(parameters.values()), clip_norm, foreach=False).item()
            assert abs(found / norm - 1) < 1e-4, f"PyTorch's norm {found}, ours {norm}"
        trace.learning_rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if schedule is not None:
            schedule.step()
        clear(parameters)
    trace.final = {key: p.detach().numpy().copy() for key, p in parameters.items()}
    return trace, model
