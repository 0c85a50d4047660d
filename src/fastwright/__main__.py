"""``python -m fastwright``."""

import sys

from fastwright.cli import main

if __name__ == "__main__":
    sys.exit(main())
