"""Tests of runs of several processes."""
