"""Problems of the PEtab format, version 1 (Schmiester et al. 2021, PLoS Comput Biol 17:e1008646), as studies."""
