"""The kinds of objective, one per module, as a study names them."""
