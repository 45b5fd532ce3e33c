"""Exact searches over boxes of inputs, whatever the model is: bounds come from the model, proofs are made here."""
