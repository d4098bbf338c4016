"""Measures the speed of inference, training step and input pipeline, and their memory.

    tfseg benchmark --model=drn_d_22 --num_classes=19 --image_size=256 --batch_size=2
    tfseg benchmark … --data_dir=data/camvid --random_scale=0.5,2 --random_rotate=10
    tfseg benchmark --input --data_dir=data/camvid --image_size=321 --transforms=color_jitter
    tfseg benchmark --evaluation --data_dir=data/camvid --split=val --protocol=drn --flip
    tfseg benchmark --dilated_layers --repeats=50
    tfseg benchmark --against=torch --model=drn_d_22

Each speed is also stated as a share of the machine's own: that of a large matrix product, timed
in the same run. --input measures the samples of a training alone, without a network, in images of
any kind. --evaluation measures a whole one, from files to scores and pictures, and
how much of it the network takes. --dilated_layers measures no model, but what each way to smooth a
dilated convolution adds to it. --against=torch measures the same network in PyTorch, where that is
installed, in turn with ours.
"""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from tfseg.cli import protocol, shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given, without
from tfseg.errors import TfsegError
from tfseg.models import PRECISIONS
from tfseg.words import counted

GROUPS = {
    "Model": "model num_classes model_option precision xla saved_model",
    "What": "image_size batch_size data_dir split input evaluation dilated_layers against",
    "Samples": "random_scale random_rotate mirror transforms cache",
    "Measurement": "repeats requests images json",
    "Protocol": "protocol eval_scales flip",
}
_SAMPLES = "random_scale random_rotate mirror transforms cache split"
_NETWORK = "model num_classes model_option precision xla"
# What is measured where it isn't a network's parts, and the flags that it looks at.
KINDS = {
    "--input": f"num_classes image_size batch_size data_dir {_SAMPLES}",
    "--evaluation": "model num_classes model_option precision data_dir split images "
    + " ".join(protocol.FLAGS),
    "--dilated_layers": "precision",
    "--against=torch": "model num_classes precision xla image_size batch_size",
    "--saved_model=FOLDER": "image_size batch_size requests",
}
# Of all: `repeats` and `json`.
_PARTS = f"{_NETWORK} image_size batch_size data_dir {_SAMPLES} requests"


def kind_of(flag: str) -> str:
    """The name of the flag that asks for one of `KINDS`."""
    return flag.removeprefix("--").partition("=")[0]


def _needs() -> Iterator[tuple[str, tuple[Need, ...]]]:
    parts = _PARTS.split()
    for name in dict.fromkeys(" ".join([_PARTS, *KINDS.values()]).split()):
        takers = [flag for flag, names in KINDS.items() if name in names.split()]
        if name not in parts:
            yield name, (Need(takers[0], given(*map(kind_of, takers))),)
            continue
        needs = [
            Need(flag, without(kind_of(flag)), beside=True) for flag in KINDS if flag not in takers
        ]
        if name in _SAMPLES.split():
            needs.append(Need("--data_dir=FOLDER", given("data_dir")))
        yield name, tuple(needs)


NEEDS = dict(_needs())


def define(flags: Flags) -> None:
    flags.string("model", "drn_d_22", "Name of the model.")
    flags.integer("num_classes", 0, "Classes; 0 for as many as info.json names, or 19.", 0)
    shared.define_model_option(flags)
    flags.string("image_size", "256", "Images and training crops: height,width or one number.")
    flags.integer("batch_size", 2, "Images per step.", 1)
    flags.choice("precision", "float32", PRECISIONS, "Arithmetic of the network.")
    flags.boolean(
        "xla", False, "Compile forward pass and training step; PyTorch's with torch.compile."
    )
    flags.string(
        "saved_model", None, "A folder that `tfseg export` wrote: measured in place of --model."
    )
    shared.define_data(flags, split="train")
    flags.string("random_scale", "1,1", "Range of the random scale: smallest,largest.")
    flags.number("random_rotate", 0.0, "Largest random rotation in degrees.", 0)
    flags.boolean("mirror", True, "Mirror half of the images.")
    flags.string("transforms", "", "What is done to the samples then, as for tfseg train.")
    flags.boolean("cache", False, "Keep the decoded images in memory.")
    flags.boolean("input", False, "Measure the input pipeline of --data_dir alone.")
    flags.boolean("evaluation", False, "Measure an evaluation of --split of --data_dir.")
    protocol.define(flags)
    flags.integer("images", 8, "With --evaluation: the first so many images.", 1)
    flags.boolean("dilated_layers", False, "Compare dilated 3x3 convolutions of 512 channels.")
    flags.choice("against", None, ["torch"], "Compare forward pass and training step with it.")
    flags.integer(
        "repeats", 20, "Timed calls of each part; hundreds to tell whether memory grows.", 1
    )
    flags.integer(
        "requests",
        0,
        "Also ask for so many answers at once, about one image each, and check them.",
        0,
    )
    flags.report()
    flags.alias("output", "json")


def model_spec(flags: Flags, info: Any) -> Any:
    """The `ModelSpec` that the flags and a `DataInfo`, or None, state."""
    from tfseg.models import ModelSpec, Preprocessing

    return ModelSpec(
        flags.model,
        flags.num_classes or len((info and info.classes) or range(19)),
        shared.parse_options(flags.model_option),
        Preprocessing.of(info) if info else Preprocessing(),
    )


def load_rgb(data_dir: str) -> Any:
    """The `DataInfo` of a folder of photographs, as networks are measured with."""
    from tfseg.data import DataInfo

    info = DataInfo.load(data_dir)
    info.bands.require_rgb("a benchmark")
    return info


def saved_model_parts(flags: Flags, size: tuple[int, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """({name: part}, facts) of --saved_model."""
    from tfseg import benchmark

    counts = {"repeats": flags.repeats, "requests": flags.requests}
    parts, card = benchmark.saved_model_parts(flags.saved_model, size, flags.batch_size, **counts)
    return parts, {name: card[name] for name in ("model", "num_classes", "precision")}


def model_parts(flags: Flags, size: tuple[int, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """({name: part}, facts) of --model, and of the input pipeline if there is --data_dir."""
    from tfseg import benchmark
    from tfseg.data import read_split

    info = load_rgb(flags.data_dir) if flags.data_dir else None
    spec = model_spec(flags, info)
    image_list = read_split(flags.data_dir, flags.split) if info else None
    parts, step = benchmark.network_parts(
        *(spec, size, flags.batch_size),
        precision=flags.precision,
        xla=flags.xla,
        repeats=flags.repeats,
        requests=flags.requests,
    )
    if info:
        parts |= input_parts(flags, image_list, info, spec, size, step)
    names = ("model", "model_option", "data_dir", "precision", "xla")
    return parts, {**{name: flags[name].value for name in names}, "num_classes": spec.num_classes}


def input_parts(
    flags: Flags, image_list: Any, info: Any, spec: Any, size: tuple[int, int], step: Any = None
) -> dict[str, Any]:
    """{name: part} of the input pipeline."""
    from tfseg import benchmark
    from tfseg.data import Augmentation
    from tfseg.training.values import numbers

    scales = numbers("random_scale", flags.random_scale, float)
    augmentation = Augmentation(size, scales, flags.random_rotate, flags.mirror)
    return benchmark.data_parts(
        *(image_list, info, spec, augmentation, flags.batch_size),
        step=step,
        cache=flags.cache,
        transforms=flags.transforms,
        repeats=flags.repeats,
    )


def time_input(flags: Flags, size: tuple[int, int]) -> dict[str, Any]:
    from tfseg.data import DataInfo, read_split

    flags.require("data_dir")
    info = DataInfo.load(flags.data_dir)
    image_list = read_split(flags.data_dir, flags.split)
    spec = model_spec(flags, info)
    values = input_parts(flags, image_list, info, spec, size)["input"]()
    print(
        f"samples of {size[0]}x{size[1]} from "
        f"{counted(len(image_list), 'image')} of {flags.data_dir}: "
        f"{values['images_per_second']:.0f} images/s, {values['processor_ms']:.2f} ms of a core "
        "for each"
    )
    return {"images": len(image_list), **values}


def time_parts(flags: Flags, size: tuple[int, int]) -> dict[str, Any]:
    from tfseg import benchmark, machine

    parts, facts = saved_model_parts(flags, size) if flags.saved_model else model_parts(flags, size)
    settings = {"image_size": flags.image_size, "batch_size": flags.batch_size, **facts}
    results, peaks = benchmark.run(parts, settings["precision"])
    here = machine.describe()
    print(f"{here['processor']}, {counted(here['cores'], 'core')}, TensorFlow {here['tensorflow']}")
    for name in here["accelerators"]:
        print(name)
    print("matrix product: " + ", ".join(f"{k} {v:.1f} GFLOP/s" for k, v in peaks.items()))
    print(
        f"{settings['model']}, {counted(settings['num_classes'], 'class')}, "
        f"{settings['precision']}{', XLA' if settings.get('xla') else ''}, "
        f"batch {flags.batch_size} of {size[0]}x{size[1]}\n"
    )
    print(benchmark.table(results))
    return {"peak_gflop_per_second": peaks, "settings": settings, "parts": results}


def time_evaluation(flags: Flags) -> dict[str, Any]:
    from tfseg import benchmark
    from tfseg.data import read_split
    from tfseg.reports import summary

    flags.require("data_dir")
    info = load_rgb(flags.data_dir)
    image_list = read_split(flags.data_dir, flags.split).first(flags.images)
    spec = model_spec(flags, info)
    predictor = benchmark.create_predictor(spec, protocol.read(flags), flags.precision)
    values = benchmark.measure_evaluation(predictor, image_list, info, flags.repeats)
    facts = predictor.inference.protocol
    print(
        f"{spec.name}, {counted(spec.num_classes, 'class')}, "
        f"{counted(len(image_list), 'image')} of {flags.data_dir}"
    )
    print(summary.plain(facts))
    print(
        f"from files to scores and pictures: {values['images_per_second']:.3f} images/s, "
        f"{values['network_share']:.1%} of the time in the network"
    )
    return {"protocol": facts, "images": len(image_list), **values}


def compare_dilated_layers(flags: Flags) -> dict[str, Any]:
    from tfseg.benchmark import dilated
    from tfseg.models import precision

    with precision(flags.precision):
        results = dilated.measure_layers(repeats=flags.repeats)
    print(dilated.table(results))
    return {"dilated_layers": results}


def load_torch_first() -> None:
    """Imports PyTorch and its compiler, where they are, before TensorFlow.

    Triton's LLVM ends a process that has TensorFlow's.
    """
    for name in ("torch", "triton"):
        # A PyTorch that lacks a library of its own raises the second.
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(name)


def compare_with_torch(flags: Flags, size: tuple[int, int]) -> dict[str, Any]:
    from tfseg import machine
    from tfseg.benchmark import against

    num_classes = flags.num_classes or 19
    results, facts = against.against_torch(
        *(flags.model, num_classes, size, flags.batch_size),
        precision=flags.precision,
        xla=flags.xla,
        repeats=flags.repeats,
    )
    here = machine.describe()
    print(f"{here['processor']}, {counted(here['cores'], 'core')}, {facts['device']}, ", end="")
    print(f"TensorFlow {here['tensorflow']}, PyTorch {facts['pytorch']}")
    print(
        f"{flags.model}, {counted(num_classes, 'class')}, "
        f"{facts['weights'] / 1e6:.1f} million weights, "
        f"{flags.precision}{', compiled' if flags.xla else ''}, "
        f"batch {flags.batch_size} of {size[0]}x{size[1]}\n"
    )
    print(against.paired_table(results))
    return {"against": {**facts, "xla": flags.xla}, "parts": results}


def main(flags: Flags) -> None:
    if flags.against:
        load_torch_first()
    from tfseg import machine
    from tfseg.training.values import height_width

    size = height_width("image_size", flags.image_size)
    kinds = [f"--{name}" for name in map(kind_of, KINDS) if flags[name].value]
    if len(kinds) > 1:
        raise TfsegError(f"{' and '.join(kinds)} measure different things: give one of them")
    if flags.against:
        values = compare_with_torch(flags, size)
    elif flags.dilated_layers:
        values = compare_dilated_layers(flags)
    elif flags.input:
        values = time_input(flags, size)
    elif flags.evaluation:
        values = time_evaluation(flags)
    else:
        values = time_parts(flags, size)
    flags.found = {"machine": machine.describe(), **values}
