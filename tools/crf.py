"""`tfseg crf`, under its earlier name."""

from tfseg.cli import script

if __name__ == "__main__":
    script("crf")
