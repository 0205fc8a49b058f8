"""Numbers that Python and Java make alike, so that they need not be stored: initial A and B, and signs of projections.

The Java twin is io.plora.parity.ParityNumbers; PINNED below stands in its test too.
"""
import numpy as np

PROJECTIONS = 64
PINNED_KEY = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
PINNED_HASH = 0xB5A8E92F23457E3F
PINNED_SPLITMIX = 0xE220A8397B1DCDAF  # of 0, as in Vigna's reference generator with seed 0
# initial(PINNED_KEY, (2, 128))[0, 1, 255]
PINNED_VALUES = [-0.04159458726644516, 0.05426385626196861, 0.0815420001745224]
# project(0.01, 0.02, ..., 1)[0, 1, 63]
PINNED_PROJECTIONS = [-0.9, 4.28, 2.04]


def splitmix64(counters):
    """One output of Vigna's SplitMix64 for each counter (uint64 array, wraps around)."""
    z = counters + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def fnv1a64(text):
    """FNV-1a of the UTF-8 bytes."""
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def counters(text, size):
    """hash of the text + 0, 1, 2, ..."""
    return np.uint64(fnv1a64(text)) + np.arange(size, dtype=np.uint64)


def uniform(key, size, bound):
    """float32 values in [-bound, bound), rounded from double; 24 random bits each."""
    bits = splitmix64(counters(key, size)) >> np.uint64(40)
    return (bits.astype(np.float64) * 2.0**-24 * 2 * bound - bound).astype(np.float32)


def initial(key, shape):
    """A of [r, in]: within 1/sqrt(in), as PEFT starts; B of [out, r]: within 0.02, as zero would hide A's gradient."""
    bound = 1 / np.sqrt(np.float64(shape[1])) if ".lora_A." in key else 0.02
    return uniform(key, shape[0] * shape[1], bound).reshape(shape)


def project(vector):
    """64 sums of the vector's elements under random signs: element i has sign + in sum k if bit k of its hash is set.

    For a difference d of two vectors the mean of the squared projections estimates |d|^2.
    """
    vector = np.asarray(vector, dtype=np.float64)
    hashes = splitmix64(counters("projections", vector.size))
    bits = (hashes[None, :] >> np.arange(PROJECTIONS, dtype=np.uint64)[:, None]) & np.uint64(1)
    return (bits.astype(np.float64) * 2 - 1) @ vector


def check():
    """Fails unless this machine makes the pinned numbers."""
    assert fnv1a64(PINNED_KEY) == PINNED_HASH, hex(fnv1a64(PINNED_KEY))
    assert int(splitmix64(np.zeros(1, dtype=np.uint64))[0]) == PINNED_SPLITMIX
    values = initial(PINNED_KEY, (2, 128)).ravel()
    found = [float(values[i]) for i in (0, 1, 255)]
    assert found == PINNED_VALUES, found
    sums = project(np.arange(1, 101) / 100)
    found = [round(float(sums[k]), 9) for k in (0, 1, 63)]
    assert found == PINNED_PROJECTIONS, found
