"""The page of a study: the answer in words, the evidence for it, figures, and how it was made."""
