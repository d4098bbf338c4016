"""Networks stated in plain PyTorch, to be timed beside ours: the same layers, losses and updates.

Only `tfseg.benchmark.against` imports this, as PyTorch is none of the package's requirements. The
papers are named where ours are: `tfseg.encoders` and `tfseg.decoders`.
"""

import torch
from torch import nn
from torch.nn import functional

IGNORED = 255


def unit(channels, filters, kernel=1, stride=1, dilation=1, relu=True):
    """Convolution, batch norm and, usually, ReLU."""
    padding = dilation * (kernel - 1) // 2
    convolution = nn.Conv2d(channels, filters, kernel, stride, padding, dilation, bias=False)
    layers = [convolution, nn.BatchNorm2d(filters)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or one between two 1x1."""

    def __init__(self, channels, filters, stride, dilation, bottleneck):
        super().__init__()
        outputs = 4 * filters if bottleneck else filters
        if bottleneck:
            units = [
                unit(channels, filters),
                unit(filters, filters, 3, stride, dilation),
                unit(filters, outputs, relu=False),
            ]
        else:
            units = [
                unit(channels, filters, 3, stride, dilation),
                unit(filters, filters, 3, 1, dilation, relu=False),
            ]
        self.units = nn.Sequential(*units)
        same = stride == 1 and channels == outputs
        self.projection = None if same else unit(channels, outputs, 1, stride, relu=False)

    def forward(self, maps):
        shortcut = maps if self.projection is None else self.projection(maps)
        return functional.relu(self.units(maps) + shortcut, inplace=True)


def stage(channels, filters, stride, dilations, bottleneck):
    """Blocks of these dilation rates, the first of which strides."""
    blocks = []
    for number, dilation in enumerate(dilations):
        blocks.append(Block(channels, filters, 1 if number else stride, dilation, bottleneck))
        channels = 4 * filters if bottleneck else filters
    return nn.Sequential(*blocks)


class DRN22(nn.Module):
    """DRN-D-22 with class scores, upsampled by the fixed bilinear kernel of its authors."""

    loss_at_logits = False

    def __init__(self, num_classes):
        super().__init__()
        self.encoder = nn.Sequential(
            unit(3, 16, 7),
            unit(16, 16, 3),
            unit(16, 32, 3, 2),
            stage(32, 64, 2, (1, 1), False),
            stage(64, 128, 2, (1, 1), False),
            stage(128, 256, 1, (2, 2), False),
            stage(256, 512, 1, (4, 4), False),
            unit(512, 512, 3, 1, 2),
            unit(512, 512, 3),
        )
        self.classifier = nn.Conv2d(512, num_classes, 1)
        self.up = nn.ConvTranspose2d(
            num_classes, num_classes, 16, 8, 4, groups=num_classes, bias=False
        )
        ramp = 1 - (torch.arange(16) - 7.5).abs() / 8
        self.up.weight.data[:] = ramp[:, None] * ramp
        self.up.weight.requires_grad_(False)

    def forward(self, images):
        return self.classifier(self.encoder(images))

    def upsample(self, logits, size):
        return self.up(logits)[..., : size[0], : size[1]]


class ResNet50(nn.Module):
    """ResNet-50's four stages, by default with torchvision's stem."""

    def __init__(self, strides, dilations, deep_stem=False):
        super().__init__()
        if deep_stem:
            stem = [unit(3, 64, 3, 2), unit(64, 64, 3), unit(64, 128, 3)]
        else:
            stem = [unit(3, 64, 7, 2)]
        self.stem = nn.Sequential(*stem, nn.MaxPool2d(3, 2, 1))
        self.stages, channels = nn.ModuleList(), 128 if deep_stem else 64
        rows = zip((64, 128, 256, 512), (3, 4, 6, 3), strides, dilations, strict=True)
        earlier = 1
        for filters, count, stride, dilation in rows:
            # A block that gave up its stride is dilated as the one before it.
            rates = (earlier, *[dilation] * (count - 1))
            self.stages.append(stage(channels, filters, stride, rates, True))
            channels, earlier = 4 * filters, dilation

    def forward(self, images):
        maps, levels = self.stem(images), []
        for one in self.stages:
            maps = one(maps)
            levels.append(maps)
        return levels


def resized(maps, size):
    """Bilinear, half-pixel."""
    return functional.interpolate(maps, tuple(size), mode="bilinear", align_corners=False)


class Bilinear(nn.Module):
    """A segmenter whose scores are resized to the images."""

    loss_at_logits = False

    def upsample(self, logits, size):
        return resized(logits, size)


class DeepLabV3Plus(Bilinear):
    """DeepLab v3+ with ResNet-50 at output stride 16."""

    def __init__(self, num_classes):
        super().__init__()
        self.encoder = ResNet50((1, 2, 2, 1), (1, 1, 1, 2))
        self.branches = nn.ModuleList(
            [unit(2048, 256), *(unit(2048, 256, 3, 1, rate) for rate in (6, 12, 18))]
        )
        self.image = nn.Sequential(nn.AdaptiveAvgPool2d(1), unit(2048, 256))
        self.fuse, self.reduce = unit(5 * 256, 256), unit(256, 48)
        self.refine = nn.Sequential(unit(256 + 48, 256, 3), unit(256, 256, 3))
        self.classifier = nn.Conv2d(256, num_classes, 1)

    def forward(self, images):
        finest, *_, last = self.encoder(images)
        maps = [branch(last) for branch in self.branches]
        maps.append(resized(self.image(last), last.shape[2:]))
        context = resized(self.fuse(torch.cat(maps, 1)), finest.shape[2:])
        return self.classifier(self.refine(torch.cat([context, self.reduce(finest)], 1)))


class UPerNet50(Bilinear):
    """UPerNet with ADE20K's ResNet-50."""

    loss_at_logits = True

    def __init__(self, num_classes):
        super().__init__()
        self.encoder = ResNet50((1, 2, 2, 2), (1, 1, 1, 1), deep_stem=True)
        self.pools = nn.ModuleList(nn.AdaptiveAvgPool2d(bins) for bins in (1, 2, 3, 6))
        self.pooled = nn.ModuleList(unit(2048, 512) for _ in self.pools)
        self.top = unit(2048 + 4 * 512, 512, 3)
        self.laterals = nn.ModuleList(unit(channels, 512) for channels in (256, 512, 1024))
        self.smooths = nn.ModuleList(unit(512, 512, 3) for _ in self.laterals)
        self.fuse = unit(4 * 512, 512, 3)
        self.classifier = nn.Conv2d(512, num_classes, 1)

    def forward(self, images):
        *levels, last = self.encoder(images)
        maps = [last]
        for pool, reduce in zip(self.pools, self.pooled, strict=True):
            maps.append(reduce(resized(pool(last), last.shape[2:])))
        maps = self.top(torch.cat(maps, 1))
        pyramid = [maps]
        for level in (2, 1, 0):
            lateral = self.laterals[level](levels[level])
            maps = lateral + resized(maps, lateral.shape[2:])
            pyramid.insert(0, self.smooths[level](maps))
        size = pyramid[0].shape[2:]
        maps = [pyramid[0], *(resized(one, size) for one in pyramid[1:])]
        return self.classifier(self.fuse(torch.cat(maps, 1)))


class Runner:
    """A network ready to be timed, with channels last, which is PyTorch's fastest on CPUs.

    Args:
        network: one of the classes above.
        num_classes: how many.
        images: float32 [N, H, W, 3], NumPy.
        labels: int [N, H, W].
        precision: "float32", or "bfloat16" for autocasting.
        device: PyTorch's name of it.
        compiled: go through `torch.compile`.
    """

    def __init__(self, network, num_classes, images, labels, precision, device, compiled=False):
        self.device, self.precision = device, precision
        self.network = network(num_classes).to(device, memory_format=torch.channels_last)
        self.images = torch.tensor(images.transpose(0, 3, 1, 2)).to(
            device, memory_format=torch.channels_last
        )
        self.labels = torch.tensor(labels).long().to(device)
        self.called = torch.compile(self.network) if compiled else self.network
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.SGD(trained, 1e-5, 0.9, weight_decay=1e-4, fused=True)
        self.weights = sum(weight.numel() for weight in trained)

    def _cast(self):
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bfloat16")

    def forward(self):
        """One inference up to the class scores."""
        self.network.eval()
        with torch.inference_mode(), self._cast():
            return self._wait(self.called(self.images))

    def training(self):
        """One update of the weights."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with self._cast():
            logits, labels = self.called(self.images), self.labels
            if self.network.loss_at_logits:
                size = logits.shape[2:]
                labels = functional.interpolate(labels[:, None].float(), size)[:, 0].long()
            else:
                logits = self.network.upsample(logits, labels.shape[1:])
        loss = functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED)
        loss.backward()
        self.optimizer.step()
        return self._wait(loss)

    @staticmethod
    def _wait(tensor):
        """One number of a tensor, once the device has computed it."""
        return tensor.flatten()[0].item()
