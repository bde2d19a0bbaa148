"""Systems under evaluation: each turns a scenario into errors at its beats. One line in `registry` adds another."""
