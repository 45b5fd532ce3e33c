"""Built-in problems, one a module; each has `build(...)`, which returns a `preimage.problems.loading.Problem`."""

BUILT_IN = (
    *("paraboloid", "binary_decimal", "ballistics", "ballistics_stepped", "sine_wave", "robot_arm"),
    *("seird", "lotka_volterra", "sir"),
    "linear_latent",
)
