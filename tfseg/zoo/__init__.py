"""The released weights of the original systems: what there is, where it is, and getting it.

    seg = tfseg.load("ade20k_resnet50dilated_ppm_deepsup")
    tfseg.load_weights(model, "drn_d_22_imagenet", new_head=True)

A release is downloaded once, checked, converted to a .weights.h5 file, and read from there
afterwards. Two environment variables say where:
    TFSEG_HOME    the folder that keeps them; default ~/.cache/tfseg
    TFSEG_MIRROR  URL of a copy: files are read from TFSEG_MIRROR/<release>/<file name>
"""

from tfseg.zoo.cache import home, prepare
from tfseg.zoo.release import File, Release
from tfseg.zoo.releases import RELEASES

__all__ = ["RELEASES", "File", "Release", "home", "prepare"]
