"""Trains a model, or continues a run that was interrupted.

    tfseg train --source=photos --run_dir=runs/mine --minutes=30
    tfseg train --recipe=camvid/drn_d_22 --data_dir=data/camvid --run_dir=runs/first
    tfseg train --flagfile=runs/first/config.flags --run_dir=runs/again

With --source, a folder of images and masks or what an annotation tool exports, it prepares a data
folder, proposes settings for it and this machine, trains, evaluates, and draws overlays.
The same command continues a run that has a checkpoint. SIGTERM and Ctrl-C save a checkpoint and end
with exit code 143 or 130. A value of most flags may come from a recipe; what follows it counts.
"""

from collections.abc import Iterator

from tfseg.cli import next_step, own_data, shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given
from tfseg.training.config import TrainConfig
from tfseg.training.schedules import SCHEDULES, ScheduleRow

GROUPS = {
    "Run": "source classes recipe data_dir run_dir init_weights new_head",
    "Model": "model num_classes model_option precision",
    "Length": "epochs steps minutes batch_size validate_every patience",
    "Rate": "learning_rate lr_schedule optimizer weight_decay",
    "Samples": "crop_size random_scale transforms cache",
    "Loss": "loss class_weights",
    "Devices": "strategy accumulation_steps",
}


def _scheduled() -> Iterator[tuple[str, Need]]:
    """The settings of the schedules, which do nothing under another one."""
    rows = [row for row in SCHEDULES.values() if isinstance(row, ScheduleRow)]
    for option in dict.fromkeys(option for row in rows for option in row.options):

        def acts(flags: Flags, option: str = option) -> bool:
            row = SCHEDULES.get(flags.lr_schedule)
            # A schedule of the user's own may look at any of them.
            return not isinstance(row, ScheduleRow) or option in row.options

        taker = next(row.name for row in rows if option in row.options)
        yield option, Need(f"--lr_schedule={taker}", acts, against="--lr_schedule=constant")


NEEDS = {
    **dict(_scheduled()),
    "max_long_side": Need("--short_sides=300", given("short_sides")),
    "classes": Need("--source=FOLDER", given("source")),
    "new_head": Need("--init_weights=FILE", given("init_weights")),
    "replicas": shared.REPLICAS,
    "patience": Need("--val_split=val", given("val_split"), against="--val_split="),
}
ONE_OF = shared.LENGTHS


def define(flags: Flags) -> None:
    flags.string(
        "source",
        None,
        "Folder of images and masks, or an export of an annotation tool: it is made a data folder "
        "(--data_dir, or data/ in the run), and flags that aren't given are proposed for it.",
    )
    flags.several("classes", [], "With --source: the classes' names.")
    shared.define_config(flags, TrainConfig)
    flags.report()


def main(flags: Flags) -> int | None:
    if flags.source:
        return own_data.main(flags)
    config = shared.read_config(flags, TrainConfig)
    split = config.val_split or config.train_split
    return shared.train(flags, config, next_step.after_train(config.run_dir, split))
