"""Trains a model, or continues a run that was interrupted.

    python tools/train.py --flagfile=flags/camvid/drn_d_22.flags --run_dir=runs/first

The same command continues a run that has a checkpoint; --flagfile=<run_dir>/config.flags repeats
it. SIGTERM and Ctrl-C save a checkpoint and end with exit code 143 or 130.
"""

import sys

import next_step
from absl import logging
from common import define_config, fetch, read_config, run

from tfseg.training import TrainConfig, train


def main():
    config = read_config(TrainConfig)
    fetch(config.init_weights)
    result = train(config, progress_bar=sys.stderr.isatty())
    if result.stopped_by:
        return 128 + result.stopped_by
    split = config.val_split or config.train_split
    logging.info("next: %s", next_step.after_train(config.run_dir, config.data_dir, split))
    return 0


if __name__ == "__main__":
    define_config(TrainConfig)
    run(main)
