"""Wrong values are told in plain words: what pydantic says is not for people."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from streams.operations.plain import plain


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, "many", "it must be a whole number"),
        (float, "soon", "it must be a number"),
        (bool, "perhaps", "it must be true or false"),
        (Annotated[int, Field(ge=1)], 0, "it must be 1 or more"),
        (Annotated[int, Field(le=65535)], 70000, "it must be 65535 or less"),
        (Annotated[float, Field(gt=0)], 0, "it must be more than 0"),
        (Literal["json", "human"], "jsno", "it must be 'json' or 'human'"),
        (Annotated[str, Field(pattern=r"^[a-z0-9]{1,16}$")], "G1", "it must match [a-z0-9]{1,16}"),
    ],
)
def test_what_pydantic_says_of_a_value_becomes_plain(kind: Any, value: object, said: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(kind).validate_python(value)
    [error] = wrong.value.errors()
    assert plain(error["msg"]) == said


def test_the_rest_of_a_message_stays() -> None:
    said = plain("Invalid value for '--rate': Input should be greater than or equal to 1")
    assert said == "Invalid value for '--rate': it must be 1 or more"
    assert plain("Missing argument 'DIR'.") == "Missing argument 'DIR'."
