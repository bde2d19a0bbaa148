"""Measuring followers against annotated scenarios: the live metric, systems under test, tables and plots."""
