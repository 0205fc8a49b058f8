"""Writes what Java reads: one gzipped JSON file and one safetensors file a case."""
import gzip
import json
import math
import os
import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from parity_cases import STEPS

SAMPLED_COLUMNS = 64


def write_case(out, case, batches, trace):
    out.mkdir(parents=True, exist_ok=True)
    stride = trace.logits.shape[1] // SAMPLED_COLUMNS
    description = {
        "name": case.name,
        "model": case.model,
        "config": lora_config(case, trace.clip_norm),
        "warmup_steps": math.ceil(case.warmup_ratio * STEPS),
        "logits_stride": stride,
        "batches": [[sample_json(sample) for sample in batch] for batch in batches],
        "steps": [
            {
                "loss": digits(loss, 12),
                "gradient_norm": digits(norm, 10),
                "learning_rate": digits(rate, 15),
                "projections": [digits(p, 8) for p in projections],
            }
            for loss, norm, rate, projections in zip(
                trace.losses, trace.gradient_norms, trace.learning_rates, trace.projections, strict=True
            )
        ],
    }
    text = json.dumps(description, separators=(",", ":"))
    (out / f"{case.name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    tensors = {"logits.first": trace.logits[0], "logits.last": trace.logits[-1]}
    tensors["logits.sampled"] = np.stack([row[i % stride :: stride] for i, row in enumerate(trace.logits)])
    tensors |= {f"gradient.{key}": value for key, value in trace.first_gradient.items()}
    tensors |= {f"final.{key}": value for key, value in trace.final.items()}
    tensors = {key: np.ascontiguousarray(value, dtype=np.float32) for key, value in tensors.items()}
    save_file(tensors, str(out / f"{case.name}.safetensors"), metadata={"format": "pt"})


def lora_config(case, clip_norm):
    """In the form of io.plora.space.LoraConfigJson."""
    return {
        "rank": case.rank,
        "alpha": case.alpha,
        "learning_rate": case.learning_rate,
        "batch_size": case.batch_size,
        "dropout": 0.0,
        "target_modules": list(case.targets),
        "weight_decay": case.weight_decay,
        "warmup_ratio": case.warmup_ratio,
        "schedule": case.schedule.upper(),
        "rank_stabilized": case.rank_stabilized,
        "lora_plus_ratio": case.lora_plus_ratio,
        "max_gradient_norm": clip_norm,
        "optimizer": case.optimizer.upper(),
        "seed": 0,
    }


def sample_json(sample):
    return {"tokens": sample.tokens, "answer": "".join("1" if bit else "0" for bit in sample.answer)}


def digits(value, count):
    return float(f"{value:.{count}g}")


def pack(out, archive):
    """The whole folder as one file; written anew after each case, so that a run cut short leaves what it made."""
    partial = Path(f"{archive}.partial")
    with tarfile.open(partial, "w:gz") as tar:
        tar.add(out, arcname="parity")
    os.replace(partial, archive)
