"""``python -m skrand`` is ``skrand``."""

import sys

from skrand.cli import main

sys.exit(main())
