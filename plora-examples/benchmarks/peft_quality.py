"""Trains with PEFT what QualityBenchmark trains: same adapters, batches and learning rates; adds a row of losses a training.

The base model is in bf16 or float32. PEFT keeps adapters in float32 in either case, and computes their terms in float32
unless under autocast.

usage: peft_quality.py START --model FOLDER --results FILE [--device cuda]
START is the folder that QualityBenchmark wrote with --start. Needs torch, transformers and peft; uses no network.
"""
import argparse
import json
import os
from contextlib import nullcontext
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import peft
import torch
import torch.nn.functional as F
import transformers
from transformers import AutoModelForCausalLM

SYSTEMS = {  # name: type of the base model, whether under autocast
    "PEFT float32": (torch.float32, False),
    "PEFT bf16": (torch.bfloat16, False),
    "PEFT bf16 autocast": (torch.bfloat16, True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    torch.set_float32_matmul_precision("highest")
    start = json.loads((arguments.start / "start.json").read_text())
    device = torch.device(arguments.device)
    samples = [tensors(sample, device) for sample in start["samples"]]
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    for system, (dtype, autocast) in SYSTEMS.items():
        for case in start["cases"]:
            model = load(arguments.model, arguments.start / case["adapter"], dtype, device)
            row = {
                "bench": "quality",
                "kind": "losses",
                "case": case["case"],
                "config": case["config"],
                "losses": [round(loss, 6) for loss in train(model, case, samples, autocast)],
                "system": system,
                "device": name,
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "peft": peft.__version__,
                "command": "python3 plora-examples/benchmarks/peft_quality.py START --model MODEL --results FILE",
            }
            print(row["system"], row["case"], row["losses"][:3], row["losses"][-3:], flush=True)
            with open(arguments.results, "a", encoding="utf-8") as rows:
                rows.write(json.dumps(row) + "\n")


def tensors(sample, device):
    """Token ids, and for each whether it is trained."""
    answer = [bit == "1" for bit in sample["answer"]]
    return torch.tensor(sample["tokens"], device=device), torch.tensor(answer, device=device)


def load(model, adapter, dtype, device):
    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype, attn_implementation="sdpa").to(device)
    adapted = peft.PeftModel.from_pretrained(base, str(adapter), is_trainable=True).train()
    assert all(p.dtype == dtype for p in adapted.parameters() if not p.requires_grad)
    assert all(p.dtype == torch.float32 and p.device.type == device.type for p in trained(adapted))
    return adapted


def trained(model):
    return [p for p in model.parameters() if p.requires_grad]


def train(model, case, samples, autocast):
    """The loss of each batch, per answer token, before its optimizer step."""
    config = case["config"]
    parameters = trained(model)
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.999), eps=1e-8, weight_decay=config["weight_decay"])
    losses = []
    for batch, rate in zip(case["batches"], case["learning_rates"], strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = batch_loss(model, [samples[i] for i in batch], autocast)
        loss.backward()
        if config["max_gradient_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(parameters, config["max_gradient_norm"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
    return torch.stack(losses).tolist()


def batch_loss(model, batch, autocast):
    """Mean over the answer tokens of the whole batch; cross-entropy in float32, as transformers has it."""
    pad = torch.nn.utils.rnn.pad_sequence
    tokens = pad([ids for ids, _ in batch], batch_first=True)
    answer = pad([mask for _, mask in batch], batch_first=True)
    real = pad([torch.ones_like(ids) for ids, _ in batch], batch_first=True)
    with torch.autocast(tokens.device.type, dtype=torch.bfloat16) if autocast else nullcontext():
        logits = model(input_ids=tokens, attention_mask=real, use_cache=False).logits
    targets = answer[:, 1:]
    return F.cross_entropy(logits[:, :-1][targets].float(), tokens[:, 1:][targets])


if __name__ == "__main__":
    main()
