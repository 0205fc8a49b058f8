"""Reference values from transformers + PEFT in float32 on the CPU, for plora's parity tests.

make:   trains every case and writes the fixtures of plora-core/src/test/resources/parity
verify: loads an adapter that plora exported with PEFT and compares the logits

Needs torch, transformers, peft, tokenizers, safetensors and numpy; uses no network.
"""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import peft
import torch
import transformers
from peft import PeftModel
from peft.utils import get_peft_model_state_dict
from safetensors.numpy import load_file
from transformers.utils import logging

import parity_files
import parity_models
import parity_numbers
from parity_cases import CASES, QWEN, batches, question_samples
from parity_training import train

SAVED_BY_PEFT = "llama-outputs-clip"
TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make")
    maker.add_argument("out", type=Path, help="folder for the fixtures; must not exist or be empty")
    maker.add_argument("--model-dir", type=Path, required=True, help="the bundled tiny-qwen2")
    maker.add_argument("--data", type=Path, required=True, help="JSON lines with question and answer")
    maker.add_argument("--pack", type=Path, help="also write the folder as this .tar.gz, anew after each case")
    maker.add_argument("--exported", type=Path, action="append", default=[], help="adapter folder to verify as well")
    verifier = commands.add_parser("verify")
    verifier.add_argument("adapter", type=Path, help="folder with adapter_config.json and adapter_model.safetensors")
    verifier.add_argument("--model-dir", type=Path, required=True)
    verifier.add_argument("--tokens", type=Path, required=True, help="JSON: a list of lists of token ids")
    verifier.add_argument("--logits", type=Path, required=True, help="JSON: for each list its (T, V) logits")
    arguments = parser.parse_args()
    settle()
    succeeded = make(arguments) if arguments.command == "make" else verify_files(arguments)
    sys.exit(0 if succeeded else 1)


def settle():
    """The same arithmetic in every run on a machine, and no progress bars."""
    logging.disable_progress_bar()
    torch.set_num_threads(4)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("highest")
    parity_numbers.check()


def make(arguments):
    out = arguments.out
    if out.exists() and any(out.iterdir()):
        sys.exit(f"The output folder ({out}) is not empty. Maybe remove it first.")
    out.mkdir(parents=True, exist_ok=True)
    failures = []
    modules = (torch, transformers, peft, np)
    report(out, {module.__name__: module.__version__ for module in modules} | {"threads": torch.get_num_threads()})
    folders = {QWEN: arguments.model_dir, parity_models.LLAMA: out / parity_models.LLAMA}
    attempt(failures, "models", lambda: models(folders))
    questions = question_samples(arguments.model_dir, arguments.data)
    for case in CASES:
        attempt(failures, case.name, lambda: run_case(out, case, folders[case.model], questions))
        if arguments.pack:
            parity_files.pack(out, arguments.pack)
    for adapter in arguments.exported:
        attempt(failures, f"verify {adapter}", lambda: verify_exported(arguments.model_dir, adapter))
    if arguments.pack:
        parity_files.pack(out, arguments.pack)
    total = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{len(CASES)} cases, {total} bytes in {out}; failed: {failures or 'none'}", flush=True)
    return not failures


def attempt(failures, name, action):
    """One failure does not cost the other cases' values."""
    try:
        action()
    except Exception:
        failures.append(name)
        print(f"FAILED {name}", flush=True)
        traceback.print_exc()


def report(out, row):
    line = json.dumps(row)
    print(line, flush=True)
    with open(out / "report.jsonl", "a", encoding="utf-8") as rows:
        rows.write(line + "\n")


def models(folders):
    llama = folders[parity_models.LLAMA]
    parity_models.make_llama(llama)
    parity_models.check_llama(llama)
    for folder in folders.values():
        parity_models.check_causal(parity_models.load(folder))


def run_case(out, case, folder, questions):
    started = time.perf_counter()
    samples = batches(case, questions)
    clip_norm = median_norm(case, folder, samples) if case.clip else 0.0
    trace, model = train(case, folder, samples, clip_norm)
    parity_files.write_case(out, case, samples, trace)
    row = {"case": case.name, "samples": sum(map(len, samples)), **summary(trace)}
    double, _ = train(case, folder, samples, clip_norm, double=True)
    row |= {"rounding": rounding(trace, double), "seconds": round(time.perf_counter() - started, 1)}
    report(out, row)
    check_trace(case, trace)
    if case.name == SAVED_BY_PEFT:
        check_verify(folder, save_adapter(out, model), samples[0])


def median_norm(case, folder, samples):
    """To two digits, so that the JSON file holds it exactly."""
    trace, _ = train(case, folder, samples, clip_norm=0.0)
    return float(f"{np.median(trace.gradient_norms):.2g}")


def summary(trace):
    norms = trace.gradient_norms
    movement = {kind: root_mean_square(kind, trace.final, initial(trace)) for kind in ("lora_A", "lora_B")}
    return {
        "loss": [round(trace.losses[0], 4), round(trace.losses[-1], 4)],
        "norms": [float(f"{value:.3g}") for value in (min(norms), float(np.median(norms)), max(norms))],
        "clip_norm": trace.clip_norm,
        "clipped_steps": sum(norm > trace.clip_norm > 0 for norm in norms),
        "movement": {kind: float(f"{value:.3g}") for kind, value in movement.items()},
    }


def check_trace(case, trace):
    """Fails where a comparison would be empty: nothing clipped, or parameters that hardly moved."""
    clipped = summary(trace)["clipped_steps"]
    assert not case.clip or 3 <= clipped < len(trace.losses), f"{clipped} steps were clipped"
    for kind, moved in summary(trace)["movement"].items():
        assert moved > 1e-4, f"{kind} moved by only {moved}"
    assert max(trace.losses) < 3 * trace.losses[0], f"training diverged: {trace.losses}"


def initial(trace):
    return {key: parity_numbers.initial(key, value.shape) for key, value in trace.final.items()}


def root_mean_square(kind, some, others):
    keys = [key for key in some if kind in key]
    return float(np.sqrt(np.mean(np.concatenate([(some[k] - np.float64(others[k])).ravel() ** 2 for k in keys]))))


def rounding(single, double):
    """How far float32 itself is from float64: what Java's differences are to be judged against."""
    relative = [
        np.sqrt(np.mean((s - d) ** 2)) / norm
        for s, d, norm in zip(single.projections, double.projections, double.gradient_norms, strict=True)
    ]
    values = {
        "logits": np.max(np.abs(single.logits - double.logits)),
        "loss": np.max(np.abs(np.array(single.losses) / np.array(double.losses) - 1)),
        "first_gradient": relative[0],
        "gradient": max(relative),
    }
    for kind in ("lora_A", "lora_B"):
        moved = root_mean_square(kind, double.final, initial(double))
        values["movement_" + kind] = root_mean_square(kind, single.final, double.final) / moved
    return {key: float(f"{value:.2g}") for key, value in values.items()}


def save_adapter(out, model):
    """An adapter folder as PEFT itself writes it, for the tests of our reader."""
    folder = out / "peft-adapter"
    model.save_pretrained(str(folder), save_embedding_layers=False)
    for file in folder.iterdir():
        if file.name not in ("adapter_config.json", "adapter_model.safetensors"):
            file.unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = parity_models.LLAMA
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return folder


def check_verify(model_dir, adapter, batch):
    """Fails unless verify accepts PEFT's own adapter with its logits, and rejects other logits."""
    model = PeftModel.from_pretrained(parity_models.load(model_dir), str(adapter)).eval()
    with tempfile.TemporaryDirectory() as exported:
        shutil.copytree(adapter, exported, dirs_exist_ok=True)
        tokens = [sample.tokens for sample in batch]
        with torch.no_grad():
            logits = [model(input_ids=torch.tensor([row])).logits[0].numpy() for row in tokens]
        (Path(exported) / "tokens.json").write_text(json.dumps(tokens))
        (Path(exported) / "logits.json").write_text(json.dumps([values.tolist() for values in logits]))
        verify_exported(model_dir, Path(exported))
        (Path(exported) / "logits.json").write_text(json.dumps([(values + 0.001).tolist() for values in logits]))
        assert not verify_folder(model_dir, Path(exported))["ok"], "verify accepted wrong logits"


def verify_exported(model_dir, folder):
    row = verify_folder(model_dir, folder)
    print(json.dumps(row), flush=True)
    assert row["ok"], row


def verify_folder(model_dir, folder):
    return verify(model_dir, folder, folder / "tokens.json", folder / "logits.json")


def verify_files(arguments):
    row = verify(arguments.model_dir, arguments.adapter, arguments.tokens, arguments.logits)
    print(json.dumps(row), flush=True)
    return row["ok"]


def verify(model_dir, adapter, tokens_file, logits_file):
    """Whether PEFT, given the adapter's folder, computes the logits in the file."""
    tokens = json.loads(tokens_file.read_text())
    expected = [np.array(values) for values in json.loads(logits_file.read_text())]
    assert tokens and len(tokens) == len(expected), f"{len(tokens)} token lists, {len(expected)} of logits"
    base = parity_models.load(model_dir)
    with torch.no_grad():
        without = [base(input_ids=torch.tensor([row])).logits[0].numpy() for row in tokens]
        model = PeftModel.from_pretrained(base, str(adapter)).eval()
        found = [model(input_ids=torch.tensor([row])).logits[0].numpy() for row in tokens]
    for ours, theirs in zip(expected, found, strict=True):
        assert ours.shape == theirs.shape, f"logits of shape {ours.shape}, PEFT's {theirs.shape}"
    stored = load_file(str(adapter / "adapter_model.safetensors"))
    loaded = get_peft_model_state_dict(model, save_embedding_layers=False)
    row = {
        "verify": adapter.name,
        "tokens": sum(map(len, tokens)),
        "error": max(float(np.max(np.abs(a - b))) for a, b in zip(expected, found)),
        "effect": max(float(np.max(np.abs(a - b))) for a, b in zip(without, found)),
        "keys_match": set(stored) == set(loaded),
    }
    row["tensors_match"] = row["keys_match"] and all(np.array_equal(stored[k], loaded[k].numpy()) for k in stored)
    row["ok"] = row["error"] < TOLERANCE and row["effect"] > 10 * TOLERANCE and row["tensors_match"]
    return row


if __name__ == "__main__":
    main()
