"""Models that a user brings, one format a module.

A format's module has `read(path)`, which raises StudyError for a file that is damaged or could run code, and returns a
model whose points and outputs are in its own order:

    signature    what the file says of its inputs and outputs
    predict(X)   outputs (n, m) at points (n, d)
    whole        which of its inputs take whole numbers only (d,), where some do
    resolution   the rounding of its numbers: that of float32 or of float64
    trees        its arrays where it is made of trees (see `preimage.trees.forest.Forest`)
    gradient(X), traceable()    where it has derivatives (see `preimage.surrogates.protocol.Differentiable`)
"""
