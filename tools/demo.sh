#!/usr/bin/env bash
# Sets up .venv where needed, then draws a small data set, trains DRN-D-22 on it, evaluates and
# predicts: all of it in demo/. Run again, it continues an interrupted training.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"

if [[ $# -gt 0 ]]; then
  fail "demo.sh takes no arguments; its training settings are in flags/sample/drn_d_22.flags"
fi

setup_env
step "1/4 Drawing a small data set of street scenes"
"$PYTHON" tools/prepare_data.py --dataset=sample --data_dir=demo/data
step "2/4 Training DRN-D-22 (a few minutes on two CPU cores)"
"$PYTHON" tools/train.py --flagfile=flags/sample/drn_d_22.flags --run_dir=demo/run
step "3/4 Evaluating on the validation images"
"$PYTHON" tools/evaluate.py --run_dir=demo/run --data_dir=demo/data
step "4/4 Predicting the validation images"
"$PYTHON" tools/predict.py --run_dir=demo/run --output_dir=demo/predictions demo/data/val_images.txt

step "Done. What there is now:"
cat <<'END'
  demo/data                   images, label maps, lists and info.json: the format to bring your own in
  demo/predictions/overlay    the predicted classes laid over the images: look here first
  demo/predictions/color      the same as plain colour maps; labels/ has the class indices
  demo/run/eval/val           report.html: the scores as a page; metrics.json: they and their protocol
  demo/run/best.weights.h5    the best weights; model.json beside it rebuilds the model
  demo/run/log.csv            loss, learning rate and scores over the steps

Next:
  .venv/bin/tensorboard --logdir demo/run/tensorboard     the same as curves and pictures
  README.md, "Your own images"                            train on a folder of yours
END
