"""Contact sheets of likely wrong labels, and of what a model gets wrong of each class."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfseg import legends, visualize
from tfseg.evaluation.suspects import Suspect
from tfseg.files import write_json
from tfseg.reports.html import figure, section, write_page
from tfseg.words import counted

_WIDTH = 260
_LEAST_MARGIN = 12


def write(
    path: str,
    suspects: Sequence[Suspect],
    mistakes: Mapping[str, Sequence[Suspect]],
    load: Callable[[str], tuple[np.ndarray, np.ndarray]],
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> None:
    """Writes one page, pictures within, atomically.

    Args:
        path: of the HTML file.
        suspects: likely wrong labels, in their order.
        mistakes: {title: regions} that follow, such as what is missed of each class.
        load: function of an image's name to the image, uint8 RGB [H, W, 3], and its label map,
            uint8 [H, W].
        classes: names.
        palette: [red, green, blue] per class.
    """
    note = (
        "<p>Where the model is sure of another class than the label's: by each pixel's "
        "self-confidence (Northcutt et al., 2021), summed over connected regions. Look at each "
        "before you change it.</p>"
    )
    parts = [("Likely wrong labels", note, suspects)] if suspects else []
    parts += [(title, "", regions) for title, regions in mistakes.items() if regions]
    sections = []
    for title, text, regions in parts:
        figures = "".join(_figure(one, load, classes, palette) for one in regions)
        sections.append(section(title, f"{text}<div class=sheet>{figures}</div>"))
    write_page(path, "Errors worth looking at", sections or ["<p>There are none.</p>"])


def write_list(path: str, suspects: Sequence[Suspect], classes: Sequence[str]) -> None:
    """Writes the suspects as JSON: files, boxes, classes and confidences."""
    entries = []
    for one in suspects:
        entry = dataclasses.asdict(one)
        entry["given_name"], entry["suggested_name"] = (
            classes[index] for index in (one.given, one.suggested)
        )
        entries.append(entry)
    write_json(path, entries)


def _figure(one, load, classes, palette):
    image, labels = load(one.image)
    left, top, right, bottom = one.box
    margin = max(_LEAST_MARGIN, (right - left) // 3, (bottom - top) // 3)
    rows = slice(max(top - margin, 0), bottom + margin)
    columns = slice(max(left - margin, 0), right + margin)
    step = max(1, -(-(right - left + 2 * margin) // _WIDTH))
    seen = image.copy()
    _frame(seen, one.box, step)
    laid_over = visualize.overlay(image, labels, palette, 0.6)
    _frame(laid_over, one.box, step)
    shown = {
        "image": seen[rows, columns][::step, ::step],
        f"label: {_name(one.given, classes)}": laid_over[rows, columns][::step, ::step],
    }
    sure = "" if one.confidence == 1 else f", {one.confidence:.0%} sure"
    caption = (
        f"{one.image} at {one.place[0]}, {one.place[1]}: labelled {_name(one.given, classes)}, "
        f"predicted {_name(one.suggested, classes)}{sure}, {counted(one.pixels, 'pixel')}"
    )
    entries = legends.occurring([labels[rows, columns]], classes, palette)
    return figure(shown, entries, caption, "row pair")


def _name(index, classes):
    return classes[index] if index < len(classes) else "no class"


def _frame(pixels, box, width):
    """Draws a box just outside of a region, in place."""
    left, top, right, bottom = box
    rows = slice(max(top - width, 0), bottom + width)
    columns = slice(max(left - width, 0), right + width)
    for part in (
        (slice(max(top - width, 0), top), columns),
        (slice(bottom, bottom + width), columns),
        (rows, slice(max(left - width, 0), left)),
        (rows, slice(right, right + width)),
    ):
        pixels[part] = (255, 0, 200)
