# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # A backbone of your own
#
# Any Keras model of images becomes an encoder: its last strides are given up and what follows them
# is dilated, so that the map stays fine enough for pixels. Every decoder goes on it.

# %%
import pathlib

import keras
import numpy as np
from PIL import Image

import tfseg
from tfseg import visualize
from tfseg.data import write_sample_dataset
from tfseg.encoders import from_keras

size, steps = 96, 60

# %% [markdown]
# ## A network that classifies
#
# Five convolutions, each with stride 2: at the end, one position stands for 32 x 32 pixels.


# %%
def block(maps, filters):
    maps = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(maps)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(maps))


images = keras.Input((None, None, 3))
maps = images
for filters in (16, 32, 64, 96, 128):
    maps = block(maps, filters)
backbone = keras.Model(images, maps)
backbone(np.zeros((1, size, size, 3), "float32")).shape

# %% [markdown]
# ## As an encoder of output stride 8
#
# The weights are the backbone's own. Its features are now four times as fine.

# %%
encoder = from_keras(backbone, output_stride=8)
model = tfseg.create_model(num_classes=7, encoder=encoder, decoder="deeplab_v3plus")
{name: tuple(maps.shape) for name, maps in encoder(np.zeros((1, size, size, 3), "float32")).items()}

# %% [markdown]
# ## Trained by Keras' own fit
#
# `SegmentationLoss` knows the ignore label, and brings logits and label maps to one size.

# %%
write_sample_dataset("drawn", train=16, val=4, size=(size, size))


def pixels(kind, split):
    lines = pathlib.Path(f"drawn/{split}_{kind}.txt").read_text().split()
    return np.stack([np.asarray(Image.open(f"drawn/{line}")) for line in lines])


train, val = pixels("images", "train") / 127.5 - 1, pixels("images", "val") / 127.5 - 1
num_classes = 7
model.compile(
    optimizer=keras.optimizers.Adam(2e-3),
    loss=tfseg.losses.SegmentationLoss(),
)
history = model.fit(
    train.astype("float32"),
    pixels("labels", "train").astype("int32"),
    batch_size=4,
    epochs=max(steps // 4, 1),
    verbose=0,
)
history.history["loss"][-1]

# %%
probabilities = np.asarray(model.probabilities(val[:1].astype("float32")))[0]
palette = visualize.default_palette(num_classes)
shown = [
    pixels("images", "val")[0],
    visualize.colorize(pixels("labels", "val")[0], palette),
    visualize.colorize(probabilities.argmax(-1), palette),
]
Image.fromarray(visualize.panel(shown, ["image", "truth", "prediction"], height=192))
