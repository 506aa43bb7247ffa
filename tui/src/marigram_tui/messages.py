"""What widgets and screens tell each other."""

from textual.message import Message


class StreamChosen(Message):
    """A stream was picked to be drawn."""

    def __init__(self, stream: str) -> None:
        super().__init__()
        self.stream = stream
