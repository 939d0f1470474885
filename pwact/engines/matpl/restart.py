"""Decides how a training of MatPL goes on that may have been cut off; run inside the job.

``python -m pwact.engines.matpl.restart`` prints the input by which MatPL is to train in the current
directory: ``train.json`` from the beginning, ``continue.json`` from the last epoch in
``model_record``, nothing where the training has ended and only what follows it is missing.

MatPL writes its checkpoint after every epoch, and goes on from it with ``reset_epoch: false``. It
is given one chance to: where that brought no epoch, the checkpoint is no good, and the training
begins again.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Optional

from pwact.engines.matpl.models import INPUT, MODELS, RECORD, START
from pwact.engines.matpl.results import epochs_done, progress
from pwact.engines.training_task import archive_is_whole
from pwact.io.files import remove, write_json, write_text

LOG = "train.log"
CONTINUED = "continue.json"
EPOCHS_ENDED = "epochs.ended"  # holds the size of the checkpoint with which MatPL ended well
COMPRESS_ENDED = "compress.ended"  # likewise of the compressed one
_FROM = "continue.epoch"  # the epoch from which the last try went on


def main() -> int:
    """Print the input for the current directory."""
    made = plan(Path.cwd())
    if made:
        sys.stdout.write(made)
    return 0


def plan(directory: Path) -> str:
    """Prepare `directory`, and name the input; "" where nothing is left to train."""
    document = json.loads((directory / INPUT).read_text(encoding="utf-8"))
    checkpoint = Path(RECORD) / MODELS[document["model_type"]].checkpoint
    if has_ended(directory, checkpoint):
        return ""
    for name in (EPOCHS_ENDED, COMPRESS_ENDED):
        remove(directory / name)
    epoch = epochs_done(directory)
    if epoch and epoch != _last_start(directory) and archive_is_whole(directory / checkpoint):
        write_text(directory / _FROM, f"{epoch}\n")
        write_json(directory / CONTINUED, continued(document, checkpoint))
        with (directory / LOG).open("a", encoding="utf-8") as log:
            log.write(f"pwact: cut off after epoch {epoch}; MatPL goes on from {checkpoint}\n")
        return CONTINUED
    for name in (LOG, RECORD, CONTINUED, _FROM):
        remove(directory / name)
    if (directory / START).is_symlink():  # a copy, since MatPL writes over it
        (directory / RECORD).mkdir()
        shutil.copyfile(directory / START, directory / checkpoint)
    return INPUT


def has_ended(directory: Path, checkpoint: Path) -> bool:
    """Whether MatPL has come to its last epoch, ended well, and its checkpoint is still that."""
    try:
        size = int((directory / EPOCHS_ENDED).read_text())
        same = (directory / checkpoint).stat().st_size == size
    except (OSError, ValueError):
        return False
    return same and size > 0 and progress(directory).done


def continued(document: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """The input of a training that goes on from its own checkpoint."""
    made = {key: value for key, value in document.items() if key != "nep_txt_file"}
    made |= {"recover_train": True, "model_load_file": str(checkpoint)}
    made["optimizer"] = {**document["optimizer"], "reset_epoch": False}
    return made


def _last_start(directory: Path) -> Optional[int]:
    try:
        return int((directory / _FROM).read_text())
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
