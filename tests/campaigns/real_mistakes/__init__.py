"""Mistakes that people made in public, each rewritten as a program for the check."""
