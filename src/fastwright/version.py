"""The version of fastwright, on its own so that asking for it imports nothing else."""

VERSION = "0.1.0"
