"""Writes train_ade20k_float64.npz: four updates of a ResNet-18 of the ADE20K code in float64.

    pip install torch==2.13.0
    python tests/golden/train_ade20k_float64.py tests/golden/train_ade20k_float64.npz

It needs nothing of this project. In float32 the same run is chaotic: rounding decides the fourth
loss. Weights, images and labels follow the rules of `tests/conftest.py`.
"""

import sys
import zlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 150


def fill(name, shape):
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    if name.endswith("running_var"):
        value = generator.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        value = 0.1 * generator.standard_normal(shape)
    elif len(shape) >= 2:
        value = generator.standard_normal(shape) * np.sqrt(1.0 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        value = generator.uniform(0.5, 1.0, shape)
    else:
        value = 0.1 * generator.standard_normal(shape)
    return torch.from_numpy(value.astype(np.float32)).double()


def image(seed):
    values = np.random.Generator(np.random.PCG64(seed)).standard_normal((2, 3, 64, 64))
    return torch.from_numpy(values.astype(np.float32)).double()


def labels(seed):
    generator = np.random.Generator(np.random.PCG64(seed))
    values = generator.integers(0, CLASSES, (2, 8, 8))
    values[generator.random(values.shape) < 0.2] = 255
    return torch.from_numpy(values)


def conv(inputs, outputs, size=3, stride=1, dilation=1):
    padding = dilation * (size // 2)
    return nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)


def norm(channels):
    return nn.BatchNorm2d(channels, momentum=0.001)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, first, second):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride, first), norm(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3, 1, second), norm(outputs)
        self.downsample = None
        if inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), norm(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Encoder(nn.Module):
    """ResNet-18 whose last two stages are dilated where they would be strided."""

    def __init__(self):
        super().__init__()
        for number, channels in enumerate(((3, 64), (64, 64), (64, 128)), start=1):
            setattr(self, f"conv{number}", conv(*channels, 3, 2 if number == 1 else 1))
            setattr(self, f"bn{number}", norm(channels[1]))
        rows = ((128, 64, 1, 1, 1), (64, 128, 2, 1, 1), (128, 256, 1, 1, 2), (256, 512, 1, 2, 4))
        for number, (inputs, outputs, stride, first, rest) in enumerate(rows, start=1):
            blocks = (
                Block(inputs, outputs, stride, first, rest),
                Block(outputs, outputs, 1, rest, rest),
            )
            setattr(self, f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x):
        for n in (1, 2, 3):
            x = F.relu(getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(x)))
        x = self.layer2(self.layer1(F.max_pool2d(x, 3, 2, 1)))
        x = self.layer3(x)
        return x, self.layer4(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.cbr = nn.Sequential(conv(512, 128), norm(128))
        self.cbr_deepsup = nn.Sequential(conv(256, 128), norm(128))
        self.conv_last = nn.Conv2d(128, CLASSES, 1)
        self.conv_last_deepsup = nn.Conv2d(128, CLASSES, 1)

    def forward(self, features):
        third, fourth = features
        maps = (
            self.conv_last(F.relu(self.cbr(fourth))),
            self.conv_last_deepsup(F.relu(self.cbr_deepsup(third))),
        )
        return [F.log_softmax(one, 1) for one in maps]


def main(path):
    torch.set_num_threads(1)
    model = nn.ModuleDict({"encoder": Encoder(), "decoder": Decoder()}).double()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(fill(name, tuple(tensor.shape)))
    kernels = [p for p in model.parameters() if p.ndim == 4]
    others = [p for p in model.parameters() if p.ndim != 4]
    groups = [{"params": kernels, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.02, momentum=0.9)
    losses = []
    for i in range(4):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - i / 100) ** 0.9
        main_map, auxiliary = model["decoder"](model["encoder"](image(100 + i)))
        truth = labels(200 + i)
        loss = F.nll_loss(main_map, truth, ignore_index=255)
        loss = loss + 0.4 * F.nll_loss(auxiliary, truth, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        after = model["decoder"](model["encoder"](image(3)))[0][:, ::5]
    np.savez_compressed(path, losses=np.array(losses), log_probs_after=after.numpy())


if __name__ == "__main__":
    main(sys.argv[1])
