"""The command `preimage`: new, run, open."""
