"""Methods of inference, one kind per module (see `preimage.inference.base.InferenceMethod`)."""
