"""The command `tfseg VERB`: flags, printing and exit codes; what verbs do is in `tfseg.workflows`.

Up to the parsed flags nothing here imports Keras or TensorFlow, so that help and errors come at
once.
"""

from tfseg.cli.command import main, script
from tfseg.cli.verbs import VERBS

__all__ = ["VERBS", "main", "script"]
