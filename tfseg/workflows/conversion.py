"""Weights of other programs to ours, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from tfseg.errors import TfsegError
from tfseg.models import create_classifier, create_model
from tfseg.outputs import files_below, require_apart
from tfseg.weights import load_weights, save_original, save_weights


def convert(
    sources: str | Iterable[str],
    output: str,
    model: str,
    num_classes: int,
    model_options: Mapping[str, Any] | None = None,
    *,
    classifier: bool = False,
    new_head: bool = False,
    layout: str | None = None,
):
    """Writes weights in another form.

    Args:
        sources: what `load_weights` takes; several files hold the model together.
        output: *.weights.h5, ours; or *.safetensors, in the names of the original code.
        model: name of the model that the weights belong to.
        num_classes: how many classes it tells apart.
        model_options: its options.
        classifier: whether it is an image classifier, not a segmenter.
        new_head: leave the head fresh where the weights don't fit it.
        layout: with .safetensors: whose names; default the first that fits.

    Returns:
        The report of `load_weights`.

    Raises:
        TfsegError: whatever the user can put right.
    """
    sources = [sources] if isinstance(sources, str) else list(sources)
    if not output.endswith((".weights.h5", ".safetensors")):
        raise TfsegError(f"`output={output}` is neither *.weights.h5 nor *.safetensors")
    require_apart(output, [one for source in sources for one in files_below(source)])
    create = create_classifier if classifier else create_model
    network = create(model, num_classes, **(model_options or {}))
    report = load_weights(network, sources, new_head)
    if output.endswith(".safetensors"):
        save_original(network, output, layout)
    else:
        save_weights(network, output, report.preprocessing)
    return report
