"""Results that are there already, so that an interrupted run does only what is missing."""

import os

from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.version import __version__
from tfseg.weights import weights_digest

FILE_NAME = "settings.json"


class Outputs:
    """A folder of results and the settings that they were made with.

    Results of other settings don't count: they are made anew.

    Args:
        folder: made if missing; gets settings.json.
        settings: whatever changes the results, as plain values.
        names: of the results that are to be written.

    Raises:
        TfsegError: the folder can't be written, or has a settings.json or one of the results that
            no earlier run has made.
    """

    def __init__(self, folder, settings, names=()):
        self.folder = folder
        path = os.path.join(folder, FILE_NAME)
        settings = {name: _plain(value) for name, value in settings.items()}
        before = _read(path)
        if before is None:
            strange = [os.path.join(folder, name) for name in names]
        else:
            strange = [] if set(before) & set(settings) else [path]
        for place in filter(os.path.lexists, strange):
            raise TfsegError(
                f"{place} is not of an earlier run and would be overwritten: name another folder"
            )
        # Results that are older than these settings are of others. Another part of the same list
        # may have written them in the meantime.
        if before != settings and _read(path) != settings:
            write_json(path, settings)
        self._since = os.stat(path).st_mtime_ns

    def has(self, source, names):
        """Whether all results `names` are there, and newer than their source and the settings."""
        try:
            newest = max(self._since, os.stat(source).st_mtime_ns)
            times = [os.stat(os.path.join(self.folder, name)).st_mtime_ns for name in names]
        except OSError:
            return False
        return min(times) >= newest


def _read(path):
    """The settings of an earlier run, {} for a file that has none, None without one."""
    if not os.path.lexists(path):
        return None
    try:
        before = read_json(path)
    except TfsegError:
        return {}
    return before if isinstance(before, dict) else {}


def _plain(value):
    """As JSON gives it back: tuples are lists."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def settings_of(predictor, ids=None, scenes=None):
    """Whatever a `Predictor`'s results depend on beside their images, as plain values.

    Of the weights it is the digest of their values, so that it doesn't matter which file they came
    from, by which name, and when it was written.

    Args:
        predictor: a `Predictor`.
        ids: the label value of each class, uint8 [256], or None.
        scenes: which TIFF files are scenes, as for `predict_files`.
    """
    spec = predictor.spec
    return {
        "tfseg": __version__,
        "weights": weights_digest(predictor.model),
        "model": [spec.name, spec.options],
        "preprocessing": spec.preprocessing.to_dict(),
        # Legends have the names.
        "classes": spec.classes,
        "palette": predictor.palette,
        "protocol": predictor.inference.protocol,
        "crf": predictor.crf and predictor.crf.to_dict(),
        "ids": ids if ids is None else ids.tolist(),
        # Pictures of both have one name.
        "scenes": scenes,
    }
