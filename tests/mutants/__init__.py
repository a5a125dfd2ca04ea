"""Small mistakes made in the code on purpose: would a test notice? ``make mutants SEED=7 N=200``.

A looking-glass for developers, not a gate. A survivor is one of three: a test that is missing, a line that is not
needed, or a change that changes nothing that anybody can see.
"""
