"""Trains a model, or continues a run that was interrupted.

    python tools/train.py --flagfile=flags/camvid/drn_d_22.flags --run_dir=runs/first

The same command continues a run that has a checkpoint; --flagfile=<run_dir>/config.flags repeats
it. SIGTERM and Ctrl-C save a checkpoint and end with exit code 143 or 130.
"""

import dataclasses
import sys

from absl import flags, logging
from common import FLAGS, define_model_option, fetch, parse_options, run

from tfseg.training import TrainConfig, train


def define_flags():
    """One flag for each field of `TrainConfig`."""
    for field in dataclasses.fields(TrainConfig):
        name, default = field.name, field.default
        help, choices = field.metadata["help"], field.metadata["choices"]
        if name == "model_options":
            define_model_option()
        elif choices:
            flags.DEFINE_enum(name, default, choices, help)
        elif field.type is tuple:
            flags.DEFINE_string(name, ",".join(map(str, default)), help)
        else:
            kinds = {
                bool: flags.DEFINE_bool,
                int: flags.DEFINE_integer,
                float: flags.DEFINE_float,
                str: flags.DEFINE_string,
            }
            kinds[field.type](name, default, help)


def main():
    values = {
        field.name: FLAGS[field.name].value
        for field in dataclasses.fields(TrainConfig)
        if field.name != "model_options"
    }
    config = TrainConfig(**values, model_options=parse_options(FLAGS.model_option))
    fetch(config.init_weights)
    result = train(config, progress_bar=sys.stderr.isatty())
    if result.stopped_by:
        return 128 + result.stopped_by
    logging.info(
        "next: python tools/evaluate.py --run_dir=%s --data_dir=%s", config.run_dir, config.data_dir
    )
    return 0


if __name__ == "__main__":
    define_flags()
    run(main)
