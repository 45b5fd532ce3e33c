"""The nouns: input spaces, objectives, candidates, certificates, domains."""
