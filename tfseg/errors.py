"""The library's own error type: one clear line for the person at the keyboard."""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Any


class TfsegError(Exception):
    """Something the user can put right: a file, an argument, an option or a label.

    The message is one line that says what is wrong, where, and what is allowed. It has arguments'
    names between backticks, which the command shows as its flags: "`batch_size=3`".
    The command prints it after ``error:`` and exits with status 1, without a traceback. Control
    characters, which names in files may have, are escaped.

    Attributes:
        remedy: (verb, {argument: value}) of a call that puts it right, or None; the message says so
            in words, and the command shows how it is called.
    """

    def __init__(self, message: object = "", remedy: tuple[str, dict[str, Any]] | None = None):
        super().__init__("".join(map(_escaped, str(message))))
        self.remedy = remedy


def _escaped(letter: str) -> str:
    """A character, or its escape sequence where it would break the line or move the cursor."""
    breaks = unicodedata.category(letter) in ("Cc", "Zl", "Zp")
    return letter.encode("unicode_escape").decode() if breaks else letter


def nearest(name: str, choices: Iterable[str]) -> list[str]:
    """Up to three of `choices` that may be meant by `name`, the most similar first.

    One that is far less similar than the first is left out.
    """
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    unlike = [1 - difflib.SequenceMatcher(None, one, name).ratio() for one in near]
    return [one for one, far in zip(near, unlike, strict=True) if far <= 2 * unlike[0] + 0.15]


def unknown(kind: str, name: object, choices: Iterable[object]) -> TfsegError:
    """A `TfsegError` for a `name` that is not among `choices`: the nearest ones, all if few.

    Args:
        kind: what was looked up, in words: "model", "dilated_type".
        name: what the user gave.
        choices: the valid names.
    """
    texts = [str(choice) for choice in choices]
    hints = []
    if near := nearest(str(name), texts):
        hints.append(f"did you mean {' or '.join(near)}?")
    if len(texts) <= 20 and len(near) < len(texts):
        hints.append(f"choose one of {', '.join(texts)}")
    if not hints:
        hints.append(f"there are {len(texts)}, among them {', '.join(texts[:5])}")
    return TfsegError(f"unknown {kind} '{name}'; {' '.join(hints)}")
