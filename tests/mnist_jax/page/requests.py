"""Malformed requests to the page, drawn by hypothesis."""

import json

from hypothesis import strategies as st

from tests.mnist_jax.page.conftest import QUESTION

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
STEP = {"pixels": "A" * 1044 + "AA==", "target": 3, "rate": 0.1}
BAD = {
    "strokes": [
        [[]], [[[1]]], [[[1, 2, 3]]], [[[-1, 0]]], [[[281, 0]]], [[[0.5, 0]]], [[[0, 0]]] * 65,
    ],
    "target": [-1, 10, 3.5, "3", True, [3]],
    "steps": [
        {}, [{}], [STEP] * 21, [{**STEP, "pixels": "A"}], [{**STEP, "rate": 0}],
        [{**STEP, "rate": 1.5}], [{**STEP, "rate": None}], [{**STEP, "more": 1}],
    ],
    "unit": [[3, 0], [1, 2**30], [0, 784], [-1, 0], [1], [0, 0, 0], [2**40, 0], "1,2"],
}  # fmt: skip
"""For each field, values that the network of the tests does not accept."""


@st.composite
def malformed(draw) -> tuple[str, str, dict[str, str], bytes]:
    """The method, path, headers and body of a request that has to be refused."""
    method, path = "POST", "/derivatives"
    headers, body = {"content-type": "application/json"}, json.dumps(QUESTION).encode()
    kind = draw(st.sampled_from(["value", "missing", "more", "json", "bytes", "cut", "deep",
                                 "path", "method", "type", "origin", "host", "large"]))  # fmt: skip
    name = draw(st.sampled_from(sorted(QUESTION)))
    if kind == "value":
        body = json.dumps({**QUESTION, name: draw(st.sampled_from(BAD[name]))}).encode()
    elif kind == "missing":
        body = json.dumps({key: value for key, value in QUESTION.items() if key != name}).encode()
    elif kind == "more":
        more = draw(st.text(max_size=9).filter(lambda text: text not in QUESTION))
        body = json.dumps({**QUESTION, more: draw(VALUES)}).encode()
    elif kind == "json":
        body = json.dumps(draw(VALUES)).encode()
    elif kind == "bytes":
        body = draw(st.binary(max_size=200))
    elif kind == "cut":
        body = body[: draw(st.integers(0, len(body) - 1))]
    elif kind == "deep":
        body = draw(st.sampled_from([b"[", b'{"strokes":', b'{"a":['])) * draw(st.integers(1, 9999))
    elif kind == "path":
        path = "/a" + draw(st.text("abc/.%~", max_size=12)) + "x"
    elif kind == "method":
        method = draw(st.sampled_from(["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]))
    elif kind == "type":
        headers["content-type"] = draw(st.sampled_from(["", "text/plain", "application/xml"]))
    elif kind == "origin":
        headers["origin"] = draw(
            st.sampled_from(
                ["null", "https://127.0.0.1:8000", "http://127.0.0.1", "http://a.example"]
            )
        )
    elif kind == "host":
        headers["host"] = draw(
            st.sampled_from(["a.example", "127.0.0.2:8000", "localhost.example"])
        )
    else:
        body = b" " * draw(st.sampled_from([2**17 + 1, 2**18]))
    return method, path, headers, body
