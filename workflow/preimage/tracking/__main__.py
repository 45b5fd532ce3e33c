"""The sender that runs beside Snakemake."""

import sys

from preimage import secrecy
from preimage.tracking.sending import watch

sys.stderr = secrecy.Stream(sys.stderr)
watch()
