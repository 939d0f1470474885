"""Commands that show what is known of input files and data, and change nothing."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from pwact.cli import console
from pwact.config import json_schema
from pwact.errors import EXIT_DONE
from pwact.report.why import why_json, why_text
from pwact.tools.why.story import why as story_of


def schema(options: Namespace) -> int:
    """Print the JSON Schema of an input file."""
    console.say(json_schema.text(options.file).rstrip("\n"))
    return EXIT_DONE


def why(options: Namespace) -> int:
    """Tell where a frame of a data set comes from."""
    campaign = None if options.campaign is None else Path(options.campaign)
    found = story_of(options.frame, Path.cwd(), campaign)
    console.say(json.dumps(why_json(found), indent=2) if options.json else why_text(found))
    return EXIT_DONE
