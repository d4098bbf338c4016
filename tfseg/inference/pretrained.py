"""Predictors in folders that can be given away, with a card that says what they are."""

import dataclasses
import os

from tfseg.errors import TfsegError
from tfseg.files import atomic_write, read_json, read_text
from tfseg.inference.protocol import Protocol
from tfseg.models.table import resolve
from tfseg.visualize import class_names
from tfseg.weights.pretrained import is_pretrained, read_pretrained, write_pretrained
from tfseg.words import counted
from tfseg.zoo.hub import CARD

# A README.md with this line is ours to write again.
_MARK = "<!-- Written by tfseg; without this line it is kept as you have changed it. -->"
# What the card shows of an evaluation's scores.
_SCORES = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
}


def save_pretrained(predictor, folder, metrics=None):
    """Writes a predictor as config.json (recipe, protocol), model.safetensors and README.md.

    `tfseg.load(folder)` gives it back. The names are those of the Hugging Face hub, where the
    folder can be put as it is; `tfseg.load("hf://owner/name")` then does the same.

    Args:
        predictor: a `Predictor` without a CRF.
        folder: made if missing. A model of tfseg in it is replaced; other files, and a README.md
            that was changed by hand, stay.
        metrics: the scores for the card: what `tfseg.evaluate` returns, or the path of its
            metrics.json; None for a card without scores.

    Raises:
        TfsegError: the predictor has a CRF or a model made from objects, the scores can't be read,
            another library's model is there, or the folder can't be written.
    """
    if predictor.crf:
        raise TfsegError("a CRF isn't kept with a model: give it a predictor without crf")
    try:
        resolve(predictor.spec.name)
    except TfsegError as error:
        raise TfsegError(
            f"{predictor.spec.name} is made from objects, which config.json can't name: register a "
            "row for them, or save the model as .keras"
        ) from error
    # Of a folded model, which its own recipe says.
    spec = dataclasses.replace(predictor.spec, options=predictor.model.spec.options)
    card = _card(predictor, spec, _values(metrics))
    write_pretrained(folder, predictor.model, spec, dataclasses.asdict(predictor.protocol))
    path = os.path.join(folder, CARD)
    if not os.path.lexists(path) or _MARK in read_text(path):
        with atomic_write(path, "w") as file:
            file.write(card)


def saved_protocol(folder):
    """The `Protocol` that `save_pretrained` kept in `folder`; None where it hasn't written.

    Raises:
        TfsegError: config.json is damaged or states no protocol.
    """
    folder = os.path.expanduser(os.fspath(folder))
    if not is_pretrained(folder):
        return None
    values = read_pretrained(folder)[1]
    try:
        return Protocol(**values)
    except (TypeError, ValueError, TfsegError) as error:
        raise TfsegError(f"the protocol of the model in {folder} can't be read: {error}") from error


def _values(metrics):
    """What metrics.json holds, of one of the forms that `save_pretrained` takes; or None."""
    if metrics is None:
        return None
    if isinstance(metrics, str | os.PathLike):
        values = read_json(metrics)
    else:
        values = metrics if isinstance(metrics, dict) else getattr(metrics, "values", None)
    if not isinstance(values, dict) or not isinstance(values.get("scores"), dict):
        raise TfsegError(f"`metrics` must be an evaluation or its metrics.json, not {metrics!r}")
    return values


def _card(predictor, spec, values):
    """README.md: what the hub reads in front, then what people read."""
    scores = values["scores"] if values else {}
    named = {title: scores[key] for key, title in _SCORES.items() if scores.get(key) is not None}
    names = class_names(spec.classes, spec.num_classes)
    lines = [
        "---",
        "library_name: tfseg",
        "pipeline_tag: image-segmentation",
        "tags: [semantic-segmentation, dilated-convolution, keras, tensorflow]",
        "---",
        _MARK,
        f"# {spec.name}",
        "",
        f"Semantic segmentation of {counted(spec.num_classes, 'class')}: {', '.join(names)}.",
        "",
        "```python",
        "import tfseg  # pip install tfseg-keras",
        "",
        'predictor = tfseg.load("hf://owner/name")  # or this folder',
        'labels = predictor.predict("photo.jpg")  # uint8 [H, W], class indices',
        "```",
        "",
        "## Scores",
        "",
    ]
    if named:
        lines += [
            *("| | |", "|---|---:|"),
            *(f"| {title} | {value:.4f} |" for title, value in named.items()),
            "",
            "Measured with tfseg. Protocol:",
            "",
            *(f"- {key}: {value}" for key, value in values.get("protocol", {}).items()),
        ]
    else:
        lines.append("Not stated: no evaluation was given when this folder was written.")
    lines += ["", "## Recipe", "", f"- options: {spec.options or 'the defaults'}"]
    if spec.preprocessing:
        lines.append(f"- preprocessing: {spec.preprocessing.to_dict()}")
    lines += [f"- protocol of `predict`: {predictor.protocol.to_dict()}", ""]
    return "\n".join(lines)
