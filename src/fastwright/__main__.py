"""``python -m fastwright``."""

from fastwright.cli import run

if __name__ == "__main__":
    run()
