"""A local web page to try models on.

    tfseg app --models=runs/camvid,ade20k_resnet50dilated_ppm_deepsup

Drop an image on the page, paste one or take one with the webcam: it shows the classes over the
image, their shares, the class under the pointer, and a second model's answer beside it. It offers
--examples, by default validation images of the first run. Only this machine can reach the page
unless --host says otherwise. It needs the extra [app].
"""

import os

from tfseg.cli import shared
from tfseg.cli.flags import Flags
from tfseg.errors import TfsegError

GROUPS = {"Models": "models", "Page": "examples host port max_side max_megabytes"}


def define(flags: Flags) -> None:
    flags.several("models", [], "Run directories, weights files or names in the zoo.")
    flags.alias("run_dir", "models")
    flags.several(
        "examples",
        None,
        "Images and folders to offer, up to 6 of them; default validation images of the first run; "
        "empty for none.",
    )
    flags.string("host", "127.0.0.1", "Address to listen on; 0.0.0.0 opens it to the network.")
    flags.integer("port", 7860, "Port; 0 for any that is free.", 0, 65535)
    flags.integer("max_side", 4096, "Largest height and width of an image in pixels.", 1)
    flags.integer("max_megabytes", 20, "Largest file that may be uploaded.", 1)


def main(flags: Flags) -> None:
    flags.require("models")
    from tfseg.inference import load
    from tfseg.serving.page import serve

    predictors = {}
    for source in flags.models:
        shared.fetch(source)
        name = os.path.basename(os.path.normpath(source))
        if name in predictors:
            raise TfsegError(f"--models has two that are called {name}")
        predictors[name] = load(source)
    page, url = serve(
        predictors,
        host=flags.host,
        port=flags.port,
        max_side=flags.max_side,
        max_megabytes=flags.max_megabytes,
        examples=_examples(flags),
    )
    print(f"open {url} in a browser; Ctrl-C ends it", flush=True)
    page.block_thread()


def _examples(flags: Flags) -> list[str]:
    """Paths of up to six images that --examples names, or else of the first run's validation."""
    from tfseg.data import read_split
    from tfseg.inference.predict_files import find_images
    from tfseg.workflows.trained import data_dir_of

    if flags.examples is not None:
        paths = list(find_images([path for path in flags.examples if path]))
        return paths[:: -(-len(paths) // 6) or 1]
    for source in flags.models:
        try:
            image_list = read_split(data_dir_of(source), "val")
        except TfsegError:
            continue  # no run, or its data is elsewhere: a page without examples will do
        return [path for path in image_list.spread(6).images if os.path.isfile(path)]
    return []
