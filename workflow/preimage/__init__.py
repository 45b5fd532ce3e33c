"""preimage: name the output you want, get the inputs that give it, with evidence."""

__version__ = "0.1.0"
