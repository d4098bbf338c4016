"""A local web page to try models on.

    tfseg app --models=runs/camvid,ade20k_resnet50dilated_ppm_deepsup

Drop an image on the page, paste one or take one with the webcam: it shows the classes over the
image, their shares, the class under the pointer, and a second model's answer beside it. Only this
machine can reach the page unless --host says otherwise. It needs the extra [app].
"""

import os

from tfseg.cli import shared
from tfseg.cli.flags import Flags
from tfseg.errors import TfsegError

GROUPS = {"Models": "models", "Page": "host port max_side max_megabytes"}


def define(flags: Flags) -> None:
    flags.several("models", [], "Run directories, weights files or names in the zoo.")
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
    )
    print(f"open {url} in a browser; Ctrl-C ends it", flush=True)
    page.block_thread()
