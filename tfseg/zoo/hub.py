"""Models on the Hugging Face hub, through its own client."""

import re

from tfseg.errors import TfsegError

HUB = "hf://"
# What a model is kept in there: its recipe, its weights, and what people read.
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


def is_hub(source: object) -> bool:
    """Whether `source` names a model on the hub: "hf://owner/name", or "hf://owner/name@revision"."""
    return str(source).startswith(HUB)


def fetch_hub(source: str) -> str:
    """Downloads a model once, into the client's own cache.

    Args:
        source: "hf://owner/name", with "@" and a branch, tag or commit behind it where it isn't to
            be the newest. HF_TOKEN, HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean to
            the client.

    Returns:
        The folder with its recipe and weights.

    Raises:
        TfsegError: it isn't such a name, the client isn't installed, or the model can't be had.
    """
    match = re.fullmatch(rf"{HUB}([\w.-]+/[\w.-]+)(?:@(.+))?", source)
    if not match:
        raise TfsegError(f"a model on the hub is hf://owner/name or hf://owner/name@tag: {source}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise TfsegError(
            f"{source} needs huggingface_hub: pip install 'tfseg-keras[hub]'"
        ) from error
    try:
        return snapshot_download(match[1], revision=match[2], allow_patterns=[CONFIG, WEIGHTS])
    except (OSError, ValueError) as error:
        # The client's first line says what happened; hints and addresses follow it.
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise TfsegError(f"can't download {source}: {reason}") from error
