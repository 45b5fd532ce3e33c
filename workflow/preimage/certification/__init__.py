"""One question to one model, outside any study: `preimage.certify(model, space, objective)`, and the command of that
name."""
