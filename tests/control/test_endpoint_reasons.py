"""Why an engine of the settings does not answer, as the log has it."""

from structlog.testing import capture_logs

from skep.model.errors import UnavailableError
from tests.control.engine_place import FIVE, GONE, Place, in_place


def test_the_log_has_each_reason_of_a_silence_once() -> None:
    """An engine that restarts first hangs up, and says then what is wrong with its certificate."""

    async def body(place: Place) -> None:
        await place.sight()
        place.answers[FIVE[0]] = GONE
        with capture_logs() as lines:
            place.book.doubt("lab", "e0", "broke")
            await place.watched(9)
            place.answers[FIVE[0]] = UnavailableError("its certificate is not signed by ca.pem")
            await place.watched(9)
        reasons = [(line["engine"], line["reason"]) for line in lines if "reason" in line]
        words = ("broke", "connection refused", "its certificate is not signed by ca.pem")
        assert reasons == [("e0", reason) for reason in words]

    in_place(lambda: Place(*FIVE), body)
