"""What each verb of the command does, from Python: nothing here reads a flag or prints."""

from tfseg.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "checking": ["check"],
        "classifying": ["TrainedClassifier", "locate", "test"],
        "comparing": ["compare"],
        "conversion": ["convert"],
        "evaluated": ["Evaluation"],
        "evaluation": ["evaluate"],
        "exporting": ["export"],
        "fields": ["measure_fields"],
        "judging": ["judge"],
        "prediction": ["Prediction", "predict"],
        "own_data": ["Trained", "train_source"],
        "preparation": ["Prepared", "prepare"],
        "proposal": ["Proposal", "propose"],
        "refining": ["Refinement", "refine", "search"],
        "scoring": ["score"],
        "sweeping": ["Variant", "plan_study", "sweep"],
        "trained": ["TrainedModel"],
        "training": ["train"],
    },
)
