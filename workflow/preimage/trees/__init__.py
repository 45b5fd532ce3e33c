"""Models made of trees, and everything that is computed exactly about them."""
