"""The training samples of a run, dealt to its replicas, and which files they show."""

from tfseg.data import (
    Augmentation,
    DistributedPipeline,
    NaturalShapes,
    sample_files,
    train_dataset,
)


def augmentation(config, plan):
    """What training does to its images: `Augmentation` or `NaturalShapes`."""
    if config.short_sides:
        return NaturalShapes(
            short_sides=config.short_sides,
            max_long_side=config.max_long_side,
            size_divisor=config.size_divisor,
            mirror=config.mirror,
        )
    return Augmentation(
        crop_size=config.crop_size,
        scale_range=config.random_scale,
        rotate=config.random_rotate,
        mirror=config.mirror,
        class_crops=config.class_crops,
        class_odds=plan.class_odds,
        scale_choices=config.scale_choices,
        pad_place=config.pad_place,
        fill=config.fill,
        scale_filter=config.scale_filter,
    )


def files_of_step(config, plan, strategy, step):
    """The names of the images of update number `step`, counted from 0."""
    return sample_files(
        plan.train,
        augmentation(config, plan),
        config.seed,
        first_sample=step * config.effective_batch,
        count=config.effective_batch,
        batch_size=config.batch_size // strategy.num_replicas_in_sync,
    )


def distributed_dataset(config, plan, strategy, step):
    """The training samples from update number `step` (counted from 0) on, dealt to replicas."""

    def pipeline(context):
        return train_dataset(
            plan.train,
            augmentation(config, plan),
            plan.spec.preprocessing,
            num_classes=plan.spec.num_classes,
            batch_size=config.batch_size // context.num_replicas_in_sync,
            seed=config.seed,
            first_sample=step * config.effective_batch,
            block=(context.input_pipeline_id, context.num_input_pipelines, config.batch_size),
            label_map=plan.spec.label_map,
            ignore_label=plan.spec.ignore_label,
            cache=config.cache,
            transforms=config.transforms,
        )

    return DistributedPipeline(strategy, pipeline)
