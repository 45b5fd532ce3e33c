"""What learning by inversion is worth, measured: on a line, where every answer is known, and on pictures of digits."""
