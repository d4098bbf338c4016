"""The released weights of the original systems: what there is, where it is, and getting it.

    seg = tfseg.load("ade20k_resnet50dilated_ppm_deepsup")
    tfseg.load_weights(model, "drn_d_22_imagenet", new_head=True)

A release is downloaded once, and checked whenever it is used; `tfseg.weights` reads its files. Two
environment variables say where they are:
    TFSEG_HOME    the folder that keeps them; default ~/.cache/tfseg
    TFSEG_MIRROR  URL of a copy: files are read from TFSEG_MIRROR/<release>/<file name>
"""

from tfseg.zoo.cache import fetch, home
from tfseg.zoo.hub import fetch_hub, is_hub
from tfseg.zoo.release import File, Release
from tfseg.zoo.releases import RELEASES

__all__ = ["RELEASES", "File", "Release", "fetch", "fetch_hub", "home", "is_hub"]
