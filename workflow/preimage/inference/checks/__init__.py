"""Evidence about answers of inference, one check a module; all of it on parameters that no method trained on."""
