"""What can be known of an answer: re-simulation, regret split in two, domain, distinct solutions, held-out rows."""
