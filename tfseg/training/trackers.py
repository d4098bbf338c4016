"""The table of trackers: programs that keep the numbers of many runs."""

from tfseg.tables import Row, Table

# `code` is a class like `tfseg.training.Callback`, called without arguments when a run is about to
# be set up.
TRACKERS: Table[Row] = Table(
    "tracker",
    [
        Row(
            name="mlflow",
            code="tfseg.training.mlflow_tracker:MlflowTracker",
            help="MLflow, where its environment variables say (MLFLOW_TRACKING_URI)",
        ),
    ],
)
