"""Methods that look for inputs with the wanted outputs, one a module.

`kinds/` declares each method as a study names it, with its options; the module of the same name beside it computes, and
is imported by the step that needs it. `asking` puts questions to a method.
"""
