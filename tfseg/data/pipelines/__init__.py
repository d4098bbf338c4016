"""Input pipelines: from lists of files to batches of tensors."""
