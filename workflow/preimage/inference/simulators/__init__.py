"""Built-in stochastic simulators, one a module with `build()`, which returns a `simulator.Simulator`."""
