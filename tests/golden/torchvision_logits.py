"""Writes torchvision.npz: what torchvision's classifiers say of one image under the rule's weights.

    pip install torch==2.14.1 torchvision==0.29.1
    python tests/golden/torchvision_logits.py tests/golden/torchvision.npz

It needs nothing of this project. Weights and image follow the rules of `tests/conftest.py`, under
torchvision's names. Each network of 10 classes stands whole and with one, two, one, one blocks
("_1211").
"""

import sys
import zlib

import numpy as np
import torch
from torchvision.models import resnet

NETWORKS = {  # our name: blocks, groups, width of a group
    "resnext50_32x4d_v1": ([3, 4, 6, 3], 32, 4),
    "resnext101_32x8d_v1": ([3, 4, 23, 3], 32, 8),
    "wide_resnet50_v1": ([3, 4, 6, 3], 1, 128),
}


def fill(name, shape):
    """The tensor under a name: a function of name and shape alone."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        value = generator.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        value = 0.1 * generator.standard_normal(shape)
    elif len(shape) >= 2:
        value = generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    elif name.endswith("weight"):
        value = generator.uniform(0.5, 1.0, shape)
    else:
        value = 0.1 * generator.standard_normal(shape)
    return torch.from_numpy(np.asarray(value, np.float32))


def logits(blocks, groups, width):
    """Of the one image."""
    model = resnet.ResNet(
        resnet.Bottleneck, blocks, num_classes=10, groups=groups, width_per_group=width
    )
    filled = {name: fill(name, tuple(value.shape)) for name, value in model.state_dict().items()}
    model.load_state_dict(filled)
    generator = np.random.Generator(np.random.PCG64(1))
    image = generator.standard_normal((1, 3, 65, 97)).astype(np.float32)
    with torch.no_grad():
        return model.eval()(torch.from_numpy(image)).numpy()


if __name__ == "__main__":
    found = {}
    for name, (blocks, *rest) in NETWORKS.items():
        found[name] = logits(blocks, *rest)
        found[f"{name}_1211"] = logits([1, 2, 1, 1], *rest)
    np.savez_compressed(sys.argv[1], **found)
