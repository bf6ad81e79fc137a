"""``python -m numjaz`` is the command ``numjaz``."""

import sys

from numjaz.cli import main

sys.exit(main())
