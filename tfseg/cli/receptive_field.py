"""Draws effective receptive fields, and measures their size and gridding.

    tfseg receptive_field --model=resnet50_caffe --model_option=output_stride=8 --source=stage2 \\
        --picture=field.png                              every dilated type, fresh weights
    tfseg receptive_field --run_dir=runs/a --run_dir=runs/b --images=photos/ --json=fields.json

For each model: the mean absolute gradient of the middle output with respect to every input, over
images or standard-normal noise. r50 and r95 are the radii that hold 50% and 95% of it. The
gridding index at a dilation rate is the energy at the rate's own frequencies: 0 is an even field,
1 is a field on one grid.
"""

from typing import Any

from tfseg import workflows
from tfseg.cli import shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given, without

GROUPS = {
    "Models": "run_dir model model_option dilated_types",
    "Field": "output source images num_images image_size seed",
    "Results": "picture reach json",
}
NEEDS = {
    **{
        name: Need("--run_dir=RUN", without("run_dir"), beside=True)
        for name in ("model", "model_option", "dilated_types")
    },
    "reach": Need("--picture=FIELD.png", given("picture")),
}


def define(flags: Flags) -> None:
    flags.multi("run_dir", [], "Trained models to compare; repeat for several.")
    flags.string("model", "drn_c_26", "Without --run_dir: an encoder or model, fresh weights.")
    shared.define_model_option(flags)
    flags.several("dilated_types", [], "Without --run_dir: which to compare; default all.")
    flags.string("output", None, "Whose middle is looked at; default the encoder's output.")
    flags.string("source", "images", "With respect to what: images, or an encoder's stage.")
    flags.multi("images", [], "Images, folders or lists (.txt); default noise.")
    flags.integer("num_images", 4, "How many to average over.", 1)
    flags.integer("image_size", 321, "Height and width that they are resized to.", 1)
    flags.integer("reach", 20, "Inputs drawn on each side of the middle.", 1)
    flags.integer("seed", 0, "Of fresh weights and noise.")
    flags.string("picture", None, "PNG file for the picture.")
    flags.report()


def main(flags: Flags) -> None:
    facts = ("model", "output", "source", "num_images", "image_size")
    chosen = {"dilated_types": flags.dilated_types} if flags.dilated_types else {}
    found = workflows.measure_fields(
        flags.run_dir,
        model_options=shared.parse_options(flags.model_option),
        images=flags.images,
        reach=flags.reach,
        seed=flags.seed,
        picture_path=flags.picture,
        on_field=_show,
        **{name: flags[name].value for name in facts},
        **chosen,
    )
    names = ("run_dir", "model_option", *facts)
    flags.found = {**{name: flags[name].value for name in names}, "fields": found}


def _show(field: dict[str, Any]) -> None:
    cells = "".join(
        f"   gridding at {rate}: {value:.3f}" for rate, value in field["gridding"].items()
    )
    print(f"{field['name']:<16} r50 {field['r50']:6.1f}   r95 {field['r95']:6.1f}{cells}")
