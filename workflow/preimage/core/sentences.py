"""Sentences that more than one place says, or looks for."""

# What is said of a whole preimage on a plane, before any job and in one.
NO_VOLUME = (
    "a preimage is made of boxes, and an equality of inputs that are not whole numbers ({}) leaves a plane, as does "
    "at_most_nonzero, which has no volume and holds no box; ask for the best mixes with `certified`, or widen it to "
    "at_least and at_most"
)
# How the message of a start that stayed where it began starts.
UNMOVED = "did not move"
