"""What the sweep of SweepBenchmark takes with Hugging Face PEFT, one configuration after the other.

Training steps are measured for some ranks (the smallest and the largest unless told) and each batch size of the search space:
batches of the same sentences in a random order, padded to the longest of the batch, forward, backward, fused AdamW; bf16 base
model, float32 adapters on all seven projections, scaled dot product attention. The sweep's time is extrapolated: over all
configurations, steps of an epoch times the median step of the next smaller rank measured. It has no loading, evaluating and
saving. With --seconds no case is begun later than so many seconds after the start; a batch size that was not measured then
counts as the fastest that was. With --check one epoch of the smallest rank and the largest batch size is run beside. Prints JSON rows.

usage: peft_sweep.py --model FOLDER --train TSV [--samples 1000] [--space paper_sweep.csv] [--results FILE]
FOLDER: as RandomModelMaker writes it.  TSV: source, label, mark, sentence.
"""
import time

START = time.monotonic()  # before imports that take long

import argparse
import csv
import datetime
import json
import math
import random
import statistics
import sys
from pathlib import Path

import peft
import torch
import transformers
from tokenizers import Tokenizer

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ANSWERS = {"0": " no", "1": " yes"}
PADDING = 0  # any token: masked
IGNORED = -100  # labels without loss


def read_samples(file, count, model):
    """Token ids and labels: loss is on the answer and the end of the sequence."""
    # as the file says: transformers' own class of Qwen2 tokenizers cuts numbers into digits
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    end = tokenizer.token_to_id(json.loads((model / "tokenizer_config.json").read_text())["eos_token"])
    samples = []
    with open(file, encoding="utf-8") as rows:
        for row in list(rows)[:count]:
            _, label, _, sentence = row.rstrip("\n").split("\t")
            prompt = tokenizer.encode(f"{sentence}\nIs this acceptable English?").ids
            answer = tokenizer.encode(ANSWERS[label]).ids + [end]
            samples.append((prompt + answer, [IGNORED] * len(prompt) + answer))
    return samples


def collate(samples, device):
    """A batch, padded on the right to its longest sample."""
    length = max(len(ids) for ids, _ in samples)

    def padded(values, fill):
        return torch.tensor([row + [fill] * (length - len(row)) for row in values]).to(device)

    return {
        "input_ids": padded([ids for ids, _ in samples], PADDING),
        "labels": padded([labels for _, labels in samples], IGNORED),
        "attention_mask": padded([[1] * len(ids) for ids, _ in samples], 0),
    }


def synchronize(device):
    if device == "cuda":
        torch.cuda.synchronize()


class Training:
    def __init__(self, model, samples, device):
        self.model, self.samples, self.device = model, samples, device
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0, fused=True)

    def batches(self, size):
        order = random.Random(1).sample(range(len(self.samples)), len(self.samples))
        for start in range(0, len(order), size):
            yield [self.samples[i] for i in order[start:start + size]]

    def step(self, batch):
        loss = self.model(**collate(batch, self.device)).loss
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def times(self, size, warm_up, steps):
        """Seconds of single steps; epochs start anew where one is too short."""
        times = []
        while len(times) < warm_up + steps:
            for batch in self.batches(size):
                start = time.perf_counter()
                self.step(batch)
                synchronize(self.device)
                times.append(time.perf_counter() - start)
                if len(times) == warm_up + steps:
                    break
        return times[warm_up:]

    def epoch_seconds(self, size):
        start = time.perf_counter()
        for batch in self.batches(size):
            self.step(batch)
        synchronize(self.device)
        return time.perf_counter() - start


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--train", required=True)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--space", default=Path(__file__).resolve().parent / "paper_sweep.csv")
    parser.add_argument("--ranks", type=lambda text: [int(rank) for rank in text.split(",")])
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--results", help="file that rows are added to")
    return parser.parse_args()


def main():
    options = parse()
    device = options.device
    samples = read_samples(options.train, options.samples, options.model)
    with open(options.space, encoding="utf-8") as rows:
        configs = [(int(row["rank"]), int(row["batch_size"])) for row in csv.DictReader(rows)]
    common = {
        "model": options.model.name,
        "samples": len(samples),
        "mean_tokens": round(statistics.mean(len(ids) - 1 for ids, _ in samples), 3),
    }
    machine = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "command": "python3 " + " ".join(sys.argv),
    }

    def write(row):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = json.dumps({"bench": "sweep"} | row | common | machine | {"time": now})
        print(line, flush=True)
        if options.results:
            with open(options.results, "a", encoding="utf-8") as results:
                results.write(line + "\n")

    def steps_of(batch):
        return math.ceil(len(samples) / batch)

    base = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.bfloat16).to(device)
    base.config.use_cache = False
    seconds = {}
    ranks, sizes = (sorted(set(values)) for values in zip(*configs))
    ranks = sorted(options.ranks or {ranks[0], ranks[-1]})
    for rank in ranks:
        lora = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS, task_type="CAUSAL_LM")
        model = peft.get_peft_model(base, lora)
        model.train()
        training = Training(model, samples, device)
        for batch in sizes:
            if time.monotonic() - START > options.seconds:
                break
            times = training.times(batch, options.warm_up, options.steps)
            seconds[rank, batch] = statistics.median(times)
            write({
                "policy": "PEFT step", "rank": rank, "batch": batch, "ms": round(1e3 * seconds[rank, batch], 2),
                "fastest_ms": round(1e3 * min(times), 2), "slowest_ms": round(1e3 * max(times), 2), "steps": len(times),
            })
        if options.check and rank == ranks[0] and (rank, sizes[-1]) in seconds:
            write({
                "policy": "PEFT epoch", "rank": rank, "batch": batch, "steps": steps_of(batch),
                "epoch_s": round(training.epoch_seconds(batch), 3),
                "extrapolated_s": round(steps_of(batch) * seconds[rank, batch], 3),
            })
        base = model.unload()

    if not seconds:
        sys.exit("No case was begun within --seconds (%g). Maybe give more." % options.seconds)

    def step_seconds(rank, batch):
        smaller = [r for r in ranks if (r, batch) in seconds and (r <= rank or r == ranks[0])]
        return seconds[max(smaller), batch] if smaller else min(seconds.values())

    steps = sum(steps_of(batch) for _, batch in configs)
    write({
        "policy": "PEFT one by one (extrapolated)", "configs": len(configs), "optimizer_steps": steps,
        "measured_cases": len(seconds),
        "makespan_s": round(sum(steps_of(batch) * step_seconds(rank, batch) for rank, batch in configs), 1),
        "fastest_makespan_s": round(steps * min(seconds.values()), 1),
    })


if __name__ == "__main__":
    main()
