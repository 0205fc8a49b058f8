"""PyTorch's scaled_dot_product_attention on the shapes of step_bench, forward and backward, flash where it applies.

A ragged batch is padded on the right to its longest sequence, as its user would; causal order keeps padding out of real rows.
Prints one JSON row for each case with medians in milliseconds of a replayed CUDA graph.
"""
import json

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from triton.testing import do_bench_cudagraph


def median(function):
    return round(do_bench_cudagraph(function, rep=60, return_mode="median"), 4)


def case(name, sequences, length, heads, kv_heads, size):
    def tensor(h):
        return torch.randn(sequences, h, length, size, device="cuda", dtype=torch.bfloat16, requires_grad=True)

    q, k, v = tensor(heads), tensor(kv_heads), tensor(kv_heads)
    dy = torch.randn_like(q)

    def forward():
        with torch.no_grad():
            scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    def both():
        y = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        torch.autograd.grad(y, (q, k, v), dy)

    row = {"lengths": name, "heads": heads, "kv_heads": kv_heads, "head_size": size}
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        row["torch_forward_graph"] = median(forward)
        row["torch_both_graph"] = median(both)
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    print(json.dumps({"gpu": torch.cuda.get_device_name(), "torch": torch.__version__}), flush=True)
    for heads in ((16, 2, 128), (28, 4, 128), (14, 2, 64), (32, 8, 64)):
        case("8 of 1024", 8, 1024, *heads)
        case("64 of 32..256", 64, 256, *heads)
