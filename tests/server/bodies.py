"""What the server makes of a value of the model."""

from typing import Any

from skep.server.bodies import answer


def as_json(view: Any) -> dict[str, Any]:
    return answer(type(view)).model_validate(view).model_dump(by_alias=True, mode="json")
