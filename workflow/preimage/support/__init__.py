"""What every part stands on: errors, files, random numbers, limits, caches."""
