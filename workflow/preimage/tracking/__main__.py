"""The sender that runs beside Snakemake."""

import sys

from preimage.support import masking
from preimage.tracking.sending import watch

sys.stderr = masking.Stream(sys.stderr)
watch()
