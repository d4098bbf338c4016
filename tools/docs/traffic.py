"""Prints what training's workers send each other in an update, as a table for the documentation.

    unshare --net --map-root-user sh -c 'ip link set lo up; python tools/docs/traffic.py'

Workers are processes of this machine, which talk over its loopback interface; `unshare` gives them
one of their own, as all that passes through it is counted (Linux alone). Sums over workers in a
ring have to send 2(n - 1) times the gradients' size.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

# model:batch norms that are synchronised or not:workers.
ROWS = [
    f"{model}:{synchronised}:{workers}"
    for model in ("drn_d_22", "resnet18_v1+linear")
    for synchronised in ("true", "false")
    for workers in (2, 4)
]
# What is sent depends on the weights and not on the crop.
CROP, UPDATES = 64, 10
# Workers end an update within milliseconds of each other. They stand still for twice as long as
# this, and what was sent until then is read in the middle.
PAUSE = 1.5


def sent():
    """Bytes that the loopback interface has sent, headers included."""
    text = pathlib.Path("/proc/net/dev").read_text()
    return int(re.search(r"lo:(.*)", text).group(1).split()[8])


def paused():
    """`sent` at rest."""
    time.sleep(PAUSE)
    count = sent()
    time.sleep(PAUSE)
    return count


def measure(row):
    """What a worker of TF_CONFIG saw of a row: a dict of numbers."""
    import drawn
    import numpy as np

    from tfseg.training.strategy import create_strategy

    model, synchronised, workers = row.split(":")
    settings = {
        "model": model,
        "model_options": {"sync_batch_norm": synchronised == "true"},
        "crop_size": CROP,
        "batch_size": int(workers),
        "steps": UPDATES,
    }
    with drawn.training(create_strategy(), 8, (80, 96), **settings) as (session, step, batches):

        def updates(count):
            for _ in range(count):
                step((next(batches),), learning_rate=1e-4).numpy()
            return paused()

        start = updates(3)
        total = (updates(UPDATES) - start) / UPDATES
        graph = step.graph().as_graph_def()
        nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
        sums = sum(node.op.startswith("CollectiveReduce") for node in nodes)
        weights = sum(int(np.prod(v.shape)) for v in session.model.trainable_variables)
        return {"bytes": total, "gradients": 4 * weights, "sums": sums}


def cluster(count):
    """TF_CONFIG of so many workers on free ports of this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    workers = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return [
        json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})
        for index in range(count)
    ]


def cells(row):
    """A row's cells, measured in workers of its own."""
    model, synchronised, workers = row.split(":")
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--one", row],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CONFIG": config},
        )
        for config in cluster(int(workers))
    ]
    # Of workers that wait for one that has failed, none ends by itself.
    while None in (ends := [worker.poll() for worker in started]) and not any(ends):
        time.sleep(0.2)
    if any(ends):
        for worker in started:
            worker.kill()
        sys.exit(f"{row}: a worker failed")
    outputs = [worker.communicate()[0] for worker in started]
    found = json.loads(outputs[0].splitlines()[-1])
    least = 2 * (int(workers) - 1) * found["gradients"]
    sizes = " | ".join(f"{1e-6 * x:.2f} MB" for x in (found["gradients"], least, found["bytes"]))
    ratio = found["bytes"] / least
    return f"`{model}` | {synchronised} | {workers} | {found['sums']} | {sizes} | {ratio:.4f}"


def main():
    """Prints the rows that are named, or `ROWS`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--one", action="store_true", help="be one of a row's workers")
    parser.add_argument("rows", nargs="*", help="such as drn_d_22:true:2")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.rows[0])))
        return
    print(
        "| network | batch norms synchronised | workers | sums | gradients | a ring has to send | "
        "sent in an update | ratio |"
    )
    print("|---|---|" + "---:|" * 6)
    for row in arguments.rows or ROWS:
        print(f"| {cells(row)} |", flush=True)


if __name__ == "__main__":
    main()
