"""A local web page to try models on.

    python tools/demo_app.py --models=runs/camvid,ade20k_resnet50dilated_ppm_deepsup

Drop an image on the page, paste one or take one with the webcam: it shows the classes over the
image, their shares, the class under the pointer, and a second model's answer beside it. Only this
machine can reach the page unless --host says otherwise. It needs the extra [app].
"""

import os

import common
from absl import flags

from tfseg import load
from tfseg.errors import TfsegError
from tfseg.serving.page import serve

FLAGS = flags.FLAGS

flags.DEFINE_list("models", [], "Run directories, weights files or names in the zoo.")
flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; 0.0.0.0 opens it to the network.")
flags.DEFINE_integer("port", 7860, "Port; 0 for any that is free.", 0, 65535)
flags.DEFINE_integer("max_side", 4096, "Largest height and width of an image in pixels.", 1)
flags.DEFINE_integer("max_megabytes", 20, "Largest file that may be uploaded.", 1)


def main():
    common.require("models")
    predictors = {}
    for source in FLAGS.models:
        common.fetch(source)
        name = os.path.basename(os.path.normpath(source))
        if name in predictors:
            raise TfsegError(f"--models has two that are called {name}")
        predictors[name] = load(source)
    page, url = serve(
        predictors,
        host=FLAGS.host,
        port=FLAGS.port,
        max_side=FLAGS.max_side,
        max_megabytes=FLAGS.max_megabytes,
    )
    print(f"open {url} in a browser; Ctrl-C ends it", flush=True)
    page.block_thread()


if __name__ == "__main__":
    common.run(main)
