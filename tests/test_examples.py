"""The examples in docstrings print what they show; every public function has an example."""

import doctest
import inspect
import sys

import pytest

import manual_grads
import mnist_jax

PUBLIC = {
    f"{package.__name__}.{name}": value
    for package in (manual_grads, mnist_jax)
    for name in package.__all__
    for value in [getattr(package, name)]
    if inspect.isfunction(inspect.unwrap(value)) or name in ("Architecture", "Config", "Model")
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_has_an_example_that_prints_what_it_says(name):
    value = inspect.unwrap(PUBLIC[name])
    examples = doctest.DocTestFinder(recurse=False).find(
        value, name, module=sys.modules[value.__module__]
    )
    (example,) = [each for each in examples if each.examples]
    failures, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert failures == 0
