"""The live part of a report: a study in the page, evaluated in plain JavaScript while its inputs are moved.

There is no library beneath it: Plotly's basic bundle is 1 MB and Vega-Lite with what it needs 0.8 MB, before any model,
where the whole of this is some 50 kB, since it draws one kind of chart. Models come as arrays (`portable` of each kind
of surrogate), and `models.js` has the arithmetic of each form, equal to that of `predict`. A kind that has no form is
shown by profiles that were computed before (`preimage.evidence.live`). To add a form: return it from `portable`, and
add a function of that name to FORMS.
"""
