"""Likelihood-free inference: which parameters of a stochastic simulator are plausible, given sets of its samples.

`prior` and `simulator` are the nouns, `answer` what every method returns; `simulators/` holds one built-in simulator a
module, `methods/` one method a module, `checks/` the evidence that is always gathered about their answers.
"""
