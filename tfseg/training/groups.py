"""Tables of parameter groups: which variables learn how fast, and which decay."""

import dataclasses
import re

from tfseg.errors import TfsegError, unknown
from tfseg.layers.dilated import FILTER_WEIGHTS


@dataclasses.dataclass(frozen=True)
class Group:
    """A row of a table.

    Attributes:
        name: for the log.
        pattern: regular expression that has to match a variable's whole path, of `paths_in`.
        learning_rate: factor of the run's learning rate.
        weight_decay: factor of the run's weight decay.
    """

    name: str
    pattern: str
    learning_rate: float = 1.0
    weight_decay: float = 1.0


_FILTERS = f"({'|'.join(FILTER_WEIGHTS)})"

TABLES = {
    # DRN: one group, batch norm and biases included. The filters of smoothed convolutions don't
    # decay: what they start from, and what zero would undo, is the plain convolution.
    "all": (
        Group("all", rf"(?!.*/{_FILTERS}$).*"),
        Group("filters", rf".*/{_FILTERS}", weight_decay=0.0),
    ),
    # ADE20K code: only convolution kernels decay. A separable convolution has two.
    "conv_kernels": (
        Group("encoder_kernels", r"encoder/.*kernel"),
        Group("encoder_rest", r"encoder/(?!.*kernel$).*", weight_decay=0.0),
        Group("decoder_kernels", r"decoder/.*kernel"),
        Group("decoder_rest", r"decoder/(?!.*kernel$).*", weight_decay=0.0),
    ),
    # DeepLab (Chen et al. 2017, section 4.1.2, and its Caffe solver): the head learns 10 times as
    # fast, its biases 20 times, and only convolution kernels decay. Published settings freeze
    # batch norm or train its gammas and betas alone; where the head has one, they learn as fast
    # as its kernels.
    "deeplab": (
        Group("encoder_kernels", r"encoder/.*kernel"),
        Group("encoder_rest", r"encoder/(?!.*kernel$).*", weight_decay=0.0),
        Group("decoder_kernels", r"decoder/.*kernel", 10.0),
        Group("decoder_biases", r"decoder/.*/bias", 20.0, 0.0),
        Group("decoder_rest", r"decoder/(?!.*(kernel|/bias)$).*", 10.0, 0.0),
    ),
}


def find_table(name):
    """The rows of a named table.

    Raises:
        TfsegError: unknown name.
    """
    if name not in TABLES:
        raise unknown("param_groups", name, TABLES)
    return TABLES[name]


def with_encoder_rate(rows, factor):
    """A table whose encoder groups learn `factor` times as fast.

    Raises:
        TfsegError: no group of the table is the encoder's own.
    """
    if not any(row.name.startswith("encoder") for row in rows):
        raise TfsegError(
            "`encoder_learning_rate` needs groups of the encoder's own: give "
            "`param_groups=conv_kernels` or deeplab"
        )
    return tuple(
        dataclasses.replace(row, learning_rate=row.learning_rate * factor)
        if row.name.startswith("encoder")
        else row
        for row in rows
    )


def paths_in(model, variables):
    """Paths of variables that begin with "encoder/" or "decoder/", whatever the model's layers are
    called: those of Keras' networks, and of users' own, have names of their own.

    Args:
        model: a `Segmenter` or `Classifier`, whose head is its decoder.
        variables: {path: Keras variable}.
    """
    inside = {id(variable) for variable in model.encoder.variables}
    parts = {path: "encoder" if id(v) in inside else "decoder" for path, v in variables.items()}
    return [
        path if path.startswith(f"{part}/") else f"{part}/{path}" for path, part in parts.items()
    ]


def assign_groups(paths, rows):
    """The row of each variable.

    Args:
        paths: the variables' paths, such as "encoder/stage1_conv/kernel"; see `paths_in`.
        rows: a table.

    Returns:
        A list of `Group`, one per path.

    Raises:
        TfsegError: a path that no row, or more than one, matches.
    """
    found = {path: [row for row in rows if re.fullmatch(row.pattern, path)] for path in paths}
    missing = [path for path, matches in found.items() if not matches]
    if missing:
        raise TfsegError(f"no parameter group covers {_listed(missing)}")
    for path, matches in found.items():
        if len(matches) > 1:
            names = " and ".join(row.name for row in matches)
            raise TfsegError(f"parameter groups {names} both cover {path}")
    return [found[path][0] for path in paths]


def _listed(names, limit=5):
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
