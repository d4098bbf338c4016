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
from tfseg.reports.html import figure, section, write_page

_WIDTH = 480


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
    shares = f"<pre>{html.escape(report.table())}</pre>"
    # Closed, as hundreds of classes would push the pictures off the screen.
    parts = [f"<details><summary>sizes and shares of all classes</summary>{shares}</details>"]
    for kind, messages in (("error", report.errors), ("note", report.warnings)):
        parts += [f"<p class={kind}>{html.escape(text)}</p>" for text in messages[:20]]
    for split in report.splits:
        image_list = read_split(data_dir, split)
        chosen = np.linspace(0, len(image_list) - 1, count).astype(int)
        figures = (
            _figure(image_list, index, table, classes, palette, report)
            for index in sorted(set(chosen.tolist()))
        )
        parts.append(section(split, f"<div class=sheet>{''.join(figures)}</div>"))
    write_page(path, str(data_dir), parts)


def _figure(image_list, index, table, classes, palette, report):
    name = image_list.names[index]
    titles = (image_list.image_titles[index], image_list.label_titles[index])
    notes = [
        f"<p class={kind}>{html.escape(text)}</p>"
        for kind, messages in (("error", report.errors), ("note", report.warnings))
        for text in messages
        if any(title in text for title in titles)
    ]
    try:
        bands = image_list.bands
        image = bands.picture(read_image(*entry(image_list, index, 0), bands=bands))
        values = read_label(*entry(image_list, index, 1))
        pictures, shares = _pictures(image, values, table, palette)
    except TfsegError as error:
        return f"<figure><p class=error>{html.escape(f'{name}: {error}')}</p></figure>"
    shown = [
        (f"{classes[k]} {shares[k]:.0%}", palette[k])
        for k in np.argsort(-shares)[:8]
        if shares[k] > 0
    ]
    return figure(pictures, shown, name, "row pair", "".join(notes))


def _pictures(image, values, table, palette):
    """The image and its overlay by their titles, and the share of each class."""
    image, label = Image.fromarray(image), Image.fromarray(values)
    shares = np.bincount(np.maximum(table[values], 0).ravel(), table[values].ravel() >= 0, 256)
    shares = shares[: len(palette)] / max(values.size, 1)
    # Reduced before the overlay, labels by picking values: blended ones would look right.
    size = (_WIDTH, max(1, round(image.height * _WIDTH / image.width)))
    image = np.asarray(image.resize(size, Image.Resampling.BOX))
    small = table[np.asarray(label.resize(size, Image.Resampling.NEAREST))]
    small = np.where(small < 0, 255, small)
    laid_over = visualize.overlay(image, small, palette, 0.6)
    return {"image": image, "label": laid_over}, shares
