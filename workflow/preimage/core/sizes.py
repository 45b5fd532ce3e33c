"""How many candidates, draws and points are looked at where each costs: a study plans its simulations by them."""

# Candidates of a case that a user would look at first: what costs much is asked of these.
FIRST = 10
# Draws around a point where inputs vary.
DRAWS = 128
# Points at which the truth is asked around an answer, and halvings by which a jump is cornered.
ASKED, HALVINGS = 256, 40
# With fewer nothing is said of the truth there.
FEWEST_ASKED = 12
# Lines a side, at most, of the figure of the true surface.
GRID, FEWEST_LINES = 41, 5
