"""MLflow: what steps leave is sent to it, and models are kept in it. Nothing outside this package imports MLflow."""
