"""Which experiments to run next: Gaussian processes of the outputs, and a batch of points that promise most."""
