"""What an evaluation leaves behind: metrics.json and a table."""

import numpy as np

from tfseg.evaluation.confusion import COUNTED_CLASSES, scores
from tfseg.evaluation.metrics import METRICS
from tfseg.files import write_json
from tfseg.visualize import class_names
from tfseg.words import counted

SUMMARY = (
    ("pixel_accuracy", "pixel accuracy"),
    ("mean_accuracy", "mean accuracy"),
    ("mean_iou", "mean IoU"),
    ("frequency_weighted_iou", "frequency-weighted IoU"),
    ("overall_score", "overall score"),
)


NO_CLASS = "no class"


def metrics(matrix, classes, protocol, absent_classes="skip", details=None):
    """The content of metrics.json.

    Args:
        matrix: the integer confusion matrix [C, C], or [C, C + 1] with a column of pixels that
            got no class.
        classes: C class names, or None.
        protocol: everything that could change the scores, as plain values: the inference's
            own `protocol` and split, number of images, ignore label, weights, …
        absent_classes: see `scores`.
        details: what `tfseg.evaluation.comparison.summarize` returned, or None.

    Returns:
        {"protocol": {…}, "scores": {…}, "classes": [{"name", "iou", "accuracy", "pixels"}, …],
        "confusion_matrix": rows truth, columns prediction}; with `details`, these as well, and
        their metrics among the scores and the classes'.
    """
    values = scores(matrix, absent_classes=absent_classes)
    if matrix.shape[1] > len(matrix) and not matrix[:, -1].any():
        matrix = matrix[:, :-1]
    names = class_names(classes, len(matrix))
    per_class = zip(names, values.pop("iou"), values.pop("accuracy"), matrix, strict=False)
    result = {
        "protocol": {**protocol, "counted_classes": COUNTED_CLASSES[absent_classes]},
        "scores": values,
        "classes": [
            {"name": name, "iou": iou, "accuracy": accuracy, "pixels": int(row.sum())}
            for name, iou, accuracy, row in per_class
        ],
        "confusion_matrix": matrix.tolist(),
    }
    if details is not None:
        result["details"] = details
        result["protocol"]["intervals"] = details["intervals"]
        for name, entry in details["scores"].items():
            result["scores"].setdefault(name, entry["value"])
        for name, entries in details["classes"].items():
            for one, entry in zip(result["classes"], entries, strict=True):
                one.setdefault(name, entry["value"])
    return result


def write(path, values):
    """Writes what `metrics` returned, atomically."""
    write_json(path, values)


def table(values):
    """What `metrics` returned, as text for people.

    `class_table`; then the scores of all; then the protocol.
    """
    lines = [class_table(values), ""]
    details = values.get("details", {"scores": {}})["scores"]
    titles = {name: METRICS[name].title for name in details if details[name]["value"] is not None}
    for key, name in (dict(SUMMARY) | titles).items():
        line = f"{name:<28}{_number(values['scores'][key])}"
        lines.append(line + between(details.get(key)))
    lines.append("")
    for key, value in values["protocol"].items():
        lines.append(f"{entry_title(key):<18}{plain(value)}")
    return "\n".join(line.rstrip() for line in lines)


def class_table(values):
    """A line for each class with its scores, its share of the pixels, and the class that it is most
    often taken for."""
    classes = values["classes"]
    names = [*(entry["name"] for entry in classes), NO_CLASS]
    matrix = np.array(values["confusion_matrix"])
    total = max(matrix.sum(), 1)
    width = max(map(len, ["class", *names]))
    lines = [f"{'class':<{width}}     IoU  accuracy  of all pixels  mostly taken for"]
    for index, entry in enumerate(classes):
        share = f"{entry['pixels'] / total:.2%}"
        measures = f"{_number(entry['iou'])}    {_number(entry['accuracy'])}  {share:>13}"
        lines.append(
            f"{entry['name']:<{width}}  {measures}  {_mistake(matrix[index], index, names)}"
        )
    return "\n".join(line.rstrip() for line in lines)


def class_shares(labels, classes=None):
    """What an image shows: [(class name, share of its pixels)], the largest first.

    Args:
        labels: a label map of class indices, [H, W].
        classes: class names; default their numbers.
    """
    return shares_of(np.bincount(np.ravel(labels)), classes)


def shares_of(counts, classes=None):
    """The same of the pixels of each class index, [n]."""
    counts = np.trim_zeros(counts, "b")
    order = sorted(np.flatnonzero(counts), key=lambda index: -counts[index])
    names = class_names(classes, len(counts))
    return [(names[index], float(counts[index] / counts.sum())) for index in order]


def shares_text(title, shares):
    """What `class_shares` returned, as text for people: the image's title, then a class a line."""
    return "\n".join([title, *(f"  {name}: {share:.2%}" for name, share in shares)])


def _mistake(row, index, names):
    """The wrong class that most pixels of class `index` got, and their share."""
    wrong = row.copy()
    wrong[index] = 0
    other = wrong.argmax()
    return f"{names[other]} ({wrong[other] / row.sum():.0%})" if wrong[other] else ""


def between(entry, form="{:.4f}"):
    """An interval as text, "" without one."""
    if not entry or entry["low"] is None:
        return ""
    return f"  [{form.format(entry['low'])}, {form.format(entry['high'])}]"


def _number(value):
    return "     -" if value is None else f"{value:6.4f}"


def entry_title(key):
    """What an entry of the protocol is called."""
    return "protocol" if key == "name" else key.replace("_", " ")


def plain(value):
    """A value of the protocol in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if len(value) > 12:  # A label map; metrics.json has all of it.
            return counted(len(value), "value")
        parts = (f"{key}={plain(part).replace(', ', ',')}" for key, part in value.items())
        return " ".join(parts) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(str(x) for x in value)
    return "none" if value is None else str(value)
