"""What is remembered of an error, and shown for as long as it is what holds something up."""

MESSAGE_MAX = 1000
MESSAGE_HEAD = 200
"""Characters of an error that are remembered, more than an engine or a registry says of one thing. Of a longer one the
head says what failed, and the end, as a program's last words do, why."""


def remembered(error: Exception | None) -> str:
    """Its text in bounds; empty for none."""
    text = str(error or "")
    end = MESSAGE_MAX - MESSAGE_HEAD - 1
    return text if len(text) <= MESSAGE_MAX else f"{text[:MESSAGE_HEAD]}…{text[-end:]}"
