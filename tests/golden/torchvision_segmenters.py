"""Writes torchvision_segmenters.npz: what torchvision's FCN and DeepLab v3 give of one image.

    pip install torch==2.14.1 torchvision==0.29.1
    python tests/golden/torchvision_segmenters.py tests/golden/torchvision_segmenters.npz

It needs nothing of this project but the rule for weights beside it.
"""

import sys

import numpy as np
import torch
from torchvision.models import resnet
from torchvision.models.segmentation import deeplabv3, fcn
from torchvision_logits import fill

CLASSES = 5
MODELS = {"fcn": fcn._fcn_resnet, "deeplabv3": deeplabv3._deeplabv3_resnet}
BLOCKS = {"resnet50": (3, 4, 6, 3), "1211": (1, 2, 1, 1)}


def outputs(make, blocks):
    """(number of parameters, entries but counters, {"out", "aux"}: float32 [1, C, 65, 97])."""
    backbone = resnet.ResNet(
        resnet.Bottleneck, blocks, replace_stride_with_dilation=[False, True, True]
    )
    model = make(backbone, CLASSES, True).eval()
    state = model.state_dict()
    model.load_state_dict({name: fill(name, tuple(value.shape)) for name, value in state.items()})
    rng = np.random.Generator(np.random.PCG64(1))
    image = torch.from_numpy(rng.standard_normal((1, 3, 65, 97)).astype(np.float32))
    with torch.no_grad():
        maps = model(image)
    count = sum(parameter.numel() for parameter in model.parameters())
    entries = sum(not name.endswith("num_batches_tracked") for name in state)
    return count, entries, {name: value.numpy() for name, value in maps.items()}


def main():
    arrays = {}
    for name, make in MODELS.items():
        for blocks, numbers in BLOCKS.items():
            count, entries, maps = outputs(make, numbers)
            arrays[f"{name}_{blocks}_size"] = np.array([count, entries])
            for key, value in maps.items():
                # Every fourth row and column: of the enlarged maps, that is enough.
                arrays[f"{name}_{blocks}_{key}"] = value[0, :, ::4, ::4]
    np.savez_compressed(sys.argv[1], **arrays)


if __name__ == "__main__":
    main()
