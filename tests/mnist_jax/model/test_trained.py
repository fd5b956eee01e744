"""A trained network accepts images in every documented form, and refuses all others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import Architecture
from mnist_jax import Config, ImagesError, Model, model
from mnist_jax.data import digits

ARCHITECTURE = Architecture(layer_sizes=(784, 8, 10))
TRAINED = Model(Config(architecture=ARCHITECTURE), model.init(jax.random.key(0), ARCHITECTURE))
IMAGES = digits.read().test.images[:6]
FORMS = {
    "uint8, 28×28": lambda images: images,
    "uint8, 784": lambda images: images.reshape(-1, 784),
    "float32": lambda images: images.astype(np.float32) / 255,
    "float64, 784": lambda images: images.reshape(-1, 784) / 255,
    "lists": lambda images: (images / 255).tolist(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_answer_does_not_depend_on_the_form_of_the_images(form):
    """It is the largest output of the network, and the probabilities are the softmax of these."""
    rows = IMAGES.reshape(-1, 784).astype(np.float32) / 255
    outputs = np.asarray(model.forward(ARCHITECTURE, TRAINED.params, jnp.asarray(rows)), float)
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(TRAINED.predict(form(IMAGES)), outputs.argmax(axis=1))
    np.testing.assert_allclose(TRAINED.probabilities(form(IMAGES)), shares, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_one_image_has_one_answer(form):
    several = TRAINED.predict(IMAGES)
    for place, image in enumerate(IMAGES):
        given = form(image[None])[0]
        assert TRAINED.predict(given).shape == ()
        assert TRAINED.predict(given) == several[place]
        assert TRAINED.probabilities(given).shape == (10,)


REFUSED = {
    "a colour image": (np.zeros((28, 28, 3), np.uint8), r"\[28, 28, 3\]"),
    "another size": (np.zeros((32, 32), np.uint8), r"\[32, 32\]"),
    "a number": (np.uint8(3), r"got: +\[\]"),
    "a channel axis": (np.zeros((5, 1, 28, 28), np.uint8), r"\[5, 1, 28, 28\]"),
    "int64": (np.zeros((28, 28), int), "int64"),
    "bool": (np.zeros((28, 28), bool), "bool"),
    "complex": (np.zeros((28, 28), complex), "complex128"),
    "not divided by 255": (np.full((28, 28), 255.0), "values from 255 to 255"),
    "negative": (np.full((28, 28), -0.1), "values from -0.1"),
    "NaN": (np.full((28, 28), np.nan), "values from nan"),
}


@pytest.mark.parametrize(("images", "got"), REFUSED.values(), ids=REFUSED)
def test_any_other_image_is_refused_in_three_parts(images, got):
    with pytest.raises(ImagesError, match=got) as refused:
        TRAINED.predict(images)
    assert [line.split(":")[0].strip() for line in str(refused.value).splitlines()[1:]] == [
        "expected",
        "got",
        "try",
    ]
