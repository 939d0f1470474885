"""``python -m pwact`` is the same as ``pwact``."""

import sys

from pwact.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
