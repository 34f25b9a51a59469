"""`python -m limbeck` is the command `limbeck`."""

import subprocess
import sys

from ._command import command

if __name__ == "__main__":
    sys.exit(subprocess.call([command(), *sys.argv[1:]]))
