# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Own data in ten minutes
#
# From a folder of photographs and masks to a network that names their pixels. Here both are drawn,
# so that the notebook runs as it is; put the path of your own folder in the place of `photos`.

# %%
import pathlib

import numpy as np
from PIL import Image

import tfseg
from tfseg import legends, visualize
from tfseg.data import write_sample_dataset

photos, data, run = "photos", "data/mine", "runs/mine"
size, crop, steps = (128, 192), 128, 240

# %% [markdown]
# ## The folder
#
# `images/` and `labels/` match by name. A mask is a PNG of class indices, as large as its image;
# 255 marks what doesn't count. Exports of annotation tools do as well.

# %%
write_sample_dataset("drawn", train=48, val=1, size=size)
for kind in ("images", "labels"):
    pathlib.Path(photos).mkdir(exist_ok=True)
    if not pathlib.Path(photos, kind).exists():
        pathlib.Path("drawn", kind, "train").rename(pathlib.Path(photos, kind))
names = sorted(path.name for path in pathlib.Path(photos, "images").iterdir())
classes = ["sky", "building", "tree", "pavement", "road", "car", "sign"]

image = Image.open(f"{photos}/images/{names[0]}").convert("RGB")
mask = np.asarray(Image.open(f"{photos}/labels/{names[0]}"))
palette = visualize.default_palette(len(classes))
pair = visualize.panel(
    [np.asarray(image), visualize.overlay(image, mask, palette, 0.6)], ["image", "mask over it"]
)
Image.fromarray(legends.below(pair, [mask], classes, palette))

# %% [markdown]
# ## Prepare and check
#
# A fifth of the images is set aside for validation. Nothing in `photos` is changed.

# %%
tfseg.prepare(source=photos, data_dir=data, classes=classes)
report = tfseg.check(data, contact_sheet="sheet.html")
print(report.table())

# %% [markdown]
# ## Train
#
# For a real task: more steps, and `init_weights="resnet18_v1_imagenet", new_head=True` where the
# machine can download.

# %%
result = tfseg.train(
    tfseg.TrainConfig(
        data_dir=data,
        run_dir=run,
        model="resnet18_v1+deeplab_v3plus",
        crop_size=crop,
        batch_size=4,
        steps=steps,
        learning_rate=0.02,
        lr_schedule="poly",
        random_scale=(0.75, 1.5),
        validate_every=str(max(steps // 4, 1)),
    )
)
result.best

# %% [markdown]
# ## Look
#
# Scores with intervals, and one image of the validation. `runs/mine/eval/val/report.html` has the
# best and the worst ones.

# %%
evaluation = tfseg.evaluate(run)
print(evaluation)

# %%
seg = tfseg.load(run)
first = pathlib.Path(data, "val_images.txt").read_text().splitlines()[0]
labels = seg.predict(f"{data}/{first}")
Image.fromarray(legends.below(seg.overlay(f"{data}/{first}"), [labels], classes, seg.palette))
