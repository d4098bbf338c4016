"""A page of sampled pairs, on which a person sees wrong labels at once."""

import html

import numpy as np
from PIL import Image

from tfseg import visualize
from tfseg.data.image_files import read_image, read_label
from tfseg.data.info import DataInfo
from tfseg.data.labels import label_table
from tfseg.data.lists import read_split
from tfseg.data.shards import entry
from tfseg.errors import TfsegError
from tfseg.files import atomic_write

_WIDTH = 360
_STYLE = """
body { font: 14px sans-serif; margin: 2em; color: #222; background: #fff }
.pairs { display: flex; flex-wrap: wrap; gap: 1em }
figure { margin: 0; width: 740px } figure img { width: 360px; vertical-align: top }
figcaption { margin: .3em 0 1em; overflow-wrap: anywhere }
.swatch { display: inline-block; width: .9em; height: .9em; border: 1px solid #888;
          margin: 0 .3em 0 .9em; vertical-align: -.1em }
.error { color: #b00020 } .note { color: #8a5a00 }
"""


def write_contact_sheet(path, data_dir, report, count=24):
    """Writes one HTML file, pictures within, of pairs that are spread evenly over each split.

    Each is shown as the image and with its label map laid over it, with the classes that occur and
    their shares, and with what `report` says of it.

    Args:
        path: the file to write.
        data_dir: the data folder.
        report: `CheckReport` of it.
        count: how many pairs of each split.

    Raises:
        TfsegError: the file can't be written. Pairs that can't be shown say so on the page.
    """
    info, classes = DataInfo.load(data_dir), report.classes
    palette = info.palette or visualize.default_palette(len(classes))
    table = label_table(len(classes), info.label_map, info.ignore_label)
    parts = [f"<!doctype html><meta charset=utf-8><title>{html.escape(str(data_dir))}</title>"]
    parts.append(f"<style>{_STYLE}</style><h1>{html.escape(str(data_dir))}</h1>")
    # Closed, as hundreds of classes would push the pictures off the screen.
    shares = f"<pre>{html.escape(report.table())}</pre>"
    parts.append(f"<details><summary>sizes and shares of all classes</summary>{shares}</details>")
    parts.append(f"<p>{''.join(_swatch(palette[k], name) for k, name in enumerate(classes))}</p>")
    for kind, messages in (("error", report.errors), ("note", report.warnings)):
        parts += [f"<p class={kind}>{html.escape(text)}</p>" for text in messages[:20]]
    for split in report.splits:
        image_list = read_split(data_dir, split)
        parts.append(f"<h2>{html.escape(split)}</h2><div class=pairs>")
        for index in sorted(set(np.linspace(0, len(image_list) - 1, count).astype(int).tolist())):
            parts.append(_figure(image_list, index, table, classes, palette, report))
        parts.append("</div>")
    with atomic_write(path, "w") as file:
        file.write("\n".join(parts))


def _figure(image_list, index, table, classes, palette, report):
    name = image_list.names[index]
    titles = (image_list.image_titles[index], image_list.label_titles[index])
    notes = [
        f"<br><span class={kind}>{html.escape(text)}</span>"
        for kind, messages in (("error", report.errors), ("note", report.warnings))
        for text in messages
        if any(title in text for title in titles)
    ]
    try:
        pair = [
            read(*entry(image_list, index, k)) for k, read in enumerate((read_image, read_label))
        ]
        pictures, shares = _pictures(*pair, table, palette)
    except TfsegError as error:
        reason = html.escape(str(error))
        return f"<figure><figcaption>{html.escape(name)} <b>{reason}</b></figcaption></figure>"
    legend = "".join(
        _swatch(palette[k], f"{classes[k]} {shares[k]:.0%}")
        for k in np.argsort(-shares)[:8]
        if shares[k] > 0
    )
    images = " ".join(f'<img src="{picture}" alt="">' for picture in pictures)
    return (
        f"<figure>{images}<figcaption><b>{html.escape(name)}</b><br>{legend}{''.join(notes)}"
        "</figcaption></figure>"
    )


def _pictures(image, values, table, palette):
    """The image and its overlay as data URIs, and the share of each class."""
    image, label = Image.fromarray(image), Image.fromarray(values)
    shares = np.bincount(np.maximum(table[values], 0).ravel(), table[values].ravel() >= 0, 256)
    shares = shares[: len(palette)] / max(values.size, 1)
    # Reduced before the overlay, labels by picking values: blended ones would look right.
    size = (_WIDTH, max(1, round(image.height * _WIDTH / image.width)))
    image = np.asarray(image.resize(size, Image.Resampling.BOX))
    small = table[np.asarray(label.resize(size, Image.Resampling.NEAREST))]
    small = np.where(small < 0, 255, small)
    laid_over = visualize.overlay(image, small, palette, 0.6)
    return [visualize.data_uri(pixels, quality=80) for pixels in (image, laid_over)], shares


def _swatch(colour, text):
    red, green, blue = colour
    style = f"background: rgb({red},{green},{blue})"
    return f'<span class=swatch style="{style}"></span>{html.escape(text)}'
