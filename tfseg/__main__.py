"""`python -m tfseg VERB`: the command `tfseg`, by the Python that it is called with."""

import sys

from tfseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
