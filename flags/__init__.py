"""The recipes, as the package `tfseg.recipes`: files of flags that `tfseg VERB --recipe=` reads."""
