"""The rules of `tfseg.workflows.proposal.RULES`, in its order.

Each takes a `Situation`, and returns a value for the setting that it is called after and the reason
in a few words; or None where the setting's default is right.
"""

import math

from tfseg.training.losses import parse_loss
from tfseg.training.values import height_width
from tfseg.words import counted
from tfseg.zoo import RELEASES

# Of networks at output stride 16 in bfloat16: bytes that training keeps for each pixel of a batch,
# and weights with their gradients, velocities and averages. The first two are measured as the
# largest memory of updates with 2 and 6 or 8 samples of 320x320; the third, for any other network,
# and the 2 GB are on the safe side.
_PIXEL_BYTES = {"resnet18_v1": 1100, "resnet50_v1": 1800, None: 4000}
_FIXED_BYTES = 2e9
# What of the free memory a run may take by the estimate.
_SHARE = 0.6


def model(now):
    small = not now.machine.gpus or now.data.images < 100
    encoder = "resnet18_v1" if small else "resnet50_v1"
    why = "small: there is no GPU" if not now.machine.gpus else "small, for few images"
    why = why if small else "there is a GPU"
    if now.fitting and encoder not in now.fitting:
        known = [name for name in now.fitting if name.endswith("_v1")]
        encoder, why = (known or now.fitting)[0], "its encoder fits the initial weights"
    # Encoders of other families are models of their own.
    return f"{encoder}+deeplab_v3plus" if encoder.endswith("_v1") else encoder, why


def model_options(now):
    if not now.encoder.endswith("_v1") or not now.chosen["model"].endswith("+deeplab_v3plus"):
        return None
    if now.machine.gpus and now.data.smallest_object < 16:
        return {
            "output_stride": 8
        }, f"objects of {counted(round(now.data.smallest_object), 'pixel')}"
    why = "objects are large enough" if now.machine.gpus else "8 takes long without a GPU"
    return {"output_stride": 16}, why


def init_weights(now):
    release = f"{now.encoder}_imagenet"
    if not now.pretrained or release not in RELEASES:
        return None
    return release, "what ImageNet teaches need not be learned from these images"


def new_head(now):
    return (True, "it is for these classes") if now.chosen.get("init_weights") else None


def precision(now):
    if not now.machine.bfloat16:
        return None
    return "bfloat16", f"{'the GPU' if now.machine.gpus else 'this processor'} computes in it"


def crop_size(now):
    short = min(now.data.height, now.data.width)
    most = 320 if not now.machine.gpus else 512 if short < 1024 else 768
    size = tuple(
        16 * max(min(math.ceil(side / 16), most // 16), 2)
        for side in (now.data.height, now.data.width)
    )
    if max(now.data.height, now.data.width) <= most:
        return size, "whole images"
    return size, f"at most {most}, {'with' if now.machine.gpus else 'without'} a GPU"


def random_scale(now):
    height, _ = _crop(now)
    low = min(max(height / now.data.height, 0.25), 0.5)
    if low == 0.5:
        return (0.5, 2.0), "objects near and far"
    low = math.floor(low * 20) / 20
    return (low, 2.0), f"down to {low:g}, as crops show little of these images"


def _crop(now):
    return height_width("crop_size", now.chosen.get("crop_size") or (321,))


def _wanted(now):
    """Samples of an update, whatever memory holds."""
    wanted = 16 if now.machine.gpus else 8
    while wanted > 2 and wanted > now.data.images:
        wanted //= 2
    return wanted * max(now.machine.gpus, 1) if wanted > 8 else wanted


def _memory(now, batch):
    """Bytes that a replica needs for a batch, estimated."""
    height, width = _crop(now)
    pixel = _PIXEL_BYTES.get(now.encoder, _PIXEL_BYTES[None])
    pixel *= 1 if now.chosen.get("precision") == "bfloat16" else 1.6
    pixel *= 2.5 if now.chosen.get("model_options", {}).get("output_stride") == 8 else 1
    return _FIXED_BYTES + pixel * height * width * batch / max(now.machine.gpus, 1)


def batch_size(now):
    batch = wanted = _wanted(now)
    least = 2 * max(now.machine.gpus, 1)
    while batch > least and _memory(now, batch) > _SHARE * now.machine.memory:
        batch //= 2
    if batch == wanted:
        return batch, f"about {_memory(now, batch) / 2**30:.1f} GiB of memory"
    return batch, f"what fits into the {now.machine.memory / 2**30:.1f} GiB that are free"


def accumulation_steps(now):
    steps = _wanted(now) // now.chosen["batch_size"]
    if steps < 2 or "batch_size" in now.given:
        return None
    return steps, f"updates of {steps * now.chosen['batch_size']} all the same"


def steps(now):
    most = 20_000 if now.machine.gpus else 4_000
    epochs = 40 if now.pretrained else 80
    steps = min(max(math.ceil(epochs * now.data.images / now.batch), 500), most)
    return steps, counted(round(steps * now.batch / now.data.images), "epoch")


def learning_rate(now):
    if now.chosen.get("optimizer") == "adamw":
        return 3e-4, "for adamw"
    return min(0.02, 0.02 * now.batch / 8), f"for updates of {now.batch}"


def lr_warmup_steps(now):
    if "steps" not in now.chosen:
        return 20, "the head is fresh"
    return min(max(int(now.chosen["steps"]) // 20, 1), 50), "the head is fresh"


def ema_decay(now):
    return 0.998, "the mean of the last weights is better than the last"


def loss(now):
    dice = "dice_per_image" if int(now.chosen.get("accumulation_steps", 1)) > 1 else "dice"
    return f"cross_entropy:1,{dice}:0.5", "Dice looks at the overlap that is scored"


def class_weights(now):
    shown = [share for share in now.data.shares if share > 0]
    weighted = all(row.takes_class_weights for row, _ in parse_loss(now.chosen["loss"]))
    if not shown or max(shown) < 4 * min(shown) or not weighted:
        return None
    if "square_root" not in now.data.weights:
        return None
    return "square_root", f"classes have from {_percent(min(shown))} to {_percent(max(shown))}"


def class_crops(now):
    rare = [share for share in now.data.shares if 0 < share < 0.02]
    if not rare or not now.data.weights:
        return None
    return (
        0.3,
        f"{counted(len(rare), 'of the classes has', 'of the classes have')} under 2% of the pixels",
    )


def random_rotate(now):
    return None if now.data.images >= 100 else (10.0, "few images")


def transforms(now):
    if now.data.channels != 3:
        return "gamma:0.2", "the transforms of colours are for three channels"
    if now.data.images < 100:
        return "color_jitter:0.4,blur:0.3", "few images"
    return "color_jitter:0.3", "light differs from photograph to photograph"


def val_split(now):
    return None if now.data.val_images else ("", "there is nothing to validate on")


def validate_every(now):
    # A validation has no gradient, a third of an update; whole images in place of crops.
    height, width = _crop(now) if not now.chosen.get("short_sides") else (1, 1)
    larger = 1 if height == 1 else now.data.height * now.data.width / (height * width)
    updates = now.data.val_images / now.batch * larger / 3
    every = max(math.ceil(updates / 0.1), 50)
    return str(every), "validation takes at most a tenth of the time"


def checkpoint_every(now):
    every = str(now.chosen.get("validate_every", ""))
    least = int(every) if every.isdigit() and int(every) else 200
    return str(min(least, 200)), "what a crash may cost"


def cache(now):
    # An image's pixels and its labels.
    pixel = now.data.channels * now.data.value_bytes + 1
    bytes_ = pixel * now.data.images * now.data.height * now.data.width
    if bytes_ > now.machine.host_memory / 4:
        return None
    return True, f"decoded images take {max(bytes_ / 2**30, 0.1):.1f} GiB"


def _percent(share):
    return f"{100 * share:.2g}%"
