"""What things cost in time and memory: models, exports, input pipelines, evaluations, layers."""

from tfseg.benchmark.evaluation import create_predictor, measure_evaluation
from tfseg.benchmark.parts import data_parts, network_parts, saved_model_parts
from tfseg.benchmark.speed import (
    count_flops,
    create_train_step,
    matmul_peak,
    measure,
    measure_input,
    measure_requests,
    measure_waiting,
    run,
    table,
)

__all__ = [
    "count_flops",
    "create_predictor",
    "create_train_step",
    "data_parts",
    "matmul_peak",
    "measure",
    "measure_evaluation",
    "measure_input",
    "measure_requests",
    "measure_waiting",
    "network_parts",
    "run",
    "saved_model_parts",
    "table",
]
