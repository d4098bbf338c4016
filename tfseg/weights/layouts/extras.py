"""Entries of original state dicts that hold nothing of ours, but that a strict load asks for.

Each function takes the state dict so far, {original name: array}, and returns further entries.
"""

import re

import numpy as np


def counters(arrays):
    """PyTorch's count of batches in every batch norm since version 0.4.1."""
    return {
        name.replace("running_mean", "num_batches_tracked"): np.zeros((), np.int64)
        for name in arrays
        if name.endswith(".running_mean")
    }


def sync_batch_norm(arrays):
    """The sums behind the running averages of the ADE20K code's batch norm, after one batch."""
    entries = {}
    for name, array in arrays.items():
        layer, _, leaf = name.rpartition(".")
        if leaf in ("running_mean", "running_var"):
            entries[f"{layer}._tmp_{leaf}"] = array.copy()
            entries[f"{layer}._running_iter"] = np.ones(1, np.float32)
    return entries


def drn_upsampling(arrays):
    """The fixed bilinear kernel with which DRN segmenters enlarge class scores eight times."""
    distance = np.abs(np.arange(16) / 8 - 15 / 16)
    kernel = np.outer(1 - distance, 1 - distance).astype(np.float32)
    classes = len(arrays["seg.bias"])
    return {"up.weight": np.tile(kernel, (classes, 1, 1, 1))}


def drn_c_projections(arrays):
    """The projections that DRN-C's last levels make and never apply, as they are at first."""
    entries = {}
    for name, array in arrays.items():
        match = re.fullmatch(r"((?:layer[78]|base\.(?:9|10))\.0)\.conv1\.weight", name)
        filters, channels = array.shape[:2] if match else (0, 0)
        if filters != channels:
            norm = f"{match[1]}.downsample.1."
            entries[f"{match[1]}.downsample.0.weight"] = np.zeros(
                (filters, channels, 1, 1), np.float32
            )
            for leaf, value in (
                *(("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)),
            ):
                entries[norm + leaf] = np.full(filters, value, np.float32)
            entries[norm + "num_batches_tracked"] = np.zeros((), np.int64)
    return entries
