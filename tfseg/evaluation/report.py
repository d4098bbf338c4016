"""What an evaluation leaves behind: metrics.json and a table."""

from tfseg.evaluation.confusion import COUNTED_CLASSES, scores
from tfseg.files import write_json

SUMMARY = (
    ("pixel_accuracy", "pixel accuracy"),
    ("mean_accuracy", "mean accuracy"),
    ("mean_iou", "mean IoU"),
    ("frequency_weighted_iou", "frequency-weighted IoU"),
)


def metrics(matrix, classes, protocol):
    """The content of metrics.json.

    Args:
        matrix: the integer confusion matrix [C, C].
        classes: C class names, or None.
        protocol: everything that could change the scores, as plain values: the inference's
            own `protocol` and split, number of images, ignore label, weights, …

    Returns:
        {"protocol": {…}, "scores": {…}, "classes": [{"name", "iou", "accuracy", "pixels"}, …],
        "confusion_matrix": rows truth, columns prediction}.
    """
    values = scores(matrix)
    names = classes or [f"class {index}" for index in range(len(matrix))]
    per_class = zip(names, values.pop("iou"), values.pop("accuracy"), matrix, strict=False)
    return {
        "protocol": {**protocol, "counted_classes": COUNTED_CLASSES},
        "scores": values,
        "classes": [
            {"name": name, "iou": iou, "accuracy": accuracy, "pixels": int(row.sum())}
            for name, iou, accuracy, row in per_class
        ],
        "confusion_matrix": matrix.tolist(),
    }


def write(path, values):
    """Writes what `metrics` returned, atomically."""
    write_json(path, values)


def table(values):
    """What `metrics` returned, as text for people: per-class scores, the summary, the protocol."""
    total = sum(entry["pixels"] for entry in values["classes"]) or 1
    width = max(len("class"), *(len(entry["name"]) for entry in values["classes"]))
    lines = [f"{'class':<{width}}     IoU  accuracy   share of pixels"]
    for entry in values["classes"]:
        share = f"{100 * entry['pixels'] / total:.2f} %"
        lines.append(
            f"{entry['name']:<{width}}  {_number(entry['iou'])}    {_number(entry['accuracy'])}"
            f"   {share:>15}"
        )
    lines.append("")
    for key, name in SUMMARY:
        lines.append(f"{name:<24}{_number(values['scores'][key])}")
    lines.append("")
    for key, value in values["protocol"].items():
        lines.append(f"{key.replace('_', ' '):<18}{_plain(value)}")
    return "\n".join(lines)


def _number(value):
    return "     -" if value is None else f"{value:6.4f}"


def _plain(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(x) for x in value)
    return "none" if value is None else str(value)
