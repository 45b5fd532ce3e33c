"""What a study knows of methods of inference: apart, so that reading a study imports none."""

# They take their simulations from the bank that is made once for all of them.
BANKED = frozenset({"abc_rejection", "npe"})
# Trained once for all observations; the others work anew for each.
AMORTISED = frozenset({"alfi", "one_shot", "npe"})
# They simulate anew for each observation, at great cost.
SEARCHING = frozenset({"nes", "avo", "abc_smc"})
