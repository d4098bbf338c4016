"""Checks of data folders: every image and label map, and what a set of them says."""
