"""Prints what training takes of memory beside its estimate, as a table for the documentation.

    python tools/docs/memory.py > table.md
    python tools/docs/memory.py drn_d_105:840:2 drn_d_105:840:2:remat

Each row is a process of its own, which makes three updates in float32 on drawn images: the largest
resident size of it, and what `tfseg train` expects of it before the first update.
"""

import argparse
import json
import subprocess
import sys
import tempfile

# model:crop:batch, without and with `remat`.
ROWS = [
    row + remat
    for row in (
        *("drn_d_22:256:2", "drn_d_22:512:4", "drn_d_105:480:1"),
        *("resnet50_v1+deeplab_v3plus:320:4", "resnet50_v1+deeplab_v3plus:513:2"),
        *("resnet101+upernet:320:2", "resnet50_dilated8+ppm_bilinear_deepsup:320:2"),
    )
    for remat in ("", ":remat")
]
UPDATES = 3


def measure(row):
    """(estimate, largest resident size) of a row, in bytes, in this process."""
    from tfseg import machine
    from tfseg.data import write_sample_dataset
    from tfseg.training import TrainConfig, memory
    from tfseg.training.segmentation import Segmentation
    from tfseg.training.session import Session
    from tfseg.training.strategy import create_strategy

    model, crop, batch, *remat = row.split(":")
    with tempfile.TemporaryDirectory() as folder:
        write_sample_dataset(folder, train=12, val=1, size=(360, 480))
        config = TrainConfig(
            data_dir=folder,
            run_dir=f"{folder}/run",
            model=model,
            crop_size=int(crop),
            batch_size=int(batch),
            remat=bool(remat),
            steps=UPDATES,
        )
        strategy, task = create_strategy("one_device", 0), Segmentation()
        session = Session(config, task.plan(config), strategy, task)
        dataset = task.dataset(config, session.plan, strategy, 0)
        step = session.train_step(dataset.element_spec)
        need = memory.need(session.model, step)
        estimate = machine.resident_memory() + need.bytes
        batches = iter(dataset)
        for _ in range(UPDATES):
            step((next(batches),), learning_rate=1e-4).numpy()
        return estimate, machine.memory_peak()["peak_rss_mib"] * machine.MIB


def main():
    """Prints the rows that are named, or `ROWS`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", help="print a row's two numbers in bytes")
    parser.add_argument("rows", nargs="*", help="such as drn_d_22:512:4 or drn_d_22:512:4:remat")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    print("| network | crop, batch | `--remat` | estimate | measured | estimate by measured |")
    print("|---|---|---|---:|---:|---:|")
    for row in arguments.rows or ROWS:
        command = [sys.executable, __file__, f"--one={row}"]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        estimate, measured = (number / 2**30 for number in json.loads(output.splitlines()[-1]))
        model, crop, batch, *remat = row.split(":")
        print(
            f"| `{model}` | {crop}, {batch} | {'yes' if remat else ''} | {estimate:.2f} GiB "
            f"| {measured:.2f} GiB | {estimate / measured:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
