"""Prints what training takes of memory beside its estimate, as a table for the documentation.

    python tools/docs/memory.py > table.md
    python tools/docs/memory.py drn_d_105:840:2 resnet101+upernet:576:2

A row's sizes, without and with `--remat`, are of processes of their own, which make three updates
on drawn images: the largest resident size, and what `tfseg train` expects before the first update.
"""

import argparse
import json
import subprocess
import sys

# model:crop:batch, and a precision where it isn't float32.
ROWS = (
    *("drn_d_22:256:2", "drn_d_22:512:4", "drn_d_105:480:1"),
    *("resnet50_v1+deeplab_v3plus:320:4", "resnet50_v1+deeplab_v3plus:513:2"),
    *("resnet101+upernet:320:2", "resnet50_dilated8+ppm_bilinear_deepsup:320:2"),
    *("drn_d_22:320:2:bfloat16", "resnet18_v1+deeplab_v3plus:320:8:bfloat16"),
)
UPDATES = 3


def measure(row, remat):
    """(estimate, largest resident size) of a row, in bytes, in this process."""
    import drawn

    from tfseg import machine
    from tfseg.training import memory
    from tfseg.training.strategy import create_strategy

    model, crop, batch, *precision = row.split(":")
    settings = {
        "model": model,
        "crop_size": int(crop),
        "batch_size": int(batch),
        "remat": remat,
        "precision": "".join(precision) or "float32",
        "steps": UPDATES,
    }
    strategy = create_strategy("one_device", 0)
    with drawn.training(strategy, 12, (360, 480), **settings) as (session, step, batches):
        need = memory.need(session.model, step)
        estimate = machine.resident_memory() + need.bytes
        for _ in range(UPDATES):
            step((next(batches),), learning_rate=1e-4).numpy()
        return estimate, machine.memory_peak()["peak_rss_mib"] * machine.MIB


def cells(row, remat):
    """A row's cells without or with `remat`, measured in a process of its own."""
    command = [sys.executable, __file__, "--one", row, *(["--remat"] if remat else [])]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    estimate, measured = (number / 2**30 for number in json.loads(output.splitlines()[-1]))
    return f"{estimate:.2f} GiB | {measured:.2f} GiB | {estimate / measured:.2f}"


def main():
    """Prints the rows that are named, or `ROWS`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", action="store_true", help="print a row's two numbers in bytes")
    parser.add_argument("--remat", action="store_true", help="with --one: with that")
    parser.add_argument("rows", nargs="*", help="such as drn_d_22:512:4 or drn_d_22:512:4:bfloat16")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.rows[0], arguments.remat)))
        return
    measured = "estimate | measured | estimate by measured"
    print(f"| network | crop, batch | {measured} | with `--remat`: {measured} |")
    print("|---|---|" + "---:|" * 6)
    for row in arguments.rows or ROWS:
        model, crop, batch, *precision = row.split(":")
        setting = ", ".join([crop, batch, *precision])
        plain, thrifty = cells(row, False), cells(row, True)
        print(f"| `{model}` | {setting} | {plain} | {thrifty} |", flush=True)


if __name__ == "__main__":
    main()
