"""Commands that show what is known of input files and data, and change nothing."""

from __future__ import annotations

from argparse import Namespace

from pwact.cli import console
from pwact.config import json_schema
from pwact.errors import EXIT_DONE


def schema(options: Namespace) -> int:
    """Print the JSON Schema of an input file."""
    console.say(json_schema.text(options.file).rstrip("\n"))
    return EXIT_DONE
